import { errors, strings } from '../strings.js';
import { Bar } from './bar.js';
import { Chat } from './chat.js';
import { h, icon, setText } from './dom.js';
import { People } from './people.js';
import { Sounds } from './sound.js';
import { Stage } from './stage.js';

/**
 * @import { Room } from '../motet.js'
 * @import { Feed } from '../protocol'
 */

const NOTICE_MS = 6_000;
/** @type {readonly Feed[]} */
const FEEDS = ['camera', 'screen'];

/** The page of a call. */
export class Call {
  #room;
  #stage;
  #chat;
  #people;
  #bar;
  #sounds;
  #status = h('p', { className: 'status', role: 'status' });
  #notices = h('div', { className: 'notices', role: 'status', 'aria-live': 'polite' });
  #hear = h('button', { type: 'button', className: 'hear', hidden: true });
  #alone;
  #panels;
  /** @type {'chat' | 'people' | null} */
  #panel = null;
  /** @type {Map<string, string>} names by id, to tell who came and went */
  #known = new Map();
  #frame = 0;
  element;

  /**
   * @param {Room} room
   * @param {string} name of the room
   */
  constructor(room, name) {
    this.#room = room;
    this.#stage = new Stage(room);
    this.#bar = new Bar({
      microphone: () => this.#toggle('microphone'),
      camera: () => this.#toggle('camera'),
      screen: () => this.#toggleScreen(),
      chat: () => this.#open('chat'),
      people: () => this.#open('people'),
      leave: () => room.leave(),
    });
    this.#chat = new Chat(room, (unread) => this.#bar.setUnread(unread));
    this.#people = new People(room);
    this.#sounds = new Sounds((isBlocked) => (this.#hear.hidden = !isBlocked));
    this.#hear.append(icon('sound'), h('span', {}, strings.clickToHear));
    this.#hear.title = strings.clickToHearHint;
    this.#hear.onclick = () => this.#sounds.resume();
    this.#alone = h('div', { className: 'waiting' }, h('p', {}, strings.alone), h('p', { className: 'quiet' }, strings.aloneHint), this.#copyButton());
    this.#panels = {
      chat: this.#panelOf('chat', strings.chat, this.#chat.element),
      people: this.#panelOf('people', strings.people, this.#people.element),
    };
    this.#stage.element.append(this.#alone);
    this.element = h(
      'div',
      { className: 'call' },
      h('header', { className: 'top' }, h('img', { src: '/icon.svg', alt: '', width: 24, height: 24 }), h('h1', {}, name), this.#status, this.#copyButton()),
      h('div', { className: 'middle' }, this.#stage.element, this.#panels.chat, this.#panels.people),
      this.#bar.element,
      this.#hear,
      this.#notices,
      this.#sounds.element,
    );
    this.#listen();
  }

  /** @param {string} text said once, and gone after a while */
  notice(text) {
    const element = h('p', { className: 'notice' }, text);
    this.#notices.append(element);
    window.setTimeout(() => element.remove(), NOTICE_MS);
  }

  #listen() {
    const room = this.#room;
    for (const name of /** @type {const} */ (['media', 'members', 'speakers', 'topology', 'state'])) {
      room.on(name, () => this.#schedule());
    }
    room.on('members', () => this.#tellWhoCame());
    room.on('chat', (line) => this.#chat.add(line));
    room.on('state', (state) => {
      if (state === 'joined') this.#chat.fill();
    });
    room.on('error', ({ code, message }) => this.notice(code === 'limit' || code === 'badOffer' ? message : errors[code]));
    this.#schedule();
  }

  /** Many changes at once make one update. A page in the background still updates. */
  #schedule() {
    if (this.#frame) return;
    this.#frame = window.setTimeout(() => {
      this.#frame = 0;
      this.#update();
    }, 16);
  }

  #update() {
    if (this.#room.state === 'ended') return this.#sounds.reconcile([]);
    this.#stage.update();
    this.#people.update();
    this.#sounds.reconcile(this.#voices());
    this.#bar.update({
      microphone: this.#room.media.isOn('microphone'),
      camera: this.#room.media.isOn('camera'),
      screen: this.#room.media.isOn('screen'),
      chat: this.#panel === 'chat',
      people: this.#panel === 'people',
    });
    this.#alone.hidden = this.#room.members.size !== 1;
    setText(this.#status, this.#statusText());
  }

  #statusText() {
    const { state, isSwitching, mode } = this.#room;
    if (state === 'connecting') return strings.connecting;
    if (state === 'reconnecting') return strings.reconnecting;
    if (isSwitching) return strings.switching(mode === 'mesh' ? 'sfu' : 'mesh');
    return this.#room.members.size > 1 ? strings.mode(mode) : '';
  }

  #voices() {
    return this.#room.others().flatMap((member) =>
      FEEDS.flatMap((feed) => {
        const incoming = this.#room.incoming(member, feed);
        if (!incoming?.audio) return [];
        return [{ id: `${member.id}/${feed}`, key: `${incoming.key}/${incoming.audio.id}`, track: incoming.audio }];
      }),
    );
  }

  #tellWhoCame() {
    const now = new Map(this.#room.others().map(({ id, name }) => [id, name]));
    const isFirst = this.#known.size === 0 && now.size > 1;
    for (const [id, name] of now) if (!isFirst && !this.#known.has(id)) this.notice(strings.cameIn(name));
    for (const [id, name] of this.#known) if (!now.has(id)) this.notice(strings.wentAway(name));
    this.#known = now;
  }

  /** @param {'microphone' | 'camera'} source */
  async #toggle(source) {
    const { media } = this.#room;
    const on = !media.isOn(source);
    try {
      await (source === 'microphone' ? media.setMicrophone(on) : media.setCamera(on));
    } catch (error) {
      this.notice(deviceProblem(source, error));
    }
  }

  async #toggleScreen() {
    const { media } = this.#room;
    if (media.isOn('screen')) return media.stopScreen();
    try {
      await media.shareScreen();
    } catch (error) {
      // Whoever closes the browser's picker changed their mind.
      if (/** @type {Error} */ (error).name !== 'NotAllowedError') this.notice(strings.noScreen);
    }
  }

  /** @param {'chat' | 'people'} panel opens it, or closes it when it is open */
  #open(panel) {
    this.#panel = this.#panel === panel ? null : panel;
    this.#panels.chat.hidden = this.#panel !== 'chat';
    this.#panels.people.hidden = this.#panel !== 'people';
    if (this.#panel === 'chat') this.#chat.opened();
    if (this.#panel === 'people') this.#people.opened();
    this.#schedule();
  }

  /**
   * @param {'chat' | 'people'} name
   * @param {string} title
   * @param {HTMLElement} content
   */
  #panelOf(name, title, content) {
    const close = h('button', { type: 'button', className: 'round', 'aria-label': strings.close, onclick: () => this.#open(name) }, icon('close'));
    const panel = h('aside', { className: 'panel', hidden: true, 'aria-label': title }, h('header', {}, h('h2', {}, title), close), content);
    panel.onkeydown = (event) => {
      if (event.key === 'Escape') this.#open(name);
    };
    return panel;
  }

  #copyButton() {
    const link = new URL(location.pathname, location.href).href;
    const copy = () =>
      Promise.resolve(navigator.clipboard?.writeText(link) ?? Promise.reject(new Error('no clipboard'))).then(
        () => this.notice(strings.linkCopied),
        () => this.notice(strings.linkNotCopied(link)),
      );
    return h('button', { type: 'button', className: 'copy', onclick: copy }, icon('link'), h('span', {}, strings.copyLink));
  }
}

/**
 * A plain sentence for a device that could not be opened.
 *
 * @param {'microphone' | 'camera' | 'both'} source
 * @param {unknown} error
 */
export function deviceProblem(source, error) {
  const { name } = /** @type {Error} */ (error);
  if (name === 'SecurityError') return strings.insecure;
  if (name === 'NotAllowedError') return strings.denied;
  return { microphone: strings.noMicrophone, camera: strings.noCamera, both: strings.noDevices }[source];
}
