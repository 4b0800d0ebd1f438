import { Announcer } from './announcer.js';
import { Emitter } from './events.js';
import { plays, sends, sendsSound } from './feeds.js';
import { Mesh } from './mesh.js';
import { NodePeer } from './node-peer.js';
import { Reports } from './reports.js';
import { Session } from './session.js';
import { RequestError } from './signaling.js';
import { Speakers } from './speakers.js';
import { Switch } from './switch.js';

export { LocalMedia } from './media.js';
export { RequestError } from './signaling.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { Incoming } from './mesh.js'
 * @import { ChatLine, ClientMessage, ErrorCode, Feed, Knock, Member, MemberId, Mode, Reaction, Role, Rules,
 *   PathException, RecordingEnd, RecordingSign, ServerMessage, Signal, Source, Want } from './protocol'
 * @import { End, Joined } from './session.js'
 *
 * @typedef {'connecting' | 'unreachable' | 'waiting' | 'joined' | 'reconnecting' | 'ended'} RoomState
 *   `unreachable` until the first attempt that succeeds, `reconnecting` after it
 *
 * @typedef {object} RoomEvents
 * @property {RoomState} state
 * @property {void} members someone came, went or changed
 * @property {void} media tracks, seats or connections changed
 * @property {void} topology
 * @property {void} speakers
 * @property {void} rules what the owner decided changed
 * @property {RecordingEnd | null} recording it began, or why it is over
 * @property {number} draining the node is about to stop: in so many seconds, at most
 * @property {void} knocks who waits to be let in changed; owners alone learn of it
 * @property {ChatLine} chat
 * @property {{from: MemberId, reaction: Reaction}} reaction
 * @property {{code: ErrorCode | 'timeout' | 'closed', message: string}} error something was refused
 * @property {End} ended for good; reconnecting would not help
 */

const SAMPLE_INTERVAL_MS = 1_000;
const VIEW_DELAY_MS = 250;
/** Before that is said again which the node refused as too much at once. */
const PAUSE_MS = 1_000;
const SEATS_MIN = 4;
/** Seats beyond those in use, so that newcomers need no new offer. */
const SEATS_SPARE = 2;
/** The pictures of a mesh come first; the connection to the node is warmed up after them. */
const WARM_UP_MAX_MS = 5_000;

