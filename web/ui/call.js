import { at } from '../base.js';
import { errors, strings } from '../strings.js';
import { Attention } from './attention.js';
import { Bar } from './bar.js';
import { CallActions, deviceProblem } from './call-actions.js';
import { Chat } from './chat.js';
import { Devices } from './call-devices.js';
import { DrainingSign } from './draining-sign.js';
import { h, icon, setText } from './dom.js';
import { copyRoomLink, linkButton, openCode } from './invite.js';
import { Menu } from './menu.js';
import { Notices } from './notices.js';
import { fullScreen, PictureInPicture } from './outside.js';
import { OwnLevel } from './own-level.js';
import { People } from './people.js';
import { reactionItems } from './reactions.js';
import { handsOf } from './member.js';
import { ForwardSign } from './forward-sign.js';
import { RecordingSign } from './recording-sign.js';
import { SettingsDialog } from './settings.js';
import { openHelp, Shortcuts } from './shortcuts.js';
import { Sounds } from './sound.js';
import { Stage } from './stage.js';
import { statusOf } from './status.js';
import { WakeLock } from './wake-lock.js';

/**
 * @import { Room } from '../motet.js'
 * @import { Feed, MemberId, Reaction } from '../protocol'
 * @import { ToolName } from './bar.js'
 * @import { Item } from './menu.js'
 *
 * @typedef {'chat' | 'people'} PanelName
 */

export { deviceProblem };

