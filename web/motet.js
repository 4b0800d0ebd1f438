import { Announcer } from './announcer.js';
import { Emitter } from './events.js';
import { Mesh } from './mesh.js';
import { NodePeer } from './node-peer.js';
import { RequestError, Signaling } from './signaling.js';
import { Speakers } from './speakers.js';
import { Switch } from './switch.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { Incoming } from './mesh.js'
 * @import { ChatLine, ErrorCode, Feed, Member, MemberId, Mode, Reason, ServerMessage, Want } from './protocol'
 *
 * @typedef {'connecting' | 'joined' | 'reconnecting' | 'ended'} RoomState
 *
 * @typedef {object} RoomEvents
 * @property {RoomState} state
 * @property {void} members someone came, went or changed
 * @property {void} media tracks, seats or connections changed
 * @property {void} topology
 * @property {void} speakers
 * @property {ChatLine} chat
 * @property {{code: ErrorCode | 'timeout' | 'closed', message: string}} error something was refused
 * @property {{reason: Reason | null, error: RequestError | null}} ended for good; reconnecting would not help
 */

const SAMPLE_INTERVAL_MS = 1_000;
const RECONNECT_FIRST_MS = 500;
const RECONNECT_MAX_MS = 10_000;
const VIEW_DELAY_MS = 100;
const SEATS_MIN = 4;
/** Seats beyond those in use, so that newcomers need no new offer. */
const SEATS_SPARE = 2;

/** A `bye` for one of these is for good. */
const FINAL = /** @type {readonly Reason[]} */ (['left', 'misbehaved', 'roomClosed']);

