import { Emitter } from './events.js';
import { RequestError, Signaling } from './signaling.js';

/**
 * @import { ClientMessage, Reason, ResumeTicket, ServerFrame, ServerMessage } from './protocol'
 *
 * @typedef {Extract<ServerMessage, {type: 'joined'}>} Joined
 * @typedef {Extract<ServerMessage, {type: 'resumed'}>} Resumed
 * @typedef {{reason: Reason | null, error: RequestError | null}} End
 *
 * @typedef {object} SessionEvents
 * @property {void} waiting for the room's owner to let us in
 * @property {Joined} joined as a new member: what was known before is void
 * @property {Resumed} resumed as the member we were; what we missed follows
 * @property {ServerMessage} message an event of the node, each once and in order
 * @property {void} lost the WebSocket is gone; another one is tried
 * @property {End} ended for good; trying again would not help
 */

/** The first try after a loss is made at once, or almost: a whole room may have lost the node. */
const FIRST_DELAY_MAX_MS = 300;
const RETRY_MS = 500;
const RETRY_MAX_MS = 5_000;
/** How long a node that should answer may take, when there is a doubt. */
const VERIFY_MS = 500;

/** A `bye` for one of these is for good. */
const FINAL = /** @type {readonly Reason[]} */ (['left', 'misbehaved', 'roomClosed', 'removed', 'denied', 'replaced']);

/** A `join` that failed for one of these may succeed later. */
const PASSING = ['closed', 'timeout', 'tooFast'];

/**
 * Our conversation with the node, over as many WebSockets as it takes: joins, comes back with the
 * resume token after a loss, and joins anew where the place was given up.
 *
 * @extends {Emitter<SessionEvents>}
 */
export class Session extends Emitter {
  #url;
  #join;
  /** @type {Signaling | null} */
  #signaling = null;
  /** @type {ResumeTicket | null} */
  #ticket = null;
  /** The number of the last event that arrived. */
  #arrived = 0;
  #attempts = 0;
  #retryTimer = 0;
  #wasJoined = false;
  #isOver = false;
  #verifying = false;
  /** We found out ourselves that the WebSocket was dead, alone: there is nobody to make way for. */
  #isAlone = false;