/**
 * A room and everybody in it: keeps the mesh, the connection to the node and the seats in step with
 * what the node says.
 *
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
  #options;
  #session;
  /** @type {Mesh | null} */
  #mesh = null;
  /** @type {NodePeer | null} */
  #node = null;
  #nodeDownSince = 0;
  #switch;
  #announcer;
  #reports;
  #speakers;
  /** @type {RoomState} */
  #state = 'connecting';
  /** @type {number[]} */
  #timers = [];
  #viewTimer = 0;
  /** @type {Want[] | null} */
  #wants = null;
  /** What the node was told last, and through which peer. */
  #viewSaid = '';
  #seatsMax = 25;
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** Since when there is somebody to make a mesh with, on `performance.now()`'s clock. */
  #companySince = 0;
  #isHandUp = false;
  #handTimer = 0;

  /** @type {MemberId} */
  you = '';
  /** @type {Map<MemberId, Member>} in the order of their coming */
  members = new Map();
  /** @type {ChatLine[]} */
  chat = [];
  /** @type {Rules} */
  rules = { locked: false, lobby: false };
  /** @type {RecordingSign | null} the recording that goes on */
  recording = null;
  /** The node has said that it is about to stop. */
  isDraining = false;
  /** @type {Knock[]} */
  waiting = [];

  /**
   * @param {object} options
   * @param {string | URL} options.url of the node's WebSocket
   * @param {string} options.room
   * @param {string} options.name
   * @param {LocalMedia} options.media
   * @param {string} [options.ownerKey] makes us the owner of a room that we make, or made with it
   * @param {boolean} [options.sfuOnly]
   * @param {number} [options.seats] fixes the number of seats
   */
  constructor(options) {
    super();
    this.#options = options;
    const { url, room, name, sfuOnly = false, ownerKey } = options;
    this.#session = new Session(url, { type: 'join', room, name, sfuOnly, ...(ownerKey ? { ownerKey } : {}) });
    this.#announcer = new Announcer(options.media, (message) => this.#ask(message));
    this.#reports = new Reports((message) => this.#ask(message));
    this.#switch = new Switch({
      expected: () => this.others(),
      incoming: (mode, member, feed) => this.#incomingOn(mode, member, feed),
      sample: (mode) => this.#sampleOf(mode),
      seats: () => this.#node?.seatCount ?? 0,
      isUp: (mode, member) => this.#isUp(mode, member),
      hasFailed: (member) => this.#mesh?.hasFailed(member.id) ?? false,
      ready: (epoch) => this.#ask({ type: 'ready', epoch }),
      changed: () => this.emit('media', undefined),
      faded: () => this.#reconcile(),
    });
    this.#speakers = new Speakers({
      level: (id) => this.#mesh?.level(id) ?? 0,
      changed: () => this.emit('speakers', undefined),
    });
    this.#listen();
  }

  get state() {
    return this.#state;
  }

  /** @returns {Mode} the path that media takes, or is being moved off */
  get mode() {
    return this.#switch.holding ?? this.#switch.target ?? 'mesh';
  }

  /** Why media travels as it does, or is about to. */
  get why() {
    return this.#switch.why;
  }

  /** With whom it travels otherwise. */
  get exceptions() {
    return [...this.#switch.exceptions.values()];
  }

  get epoch() {
    return this.#switch.epoch;
  }

  get isSwitching() {
    return this.#switch.target !== null;
  }

  /** Who sits where on the connection to the node. */
  get seats() {
    return this.#node?.plan ?? [];
  }

  get media() {
    return this.#options.media;
  }

  get speakers() {
    return this.#speakers.now;
  }

  get mesh() {
    return this.#mesh;
  }

  get node() {
    return this.#node;
  }

  /** @returns {Role} what we may do */
  get role() {
    return this.members.get(this.you)?.role ?? 'guest';
  }

  others() {
    return [...this.members.values()].filter(({ id }) => id !== this.you);
  }

  /** Joins, and keeps at it until the room ends or `leave` is called. */
  join() {
    return this.#session.start();
  }

  leave() {
    this.#session.leave();
  }

  /** @param {string} text */
  say(text) {
    return this.#ask({ type: 'chat', text });
  }

  /** @param {boolean} raised */
  raiseHand(raised) {
    this.#isHandUp = raised;
    return this.#ask({ type: 'hand', raised });
  }

  /** @param {Reaction} reaction */
  react(reaction) {
    return this.#ask({ type: 'react', reaction });
  }

  /**
   * Holds a source of a member muted, or lets it go. Owners only, as all that follow.
   *
   * @param {MemberId} member
   * @param {Source} source
   * @param {boolean} silenced
   */
  silence(member, source, silenced) {
    return this.#ask({ type: 'silence', member, source, silenced });
  }

  /** @param {MemberId} member */
  lowerHand(member) {
    return this.#ask({ type: 'lowerHand', member });
  }

  /** @param {MemberId} member */
  remove(member) {
    return this.#ask({ type: 'remove', member });
  }

  /** @param {boolean} locked whether nobody new is let in */
  lock(locked) {
    return this.#ask({ type: 'lock', locked });
  }

  /** @param {boolean} enabled whether newcomers wait to be let in */
  setLobby(enabled) {
    return this.#ask({ type: 'lobby', enabled });
  }

  /** @param {boolean} active everyone sees that the room is recorded */
  record(active) {
    return this.#ask({ type: 'record', active });
  }

  /** @param {MemberId} member who waits */
  admit(member) {
    return this.#ask({ type: 'admit', member });
  }

  /** @param {MemberId} member who waits */
  deny(member) {
    return this.#ask({ type: 'deny', member });
  }

  /** Ends the room for everyone. */
  end() {
    return this.#ask({ type: 'end' });
  }

  /**
   * What should sit on the seats, most wanted first.
   *
   * @param {Want[]} wants
   */
  view(wants) {
    if (JSON.stringify(wants) === JSON.stringify(this.#wants)) return;
    this.#wants = wants;
    window.clearTimeout(this.#viewTimer);
    this.#viewTimer = window.setTimeout(() => this.#sayView(), VIEW_DELAY_MS);
  }

  /**
   * The best there is of a feed: during a switch the new path as soon as it plays, else the old.
   *
   * @param {Member} member
   * @param {Feed} feed
   * @returns {Incoming | null}
   */
  incoming(member, feed) {
    return this.#switch.pick(member, feed);
  }

  /**
   * Makes a direct path anew on which pictures are decoded and the browser shows none of them.
   *
   * @param {Member} member
   */
  rebuild(member) {
    this.#mesh?.rebuild(member.id);
  }

  #listen() {
    const session = this.#session;
    session.on('waiting', () => this.#setState('waiting'));
    session.on('joined', (joined) => this.#settle(joined));
    session.on('resumed', ({ iceServers }) => this.#comeBack(iceServers));
    session.on('message', (message) => this.#hear(message));
    session.on('lost', () => this.#setState(this.you ? 'reconnecting' : 'unreachable'));
    session.on('ended', (end) => this.#end(end));
    this.media.on('change', () => this.#syncMedia());
    window.addEventListener('pagehide', () => this.leave());
    for (const [target, name] of networkEvents()) target.addEventListener(name, this.#onNetworkChange);
  }

  /** @param {Joined} joined */
  #settle({ you, members, topology, exceptions, iceServers, limits, history, rules, waiting, recording }) {
    this.#dropPaths();
    this.you = you;
    this.members = new Map(members.map((member) => [member.id, member]));
    this.#seeYourself();
    this.chat = history;
    this.rules = rules;
    this.recording = recording ?? null;
    this.isDraining = false;
    this.waiting = waiting;
    this.#seatsMax = limits.seats;
    this.#iceServers = iceServers;
    this.#announcer.reset();
    this.#reports.reset();
    this.#mesh = this.#makeMesh(you);
    this.#switch.enter(topology, exceptions);
    this.#startTimers();
    this.#announcer.sync(null);
    if (this.#isHandUp) this.raiseHand(true);
    this.#reconcile();
    this.#setState('joined');
    for (const name of /** @type {const} */ (['members', 'topology', 'rules', 'knocks'])) this.emit(name, undefined);
    this.emit('recording', null);
  }

  /**
   * The WebSocket is back, and we are who we were. What we said last may not have arrived, so it is
   * said again; the media never stopped.
   *
   * @param {RTCIceServer[]} iceServers
   */
  #comeBack(iceServers) {
    this.#useServers(iceServers);
    this.#announcer.reset();
    this.#announcer.sync(this.#node);
    this.#reports.reset();
    this.#switch.resume();
    this.#mesh?.repeat();
    this.#node?.resume();
    this.#viewSaid = '';
    this.#sayView();
    this.raiseHand(this.#isHandUp);
    this.#setState('joined');
  }

  /** @param {RTCIceServer[]} iceServers */
  #useServers(iceServers) {
    this.#iceServers = iceServers;
    this.#mesh?.syncServers();
    this.#node?.useServers(iceServers);
  }

  /** @param {MemberId} you */
  #makeMesh(you) {
    return new Mesh({
      you,
      media: this.media,
      iceServers: () => this.#iceServers,
      send: (to, signal) => this.#signal(to, signal),
      changed: () => this.emit('media', undefined),
      expects: (from) => this.#isSending(this.members.get(from)),
      silent: () => this.#session.verify(),
    });
  }

  /**
   * @param {MemberId} to
   * @param {Signal} signal
   */
  async #signal(to, signal) {
    try {
      await this.#session.request({ type: 'signal', to, epoch: this.epoch, ...signal });
    } catch (error) {
      const { code, message } = /** @type {RequestError} */ (error);
      if (code === 'tooFast') window.setTimeout(() => this.#mesh?.repeat(to), PAUSE_MS);
      // Signals to someone who left meanwhile are refused without harm.
      else if (!['noSuchMember', 'staleEpoch', 'closed', 'timeout'].includes(code)) this.emit('error', { code, message });
    }
  }

  /** @param {ServerMessage} message */
  #hear(message) {
    switch (message.type) {
      case 'member':
        return this.#meet(message.member);
      case 'left':
        this.members.delete(message.member);
        this.#reconcile();
        return this.emit('members', undefined);
      case 'signal':
        if (this.#switch.isOfMesh(message.epoch)) this.#mesh?.receive(message.from, message);
        return;
      case 'seats':
        return this.#node?.setPlan(message.seats);
      case 'undecodable':
        return this.#node?.setUndecodable(message.pictures);
      case 'encode':
        return void this.#node?.encode(message.source, message.codec);
      case 'iceServers':
        return this.#useServers(message.iceServers);
      case 'switch':
        return this.#turn(() => this.#switch.begin(message));
      case 'commit':
        return this.#turn(() => this.#switch.settle(message));
      case 'rollback':
        this.#turn(() => this.#switch.settle({ mode: message.mode, epoch: message.epoch }));
        if (message.mode === 'mesh') this.#mesh?.renew();
        return;
      case 'paths':
        return this.#except(message.exceptions);
      case 'chat': {
        const { from, name, text, atMs } = message;
        this.chat.push({ from, name, text, atMs });
        return this.emit('chat', { from, name, text, atMs });
      }
      case 'reaction':
        return this.emit('reaction', { from: message.from, reaction: message.reaction });
      case 'rules':
        this.rules = { locked: message.locked, lobby: message.lobby };
        return this.emit('rules', undefined);
      case 'recording':
        this.recording = message.recording ?? null;
        return this.emit('recording', message.ended ?? null);
      case 'draining':
        this.isDraining = true;
        return this.emit('draining', message.seconds);
      case 'knocks':
        this.waiting = message.waiting;
        return this.emit('knocks', undefined);
      case 'speakers':
        return this.#speakers.hear(message.members);
      case 'error':
        return this.emit('error', { code: message.code, message: message.message });
    }
  }

  /** @param {Member} member who came, or changed */
  #meet(member) {
    const before = this.members.get(member.id);
    this.members.set(member.id, member);
    if (member.id === this.you) this.#obey(member);
    // Our offer may have been among what they missed, or their answer among what was lost.
    if (before?.presence === 'reconnecting' && member.presence === 'here') this.#mesh?.repeat(member.id);
    this.#reconcile();
    this.emit('members', undefined);
  }

  /** @param {Member} you as the node sees us: what the owner holds muted falls silent here too */
  #obey(you) {
    this.#isHandUp = you.handMs !== undefined;
    this.media.hold(you.silenced);
    this.#seeYourself();
  }

  /** @param {PathException[]} exceptions */
  #except(exceptions) {
    const before = this.#switch.exceptions;
    this.#turn(() => this.#switch.except(exceptions));
    // What was begun before it was agreed on was refused.
    for (const { member, path } of exceptions) {
      if (path === 'direct' && before.get(member)?.path !== 'direct') this.#mesh?.repeat(member);
    }
  }

  /** @param {() => void} step of the topology */
  #turn(step) {
    step();
    this.#reconcile();
    this.emit('topology', undefined);
    this.emit('media', undefined);
  }

  /** Makes the paths what members and topology ask for; safe to repeat. */
  #reconcile() {
    const others = this.others();
    const pairs = others.filter((member) => this.#switch.usesPair(member)).map(({ id }) => id);
    this.#mesh?.reconcile(pairs, this.#switch.builds('mesh') || !this.#switch.uses('mesh'));
    this.#reconcileNode();
    this.#speakers.listen(this.mode === 'mesh' ? others.map(({ id }) => id) : null);
  }

  /** In a room with others the connection to the node stays, and is warm while nobody needs it. */
  #reconcileNode() {
    const isNeeded = this.#switch.usesNode;
    const hasCompany = this.members.size > 1;
    if (!hasCompany) this.#companySince = 0;
    else this.#companySince ||= performance.now();
    if (this.#node && !isNeeded && !hasCompany) this.#dropNode();
    if (!this.#node && (isNeeded || (hasCompany && this.#isTimeToWarmUp()))) {
      this.#node = this.#openNode();
      this.#sayView();
    }
    if (!this.#node) return;
    this.#node.setSending(isNeeded);
    if (this.#seatsNeeded() > this.#node.seatCount) this.#node.growTo(this.#seatsWanted());
  }

  #isTimeToWarmUp() {
    const waited = performance.now() - this.#companySince;
    return waited > WARM_UP_MAX_MS || (waited > SAMPLE_INTERVAL_MS && this.others().every((member) => this.#isSeen(member)));
  }

  /** @param {Member} member */
  #isSeen(member) {
    const incoming = this.#incomingOn('mesh', member, 'camera');
    return this.#isUp('mesh', member) && Boolean(incoming && plays(member, 'camera', incoming));
  }

  #openNode() {
    const peer = new NodePeer({
      media: this.media,
      iceServers: this.#iceServers,
      seats: this.#options.seats ?? Math.max(SEATS_MIN, this.#seatsWanted()),
      isSending: this.#switch.usesNode,
      downSince: this.#nodeDownSince,
      expects: () => this.seats.some((seat) => seat && this.#isSending(this.members.get(seat.member), peer.isBlind(seat.member, 'camera'))),
      silent: () => this.#session.verify(),
      lost: () => this.#reopenNode(peer),
      request: async (sdp, fresh) => {
        const answer = this.#session.request({ type: 'offer', sdp, epoch: this.epoch, fresh });
        this.#announcer.sync(peer);
        const reply = await answer;
        if (reply.type !== 'answer') throw new RequestError('malformed', 'The node gave a strange answer.');
        return reply.sdp;
      },
      changed: () => {
        this.#reports.node(peer);
        this.emit('media', undefined);
      },
    });
    return peer;
  }

  /** @param {NodePeer} peer */
  #reopenNode(peer) {
    if (this.#node !== peer) return;
    this.#dropNode();
    this.#nodeDownSince = peer.downSince;
    this.#reconcile();
  }

  #seatsNeeded() {
    if (this.#options.seats) return 0;
    const screens = this.others().filter(({ published }) => published.some(({ source }) => source === 'screen'));
    return Math.min(this.#seatsMax, this.members.size - 1 + screens.length);
  }

  #seatsWanted() {
    return Math.min(this.#seatsMax, this.#seatsNeeded() + 1 + SEATS_SPARE);
  }

  #dropNode() {
    this.#node?.close();
    this.#node = null;
    this.#nodeDownSince = 0;
    this.#viewSaid = '';
  }

  #dropPaths() {
    this.#mesh?.close();
    this.#mesh = null;
    this.#dropNode();
    this.#companySince = 0;
    this.#switch.stop();
    this.#speakers.listen(null);
    for (const timer of this.#timers.splice(0)) window.clearInterval(timer);
  }

  #startTimers() {
    this.#timers.push(window.setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS));
  }

  async #sample() {
    await Promise.all([this.#sampleOf('mesh'), this.#sampleOf('sfu')]);
    if (this.#mesh && this.#state === 'joined') {
      this.#reports.pairs(this.#mesh, this.members, this.epoch);
      this.#reports.strain(this.mode === 'mesh' && !this.isSwitching ? this.#mesh : null);
      this.#reconcile();
    }
    this.emit('media', undefined);
  }

  #syncMedia() {
    this.#seeYourself();
    this.#mesh?.syncTracks();
    this.#node?.syncTracks();
    if (this.#state === 'joined') this.#announcer.sync(this.#node);
    this.emit('media', undefined);
  }

  /** Of what we send we know more, and sooner, than the node. */
  #seeYourself() {
    const you = this.members.get(this.you);
    if (you) this.members.set(this.you, { ...you, published: this.media.published() });
  }

  #sayView() {
    const said = `${this.#node?.generation} ${JSON.stringify(this.#wants)}`;
    if (!this.#node || !this.#wants?.length || said === this.#viewSaid) return;
    this.#viewSaid = said;
    this.#ask({ type: 'view', wants: this.#wants });
  }

  /**
   * @param {Member | undefined} member
   * @param {boolean} [isBlind] whether nothing can come of their picture
   */
  #isSending(member, isBlind = false) {
    return Boolean(member && member.presence === 'here' && (isBlind ? sendsSound : sends)(member, 'camera'));
  }

  /**
   * @param {Mode} mode
   * @param {Member} member
   * @param {Feed} feed
   */
  #incomingOn(mode, member, feed) {
    return (mode === 'mesh' ? this.#mesh?.incoming(member, feed) : this.#node?.incoming(member.id, feed)) ?? null;
  }

  /**
   * @param {Mode} mode
   * @param {Member} member
   */
  #isUp(mode, member) {
    return mode === 'mesh' ? Boolean(this.#mesh?.isConnected(member.id)) : this.#node?.state === 'connected';
  }

  /** @param {Mode} mode */
  async #sampleOf(mode) {
    if (mode === 'mesh') await this.#mesh?.sample();
    else await this.#node?.meter.sample();
  }

  /** Another network: whatever path there was may be gone, and ICE is slow to notice. */
  #onNetworkChange = () => {
    if (this.#state !== 'joined' && this.#state !== 'reconnecting') return;
    this.#session.verify();
    this.#mesh?.restart();
    if (this.#node?.state !== undefined && this.#node.state !== 'new') this.#node.restart();
  };

  /**
   * Says something whose refusal is shown rather than handled.
   *
   * @param {ClientMessage} message
   */
  async #ask(message) {
    try {
      await this.#session.request(message);
      return true;
    } catch (error) {
      const { code, message: text } = /** @type {RequestError} */ (error);
      if (code === 'tooFast' && this.#sayLater(message)) return true;
      const isRace = code === 'staleEpoch' || (code === 'noSuchMember' && message.type !== 'admit');
      if (code !== 'closed' && !isRace) this.emit('error', { code, message: text });
      return false;
    }
  }

  /**
   * What tells the node how we are holds again in a moment: nobody has to be told that it was too much.
   *
   * @param {ClientMessage} message that was
   * @returns {boolean} whether that is all there is to it
   */
  #sayLater(message) {
    switch (message.type) {
      case 'publish':
      case 'mute':
      case 'unpublish':
        this.#announcer.pause();
        return true;
      case 'view':
        this.#viewSaid = '';
        window.clearTimeout(this.#viewTimer);
        this.#viewTimer = window.setTimeout(() => this.#sayView(), PAUSE_MS);
        return true;
      case 'hand':
        window.clearTimeout(this.#handTimer);
        this.#handTimer = window.setTimeout(() => this.raiseHand(this.#isHandUp), PAUSE_MS);
        return true;
      case 'ready':
      case 'pair':
      case 'unreachable':
      case 'strain':
        window.setTimeout(() => this.#ask(message), PAUSE_MS);
        return true;
      // One sign among many.
      case 'react':
        return true;
      default:
        return false;
    }
  }

  /** @param {End} end */
  #end(end) {
    this.#setState('ended');
    window.clearTimeout(this.#viewTimer);
    window.clearTimeout(this.#handTimer);
    this.#announcer.reset();
    for (const [target, name] of networkEvents()) target.removeEventListener(name, this.#onNetworkChange);
    this.#dropPaths();
    this.emit('ended', end);
  }

  /** @param {RoomState} state */
  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.emit('state', state);
  }
}

/** @returns {[EventTarget, string][]} what tells of another network; Safari and Firefox know only the first */
function networkEvents() {
  const { connection } = /** @type {{connection?: EventTarget}} */ (navigator);
  return [[window, 'online'], ...(connection ? [/** @type {[EventTarget, string]} */ ([connection, 'change'])] : [])];
}
