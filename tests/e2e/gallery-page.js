// A room with made-up members, for pictures of the page; runs in the browser, see gallery.mjs.

import { followAppearance } from '/appearance.js';
import { Emitter } from '/events.js';
import { setLanguage } from '/strings.js';
import { Call } from '/ui/call.js';

const NAMES = [
  'Ada Lovelace', 'Ben Okri', 'Chiara', 'Dmitri Sokolov', 'Eve', 'Fatima al-Fihri', 'Gus', 'Hana Sato', 'Ida Wells-Barnett', 'Jun', 'Katherine Johnson',
  'Lise', 'Maximilian von Habsburg-Lothringen', 'Noor', 'Olu', 'Paul Erdős', 'Qi', 'Rosa', 'Sofia', 'Tove', 'Ursula', 'Vera Rubin', 'Wangari', 'Xu', 'Yusuf', 'Zora',
  'Agnes', 'Bela', 'Carl', 'Dora', 'Emil', 'Frieda',
];
const PALETTES = [['#274060', '#5d8aa8'], ['#3b5249', '#a4b494'], ['#6d435a', '#c9a690'], ['#2d3142', '#bfc0c0'], ['#4a4e69', '#c9ada7'], ['#335c67', '#e09f3e']];

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

function portrait(at) {
  const [dark, light] = PALETTES[at % PALETTES.length];
  return picture(640, 360, (pen) => {
    const wall = pen.createLinearGradient(0, 0, 640, 360);
    wall.addColorStop(0, light);
    wall.addColorStop(1, dark);
    pen.fillStyle = wall;
    pen.fillRect(0, 0, 640, 360);
    pen.fillStyle = 'rgb(255 255 255 / 12%)';
    pen.fillRect(60 + ((at * 97) % 400), 40, 110, 150);
    pen.fillStyle = dark;
    pen.beginPath();
    pen.ellipse(320, 390, 165, 150, 0, 0, 7);
    pen.fill();
    pen.fillStyle = ['#e0ac88', '#8d5a3b', '#c68863', '#f0c9a8'][at % 4];
    pen.beginPath();
    pen.ellipse(320, 180, 66, 84, 0, 0, 7);
    pen.fill();
    pen.fillStyle = ['#2b1b12', '#6b4423', '#1b1b1f', '#b08d57'][(at * 3) % 4];
    pen.beginPath();
    pen.ellipse(320, 125, 74, 50, 0, 0, 7);
    pen.fill();
  });
}

function slide() {
  return picture(1280, 720, (pen) => {
    pen.fillStyle = '#fdfdfb';
    pen.fillRect(0, 0, 1280, 720);
    pen.fillStyle = '#16211f';
    pen.font = '600 58px sans-serif';
    pen.fillText('Rehearsal plan', 90, 130);
    pen.font = '34px sans-serif';
    ['Warm-up, ten minutes', 'Second voice alone, bars 12 to 40', 'Everyone, slowly', 'Everyone, as written'].forEach((line, at) => pen.fillText(`${at + 1}.  ${line}`, 90, 230 + at * 76));
    pen.fillStyle = '#0f766e';
    for (let at = 0; at < 6; at += 1) pen.fillRect(820 + at * 60, 620 - at * 55, 40, at * 55 + 30);
  });
}

function picture(width, height, draw) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  draw(pen);
  const track = canvas.captureStream(2).getVideoTracks()[0];
  // A canvas sends a frame when it is drawn on.
  const timer = setInterval(() => draw(pen), 400);
  setTimeout(() => clearInterval(timer), 6_000);
  return track;
}

window.gallery = (options) => {
  followAppearance();
  setLanguage(options.lang ?? 'en');
  const room = new FakeRoom(options);
  const call = new Call(room, options.name ?? 'quiet-choir-1204', { settings: () => {} });
  document.getElementById('app').replaceChildren(call.element);
  room.emit('state', 'joined');
  setInterval(() => {
    for (const [key, incoming] of room.incomings) room.incomings.set(key, { ...incoming, connection: { ...incoming.connection } });
    room.emit('media', undefined);
  }, 300);
  window.room = room;
};