/** Changes within this time make one update: during a switch there are hundreds a second. */
const UPDATE_MS = 50;
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
  #actions;
  #devices;
  #shortcuts;
  #ownLevel;
  #attention;
  #wakeLock = new WakeLock();
  #menu = new Menu();
  #notices = new Notices();
  #outside = new PictureInPicture(() => this.#attention?.check());
  #dot = h('span', { className: 'state-dot', 'aria-hidden': 'true' });
  #recording;
  #draining;
  #forwarded;
  #status = h('p', { className: 'status', role: 'status' });
  #hear = h('button', { type: 'button', className: 'hear', hidden: true });
  #alone;
  #panels;
  /** @type {PanelName | null} */
  #panel = null;
  /** @type {HTMLElement | null} what gets the focus back when the panel is closed */
  #before = null;
  /** @type {Map<MemberId, string>} names by id, to tell who came and went */
  #known = new Map();
  /** @type {MemberId[]} */
  #hands = [];
  #frame = 0;
  element;

  /**
   * @param {Room} room
   * @param {string} name of the room
   */
  constructor(room, name) {
    this.#room = room;
    const update = () => this.#schedule();
    this.#ownLevel = new OwnLevel(room.media, update);
    this.#attention = new Attention(() => this.#outside.isOpen, update);
    this.#stage = new Stage(room, {
      menu: (anchor, show) => this.#menu.toggle(anchor, strings.moreAbout(show.member.name), this.#actions.tileItems(show)),
      isSpeaking: () => this.#ownLevel.isSpeaking,
      isAway: () => this.#attention.isAway,
    });
    this.#bar = new Bar({
      press: (tool, anchor) => this.#press(tool, anchor),
      choose: (source, anchor) => this.#devices.choose(source, anchor),
      absent: this.#absent(),
    });
    this.#chat = new Chat(room, (unread) => this.#setUnread(unread));
    this.#people = new People(room, (anchor, member) => this.#menu.toggle(anchor, strings.moreAbout(member.name), this.#actions.memberItems(member)));
    this.#sounds = new Sounds((isBlocked) => (this.#hear.hidden = !isBlocked));
    this.#hear.append(icon('sound'), h('span', {}, strings.clickToHear));
    this.#hear.title = strings.clickToHearHint;
    this.#hear.onclick = () => this.#sounds.resume();
    const say = (/** @type {string} */ text) => this.notice(text);
    this.#recording = new RecordingSign(room, say);
    this.#draining = new DrainingSign(room, say);
    this.#forwarded = new ForwardSign(room);
    this.#alone = h('div', { className: 'waiting' }, h('p', {}, strings.alone), h('p', { className: 'quiet' }, strings.aloneHint), linkButton(say));
    this.#panels = {
      chat: this.#panelOf('chat', strings.chat, this.#chat.element),
      people: this.#panelOf('people', strings.people, this.#people.element),
    };
    this.#stage.element.append(this.#alone);
    // Within a landmark, wherever it opens.
    this.#bar.element.append(this.#menu.element);
    const mark = h('img', { src: at('icon.svg'), alt: '', width: 24, height: 24 });
    this.element = h(
      'div',
      { className: 'call' },
      h('header', { className: 'top' }, mark, h('h1', { title: name }, name), this.#dot, this.#status, this.#draining.element, this.#recording.element, this.#forwarded.element, linkButton(say)),
      h('div', { className: 'middle' }, this.#stage.element, this.#panels.chat, this.#panels.people),
      this.#bar.element,
      this.#hear,
      this.#notices.element,
      this.#sounds.element,
    );
    this.#actions = new CallActions(room, {
      element: this.element,
      say,
      showDetails: (member) => {
        this.#open('people', true);
        this.#people.show(member.id);
      },
      isPinned: (id) => this.#stage.isPinned(id),
      pin: (id) => this.#stage.pin(id),
    });
    this.#devices = new Devices(room.media, this.#menu, { say, problem: (source, error) => say(deviceProblem(source, error)) });
    this.#shortcuts = this.#keys();
    this.#listen();
  }

  /** @param {string} text said once, and gone after a while */
  notice(text) {
    this.#notices.say(text);
  }

  #listen() {
    const room = this.#room;
    for (const name of /** @type {const} */ (['media', 'members', 'speakers', 'topology', 'state', 'rules', 'knocks', 'recording', 'draining'])) {
      room.on(name, () => this.#schedule());
    }
    room.on('reaction', ({ from, reaction }) => this.#reacted(from, reaction));
    room.on('members', () => this.#tellWhoCame());
    room.on('chat', (line) => this.#chat.add(line));
    room.on('state', (state) => {
      if (state === 'joined') this.#chat.fill();
      if (state === 'ended') this.#end();
    });
    room.on('error', ({ code, message }) => this.notice(code === 'limit' || code === 'badOffer' ? message : errors[code]));
    this.#schedule();
  }

  #keys() {
    return new Shortcuts({
      microphone: () => this.#actions.toggle('microphone'),
      camera: () => this.#actions.toggle('camera'),
      screen: () => this.#actions.toggleScreen(),
      hand: () => this.#actions.toggleHand(),
      chat: () => this.#open('chat'),
      people: () => this.#open('people'),
      view: () => this.#setView(this.#stage.view === 'grid' ? 'speaker' : 'grid'),
      fullScreen: () => fullScreen.toggle(),
      escape: () => this.#panel && this.#open(this.#panel),
      turn: (step) => this.#stage.turn(step),
      react: (reaction) => this.#actions.react(reaction),
      help: () => openHelp(this.element),
      isMuted: () => !this.#room.media.isOn('microphone'),
      talk: (on) => this.#actions.setMicrophone(on),
    });
  }

  /** Many changes at once make one update. A page in the background still updates. */
  #schedule() {
    if (this.#frame) return;
    this.#frame = window.setTimeout(() => {
      this.#frame = 0;
      this.#update();
    }, UPDATE_MS);
  }

  #update() {
    if (this.#room.state === 'ended') return this.#sounds.reconcile([]);
    this.#stage.update();
    this.#people.update();
    this.#sounds.reconcile(this.#voices());
    this.#updateBar();
    this.#updateOwner();
    this.#alone.hidden = this.#room.state !== 'joined' || this.#room.members.size !== 1;
    const { text, tone } = statusOf(this.#room);
    setText(this.#status, text);
    this.#status.title = text;
    this.#dot.dataset.tone = tone;
    this.#dot.hidden = text === '';
    this.#recording.update();
    this.#draining.update();
    this.#forwarded.update();
    this.#outside.follow(this.#activeTrack());
  }

  #updateBar() {
    const { media } = this.#room;
    this.#bar.update({
      microphone: media.isOn('microphone'),
      isHeld: this.#actions.isHeld,
      camera: media.isOn('camera'),
      screen: media.isOn('screen'),
      hand: this.#actions.isHandUp,
      chat: this.#panel === 'chat',
      people: this.#panel === 'people',
      speakerView: this.#stage.view === 'speaker',
    });
  }

  #updateOwner() {
    const { role, waiting } = this.#room;
    const isOwner = role === 'owner';
    this.#bar.setWaiting(isOwner ? waiting.length : 0);
    this.#bar.setLeaveMenu(isOwner);
    // The list of people says it too; twice on the same screen would be once too often.
    this.#notices.setWaiting(isOwner && this.#panel !== 'people' ? waiting : [], this.#room);
  }

  /** What goes on outside the page ends with the call. */
  #end() {
    this.#shortcuts.close();
    this.#wakeLock.release();
    this.#ownLevel.close();
    this.#attention.close();
    this.#outside.close();
    this.#devices.close();
    this.#setUnread(0);
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

  /** The picture of who speaks, or spoke last. */
  #activeTrack() {
    const others = this.#room.others();
    const isShown = (/** @type {Feed} */ feed) => (/** @type {typeof others[number]} */ { published }) =>
      published.some(({ source, muted }) => source === feed && !muted);
    const active = others.filter(isShown('camera'));
    const member = active.find(({ id }) => id === this.#stage.active) ?? active[0];
    return member ? (this.#room.incoming(member, 'camera')?.video ?? null) : null;
  }

  #tellWhoCame() {
    const now = new Map(this.#room.others().map(({ id, name }) => [id, name]));
    const isFirst = this.#known.size === 0 && now.size > 1;
    for (const [id, name] of now) if (!isFirst && !this.#known.has(id)) this.notice(strings.cameIn(name));
    for (const [id, name] of this.#known) if (!now.has(id)) this.notice(strings.wentAway(name));
    this.#known = now;
    const hands = handsOf(this.#room.others());
    for (const id of hands) if (!this.#hands.includes(id)) this.notice(strings.handWasRaised(now.get(id) ?? ''));
    this.#hands = hands;
  }

  /**
   * @param {MemberId} from
   * @param {Reaction} reaction
   */
  #reacted(from, reaction) {
    this.#stage.react(from, reaction);
    const name = this.#room.members.get(from)?.name ?? '';
    this.#notices.whisper(strings.reacted(name, strings.reactions[reaction] ?? reaction));
  }

  /**
   * @param {ToolName} tool
   * @param {HTMLElement} anchor
   */
  #press(tool, anchor) {
    const actions = this.#actions;
    switch (tool) {
      case 'microphone':
      case 'camera':
        return actions.toggle(tool);
      case 'screen':
        return actions.toggleScreen();
      case 'hand':
        return actions.toggleHand();
      case 'chat':
      case 'people':
        return this.#open(tool);
      case 'react':
        return this.#menu.toggle(anchor, strings.react, reactionItems((reaction) => actions.react(reaction)), { isRow: true });
      case 'view':
        return this.#menu.toggle(anchor, strings.view, this.#viewItems());
      case 'more':
        return this.#menu.toggle(anchor, strings.more, this.#moreItems(anchor));
      case 'leave':
        if (this.#room.role !== 'owner') return this.#room.leave();
        return this.#menu.toggle(anchor, strings.leave, actions.leaveItems());
    }
  }

  /** @returns {Item[]} */
  #viewItems() {
    return [
      { label: strings.gridView, checked: this.#stage.view === 'grid', act: () => this.#setView('grid') },
      { label: strings.speakerView, checked: this.#stage.view === 'speaker', act: () => this.#setView('speaker') },
    ];
  }

  /**
   * What had no place in the bar, and what is needed rarely.
   *
   * @param {HTMLElement} anchor
   * @returns {Item[]}
   */
  #moreItems(anchor) {
    /** @type {Item[]} */
    const items = this.#bar.overflowed.map(({ name, label, symbol }) => ({
      label,
      icon: symbol,
      // A menu that this opens stands where this one was, once this one is closed.
      act: () => window.setTimeout(() => this.#press(name, anchor)),
    }));
    const say = (/** @type {string} */ text) => this.notice(text);
    items.push({ label: strings.copyLink, icon: 'link', act: () => copyRoomLink(say) });
    items.push({ label: strings.showCode, icon: 'code', act: () => openCode(this.element) });
    if (fullScreen.isPossible) {
      items.push({ label: fullScreen.isOn ? strings.leaveFullScreen : strings.fullScreen, icon: fullScreen.isOn ? 'unfull' : 'full', hint: 'f', act: () => fullScreen.toggle() });
    }
    if (PictureInPicture.isPossible && (this.#outside.isOpen || this.#activeTrack())) {
      const label = this.#outside.isOpen ? strings.leavePictureInPicture : strings.pictureInPicture;
      items.push({ label, icon: 'pip', act: () => this.#outside.toggle(this.#activeTrack()).catch(() => {}) });
    }
    items.push({ label: strings.shortcutsTitle, icon: 'keys', hint: '?', act: () => openHelp(this.element) });
    items.push({ label: strings.settings, icon: 'sliders', act: () => new SettingsDialog({ media: this.#room.media, inRoom: true }).open() });
    return items;
  }

  /** @returns {ToolName[]} what this browser cannot do */
  #absent() {
    if (!navigator.mediaDevices?.getDisplayMedia) return ['screen'];
    return [];
  }

  /** @param {'grid' | 'speaker'} view */
  #setView(view) {
    this.#stage.setView(view);
    this.#schedule();
  }

  /** @param {number} count of unread lines of chat */
  #setUnread(count) {
    this.#bar.setUnread(count);
    const title = document.title.replace(/^\(\d+\) /, '');
    document.title = count > 0 ? `(${count}) ${title}` : title;
  }

  /**
   * @param {PanelName} panel opens it, or closes it when it is open
   * @param {boolean} [stays] leaves it open when it is
   */
  #open(panel, stays = false) {
    if (stays && this.#panel === panel) return;
    const closed = this.#panel;
    if (!closed) this.#before = /** @type {HTMLElement | null} */ (document.activeElement);
    this.#panel = closed === panel ? null : panel;
    this.#panels.chat.hidden = this.#panel !== 'chat';
    this.#panels.people.hidden = this.#panel !== 'people';
    if (closed === 'chat') this.#chat.closed();
    if (this.#panel === 'chat') this.#chat.opened();
    if (this.#panel === 'people') this.#people.opened();
    if (closed && !this.#panel) this.#leavePanel(this.#panels[closed]);
    this.#schedule();
  }

  /** @param {HTMLElement} panel that is closed */
  #leavePanel(panel) {
    this.#before?.focus();
    // Browsers take the focus off what is hidden only when they draw the next time.
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    if (focused && panel.contains(focused)) focused.blur();
  }

  /**
   * @param {PanelName} name
   * @param {string} title
   * @param {HTMLElement} content
   */
  #panelOf(name, title, content) {
    const close = h('button', { type: 'button', className: 'round', title: strings.close, 'aria-label': strings.close, onclick: () => this.#open(name) }, icon('close'));
    const panel = h('aside', { className: 'panel', hidden: true, 'aria-label': title }, h('header', {}, h('h2', {}, title), close), content);
    panel.onkeydown = (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      event.preventDefault();
      this.#open(name);
    };
    return panel;
  }
}