/**
 * A room and everybody in it: keeps the connection to the node, the mesh and the seats in step with
 * what the node says.
 *
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
  #url;
  #options;
  /** @type {Signaling | null} */
  #signaling = null;
  /** @type {Mesh | null} */
  #mesh = null;
  /** @type {NodePeer | null} */
  #node = null;
  #switch;
  #announcer;
  #speakers;
  /** @type {RoomState} */
  #state = 'connecting';
  #attempts = 0;
  /** @type {number[]} */
  #timers = [];
  #retryTimer = 0;
  #viewTimer = 0;
  /** @type {Want[] | null} */
  #wants = null;
  /** What the node was told last, and through which peer. */
  #viewSaid = '';
  #seatsMax = 25;
  /** @type {RTCIceServer[]} */
  #iceServers = [];

  /** @type {MemberId} */
  you = '';
  /** @type {Map<MemberId, Member>} in the order of their coming */
  members = new Map();
  /** @type {ChatLine[]} */
  chat = [];

  /**
   * @param {object} options
   * @param {string | URL} options.url of the node's WebSocket
   * @param {string} options.room
   * @param {string} options.name
   * @param {LocalMedia} options.media
   * @param {boolean} [options.sfuOnly]
   * @param {number} [options.seats] fixes the number of seats
   */
  constructor(options) {
    super();
    this.#url = options.url;
    this.#options = options;
    this.#announcer = new Announcer(options.media, (message) => this.#ask(message));
    this.#switch = new Switch({
      expected: () => this.others(),
      incoming: (mode, member, feed) => this.#incomingOn(mode, member, feed),
      sample: (mode) => this.#sampleOf(mode),
      seats: () => this.#node?.seatCount ?? 0,
      isUp: (mode, member) => this.#isUp(mode, member),
      ready: (epoch) => this.#ask({ type: 'ready', epoch }),
      changed: () => this.emit('media', undefined),
    });
    this.#speakers = new Speakers({
      level: (id) => this.#mesh?.level(id) ?? 0,
      changed: () => this.emit('speakers', undefined),
    });
    options.media.on('change', () => this.#syncMedia());
    window.addEventListener('online', () => {
      if (this.#retryTimer) this.#retryNow();
    });
    window.addEventListener('pagehide', () => this.leave());
  }

  get state() {
    return this.#state;
  }

  /** @returns {Mode} the path that media takes, or is being moved off */
  get mode() {
    return this.#switch.holding ?? this.#switch.target ?? 'mesh';
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

  others() {
    return [...this.members.values()].filter(({ id }) => id !== this.you);
  }

  /** Joins, and keeps at it until the room ends or `leave` is called. */
  async join() {
    try {
      const signaling = await Signaling.connect(this.#url);
      if (this.#state === 'ended') return signaling.close();
      await this.#enter(signaling);
    } catch (error) {
      const refused = error instanceof RequestError && error.code !== 'closed' && error.code !== 'timeout';
      if (refused) this.#end(null, error);
      else this.#retry();
    }
  }

  leave() {
    this.#signaling?.tell({ type: 'bye' });
    this.#end('left', null);
  }

  /** @param {string} text */
  say(text) {
    return this.#ask({ type: 'chat', text });
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

  /** @param {Signaling} signaling */
  async #enter(signaling) {
    this.#signaling = signaling;
    signaling.on('closed', () => this.#lost(signaling));
    signaling.on('message', (message) => {
      if (this.#signaling === signaling) this.#hear(message);
    });
    const { room, name, sfuOnly = false } = this.#options;
    const joined = await signaling.request({ type: 'join', room, name, sfuOnly });
    if (joined.type !== 'joined') throw new RequestError('malformed', 'The node gave a strange answer.');
    this.#attempts = 0;
    this.#settle(joined);
  }

  /** @param {Extract<ServerMessage, {type: 'joined'}>} joined */
  #settle({ you, members, topology, iceServers, limits, history }) {
    this.#dropPaths();
    this.you = you;
    this.members = new Map(members.map((member) => [member.id, member]));
    this.#seeYourself();
    this.chat = history;
    this.#seatsMax = limits.seats;
    this.#iceServers = iceServers;
    this.#announcer.reset();
    this.#mesh = new Mesh({
      you,
      media: this.media,
      iceServers,
      send: (to, signal) => this.#signaling?.tell({ type: 'signal', to, epoch: this.epoch, ...signal }),
      changed: () => this.emit('media', undefined),
    });
    this.#switch.enter(topology);
    this.#startTimers();
    this.#announcer.sync(null);
    this.#reconcile();
    this.#setState('joined');
    this.emit('members', undefined);
    this.emit('topology', undefined);
  }

  /** @param {ServerMessage} message */
  #hear(message) {
    switch (message.type) {
      case 'member':
        this.members.set(message.member.id, message.member);
        this.#reconcile();
        return this.emit('members', undefined);
      case 'left':
        this.members.delete(message.member);
        this.#reconcile();
        return this.emit('members', undefined);
      case 'signal':
        if (this.#switch.isOfMesh(message.epoch)) this.#mesh?.receive(message.from, message);
        return;
      case 'seats':
        return this.#node?.setPlan(message.seats);
      case 'switch':
        return this.#turn(() => this.#switch.begin(message));
      case 'commit':
        return this.#turn(() => this.#switch.settle(message));
      case 'rollback':
        this.#turn(() => this.#switch.settle(message));
        if (message.mode === 'mesh') this.#mesh?.renew();
        return;
      case 'chat': {
        const { from, name, text, atMs } = message;
        this.chat.push({ from, name, text, atMs });
        return this.emit('chat', { from, name, text, atMs });
      }
      case 'speakers':
        return this.#speakers.hear(message.members);
      case 'error':
        // Signals to someone who left meanwhile are refused without harm.
        if (message.code === 'noSuchMember' || message.code === 'staleEpoch') return;
        return this.emit('error', { code: message.code, message: message.message });
      case 'bye':
        if (FINAL.includes(message.reason)) this.#end(message.reason, null);
        return;
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
    const ids = this.others().map(({ id }) => id);
    this.#mesh?.reconcile(this.#switch.uses('mesh') ? ids : [], this.#switch.builds('mesh'));
    if (this.#switch.uses('sfu')) this.#reconcileNode();
    else this.#dropNode();
    this.#speakers.listen(this.mode === 'mesh' ? ids : null);
  }

  #reconcileNode() {
    if (this.#node) {
      if (this.#seatsNeeded() > this.#node.seatCount) this.#node.growTo(this.#seatsWanted());
    } else if (this.#switch.builds('sfu')) {
      this.#node = this.#openNode();
      this.#sayView();
    }
  }

  #openNode() {
    const peer = new NodePeer({
      media: this.media,
      iceServers: this.#iceServers,
      seats: this.#options.seats ?? Math.max(SEATS_MIN, this.#seatsWanted()),
      lost: () => this.#reopenNode(peer),
      request: async (sdp, fresh) => {
        const answer = this.#request({ type: 'offer', sdp, epoch: this.epoch, fresh });
        this.#announcer.sync(peer);
        const reply = await answer;
        if (reply.type !== 'answer') throw new RequestError('malformed', 'The node gave a strange answer.');
        return reply.sdp;
      },
      changed: () => this.emit('media', undefined),
    });
    return peer;
  }

  /** @param {NodePeer} peer */
  #reopenNode(peer) {
    if (this.#node !== peer) return;
    this.#dropNode();
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
    this.#viewSaid = '';
  }

  #dropPaths() {
    this.#mesh?.close();
    this.#mesh = null;
    this.#dropNode();
    this.#switch.stop();
    this.#speakers.listen(null);
    for (const timer of this.#timers.splice(0)) window.clearInterval(timer);
  }

  #startTimers() {
    this.#timers.push(
      window.setInterval(async () => {
        await Promise.all([this.#sampleOf('mesh'), this.#sampleOf('sfu')]);
        this.emit('media', undefined);
      }, SAMPLE_INTERVAL_MS),
    );
  }

  #syncMedia() {
    this.#seeYourself();
    this.#mesh?.syncTracks();
    this.#node?.syncTracks();
    if (this.#state === 'joined') this.#announcer.sync(this.#node);
    this.emit('media', undefined);
  }

  /** The node tells what we send to everyone but us. */
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

  /** @param {import('./protocol').ClientMessage} message */
  #request(message) {
    return this.#signaling?.request(message) ?? Promise.reject(new RequestError('closed', 'Not connected.'));
  }

  /**
   * Says something whose refusal is shown rather than handled.
   *
   * @param {import('./protocol').ClientMessage} message
   */
  async #ask(message) {
    try {
      await this.#request(message);
      return true;
    } catch (error) {
      const { code, message: text } = /** @type {RequestError} */ (error);
      const isRace = code === 'staleEpoch' || (code === 'noSuchMember' && message.type === 'view');
      if (code !== 'closed' && !isRace) this.emit('error', { code, message: text });
      return false;
    }
  }

  /** @param {Signaling} signaling */
  #lost(signaling) {
    if (this.#signaling !== signaling || this.#state !== 'joined') return;
    this.#signaling = null;
    this.#retry();
  }

  /** Tries again, later each time; what still plays goes on meanwhile. */
  #retry() {
    if (this.#state === 'ended') return;
    this.#signaling = null;
    this.#setState(this.you ? 'reconnecting' : 'connecting');
    const ceiling = Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** this.#attempts++);
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = window.setTimeout(() => this.#retryNow(), ceiling * (0.5 + Math.random() / 2));
  }

  #retryNow() {
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.join();
  }

  /**
   * @param {Reason | null} reason
   * @param {RequestError | null} error
   */
  #end(reason, error) {
    if (this.#state === 'ended') return;
    this.#setState('ended');
    window.clearTimeout(this.#retryTimer);
    window.clearTimeout(this.#viewTimer);
    this.#retryTimer = 0;
    this.#dropPaths();
    this.#signaling?.close();
    this.#signaling = null;
    this.emit('ended', { reason, error });
  }

  /** @param {RoomState} state */
  #setState(state) {
    this.#state = state;
    this.emit('state', state);
  }
}