  /**
   * @param {string | URL} url of the node's WebSocket
   * @param {Extract<ClientMessage, {type: 'join'}>} join
   */
  constructor(url, join) {
    super();
    this.#url = url;
    this.#join = join;
    window.addEventListener('online', this.#retrySoon);
    document.addEventListener('visibilitychange', this.#retrySoon);
  }

  get isOver() {
    return this.#isOver;
  }

  /** Connects, and keeps at it until the session ends. */
  async start() {
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    try {
      const signaling = await Signaling.connect(this.#url, () => this.#arrived);
      if (this.#isOver) return signaling.close();
      await this.#enter(signaling);
      this.#attempts = 0;
    } catch (error) {
      const code = error instanceof RequestError ? error.code : 'closed';
      // Another socket later, so that this one is nobody's: too many of our address came at once, or the node stops.
      if (code === 'tooFast' || code === 'draining') this.#signaling?.close();
      if (error instanceof RequestError && !this.#isPassing(error)) this.#end(null, error);
      else this.#retry();
    }
  }

  /**
   * Whether it is worth trying again by ourselves. Whoever was in a room when the node was told to stop finds it
   * again on the next one.
   *
   * @param {RequestError} error
   */
  #isPassing({ code }) {
    return PASSING.includes(code) || (code === 'draining' && this.#wasJoined);
  }

  leave() {
    this.#signaling?.tell({ type: 'bye' });
    this.#end('left', null);
  }

  /**
   * @param {ClientMessage} message
   * @returns {Promise<ServerMessage>}
   * @throws {RequestError}
   */
  request(message) {
    return this.#signaling?.request(message) ?? Promise.reject(new RequestError('closed', 'Not connected.'));
  }

  /** @param {ClientMessage} message */
  tell(message) {
    this.#signaling?.tell(message);
  }

  /** Makes sure that the WebSocket still works, and replaces it if it does not. */
  async verify() {
    const signaling = this.#signaling;
    if (!signaling || this.#verifying) return;
    this.#verifying = true;
    this.#isAlone = true;
    await signaling.ping(VERIFY_MS);
    this.#verifying = this.#isAlone = false;
  }

  /** @param {Signaling} signaling */
  async #enter(signaling) {
    this.#signaling = signaling;
    signaling.on('closed', () => this.#lost(signaling));
    signaling.on('message', (frame) => {
      if (this.#signaling === signaling) this.#hear(frame);
    });
    if (!(this.#ticket && (await this.#resume(signaling, this.#ticket)))) await this.#joinAnew(signaling);
  }

  /**
   * @param {Signaling} signaling
   * @param {ResumeTicket} ticket
   * @returns {Promise<boolean>} false if the place is not there any more
   */
  async #resume(signaling, { token }) {
    try {
      const resumed = await signaling.request({ type: 'resume', room: this.#join.room, token, after: this.#arrived });
      if (resumed.type !== 'resumed') throw strange();
      this.#ticket = resumed.resume;
      this.emit('resumed', resumed);
      // Our first word: from now on the token before is worth nothing.
      signaling.ping(VERIFY_MS);
      return true;
    } catch (error) {
      if (/** @type {RequestError} */ (error).code !== 'resumeFailed') throw error;
      this.#ticket = null;
      return false;
    }
  }

  /** @param {Signaling} signaling */
  async #joinAnew(signaling) {
    this.#arrived = 0;
    const answer = await signaling.request(this.#join);
    if (answer.type === 'waiting') this.emit('waiting', undefined);
    else if (answer.type === 'joined') this.#settle(answer);
    else throw strange();
  }

  /** @param {Joined} joined */
  #settle(joined) {
    this.#ticket = joined.resume.seconds > 0 ? joined.resume : null;
    // Our first word: who never says one is not waited for.
    this.#signaling?.tell({ type: 'ping' });
    this.#wasJoined = true;
    this.emit('joined', joined);
  }

  /** @param {ServerFrame} frame */
  #hear({ seq, ...message }) {
    if (seq !== undefined) {
      if (seq <= this.#arrived) return;
      this.#arrived = seq;
    }
    if (message.type === 'joined') return this.#settle(message);
    if (message.type !== 'bye') return this.emit('message', message);
    if (FINAL.includes(message.reason)) this.#end(message.reason, null);
  }

  /** @param {Signaling} signaling */
  #lost(signaling) {
    if (this.#signaling !== signaling || this.#isOver) return;
    this.#retry();
  }

  /** Later each time, and not when everybody else does. */
  #retry() {
    if (this.#isOver || this.#retryTimer) return;
    this.#signaling = null;
    this.emit('lost', undefined);
    const attempt = this.#attempts++;
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** (attempt - 1));
    const first = this.#isAlone ? 0 : FIRST_DELAY_MAX_MS * Math.random();
    const delay = attempt === 0 ? first : ceiling * (0.5 + Math.random() / 2);
    this.#retryTimer = window.setTimeout(() => this.start(), delay);
  }

  #retrySoon = () => {
    if (this.#retryTimer && document.visibilityState === 'visible') this.start();
  };

  /**
   * @param {Reason | null} reason
   * @param {RequestError | null} error
   */
  #end(reason, error) {
    if (this.#isOver) return;
    this.#isOver = true;
    window.clearTimeout(this.#retryTimer);
    window.removeEventListener('online', this.#retrySoon);
    document.removeEventListener('visibilitychange', this.#retrySoon);
    this.#signaling?.close();
    this.#signaling = null;
    this.emit('ended', { reason, error });
  }
}

function strange() {
  return new RequestError('malformed', 'The node gave a strange answer.');
}
