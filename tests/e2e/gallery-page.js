// A room with made-up members, for pictures of the page; runs in the browser, see gallery.mjs.

import { followAppearance } from '/appearance.js';
import { Emitter } from '/events.js';
import { setLanguage } from '/strings.js';
import { Call } from '/ui/call.js';
import { portrait, slide } from './portraits.js';

const NAMES = [
  'Ada', 'Ben', 'Chiara', 'Dmitri', 'Eve', 'Fatima', 'Gus', 'Hana', 'Ida', 'Jun', 'Käthe', 'Lise', 'Maximilian Alexander with a long name', 'Noor', 'Olu', 'Pál',
  'Qi', 'Rosa', 'Sofia', 'Tove', 'Ursula', 'Vera', 'Wangari', 'Xu', 'Yusuf', 'Zora', 'Agnes', 'Bela', 'Carl', 'Dora', 'Emil', 'Frieda',
];
class FakeMedia extends Emitter {
  #tracks = new Map();

  constructor(hasCamera) {
    super();
    if (hasCamera) this.#tracks.set('camera', portrait(2));
  }

  track(source) {
    return this.#tracks.get(source) ?? null;
  }

  isOn(source) {
    return source === 'microphone' || this.#tracks.has(source);
  }

  published() {
    return [];
  }

  async setMicrophone() {}
  async setCamera() {}
}

class FakeRoom extends Emitter {
  state = 'joined';
  isSwitching = false;
  epoch = 1;
  seats = [];
  mesh = null;
  node = null;
  you = 'm0';
  members = new Map();
  chat = [];
  wants = null;

  constructor(options) {
    super();
    const { count, mode = count > 4 ? 'sfu' : 'mesh', role = 'guest', screen = false, speakers = [], hands = [], waiting = [], why = null, exceptions = [], chat = [] } = options;
    Object.assign(this, { mode, role, why, exceptions, waiting, chat, speakers, rules: { locked: false, lobby: waiting.length > 0 } });
    this.media = new FakeMedia(true);
    this.incomings = new Map();
    for (let at = 0; at < count; at += 1) this.#add(at, options, screen && at === 1, hands.indexOf(at));
  }

  others() {
    return [...this.members.values()].filter(({ id }) => id !== this.you);
  }

  incoming(member, feed) {
    return this.incomings.get(`${member.id}/${feed}`) ?? null;
  }

  view(wants) {
    this.wants = wants;
  }

  say(text) {
    const line = { from: this.you, name: this.members.get(this.you).name, text, atMs: Date.now() - 1_700_000_000_000 };
    this.chat.push(line);
    this.emit('chat', line);
    return true;
  }

  raiseHand(raised) {
    const you = this.members.get(this.you);
    this.members.set(this.you, { ...you, handMs: raised ? 99_000 : undefined });
    this.emit('members', undefined);
  }

  react(reaction) {
    this.emit('reaction', { from: this.you, reaction });
  }

  lock(locked) {
    this.rules = { ...this.rules, locked };
    this.emit('rules', undefined);
  }

  setLobby(lobby) {
    this.rules = { ...this.rules, lobby };
    this.emit('rules', undefined);
  }

  admit(member) {
    this.waiting = this.waiting.filter((knock) => knock.member !== member);
    this.emit('knocks', undefined);
  }

  deny(member) {
    this.admit(member);
  }

  silence() {}
  lowerHand() {}
  remove() {}
  end() {}
  leave() {}

  #add(at, { lost = [], held = [], weak = [], count }, shares, hand) {
    const id = `m${at}`;
    const isOff = at % 4 === 3 || (count > 12 && at % 3 === 0);
    const published = [
      { source: 'microphone', stream: id, muted: at % 3 === 2 || held.includes(at) },
      { source: 'camera', stream: id, muted: isOff },
      ...(shares ? [{ source: 'screen', stream: `${id}s`, muted: false }] : []),
    ];
    this.members.set(id, {
      id,
      name: NAMES[at % NAMES.length],
      role: at === 0 && this.role === 'owner' ? 'owner' : 'guest',
      sfuOnly: false,
      published,
      silenced: held.includes(at) ? ['microphone'] : [],
      handMs: hand >= 0 ? hand : undefined,
      presence: lost.includes(at) ? 'reconnecting' : 'here',
      node: 'up',
    });
    if (at === 0) return;
    this.incomings.set(`${id}/camera`, this.#incoming(id, isOff ? null : portrait(at), weak.includes(at)));
    if (shares) this.incomings.set(`${id}/screen`, this.#incoming(`${id}s`, slide(), false));
  }

  #incoming(id, video, isWeak) {
    const stats = { bitrate: 512_000, lossPercent: isWeak ? 7 : 0.1, codec: 'VP8', jitterMs: 3, width: 1280, height: 720, fps: 30, freezeCount: 0, freezeSeconds: 0 };
    return {
      audio: null,
      video,
      audioStats: { ...stats, codec: 'opus', bitrate: 32_000 },
      videoStats: video && stats,
      since: 0,
      connection: { state: 'connected', local: 'host', remote: 'srflx', protocol: 'udp', rttMs: 24, availableBitrate: 0 },
      path: this.mode === 'mesh' ? 'mesh' : 'node',
      key: `x/${id}`,
    };
  }
}

window.gallery = (options) => {
  followAppearance();
  setLanguage(options.lang ?? 'en');
  const room = new FakeRoom(options);
  const call = new Call(room, options.name ?? 'quiet-choir-1204');
  document.getElementById('app').replaceChildren(call.element);
  room.emit('state', 'joined');
  setInterval(() => {
    for (const [key, incoming] of room.incomings) room.incomings.set(key, { ...incoming, connection: { ...incoming.connection } });
    room.emit('media', undefined);
  }, 300);
  window.room = room;
};
