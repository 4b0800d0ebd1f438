import { Emitter } from '../events.js';
import { Session } from '../session.js';
import { devicePermissions } from './devices.js';
import { gather } from './gather.js';
import { tryLeg } from './leg.js';
import { tryRelay } from './relay.js';
import { summaryOf } from './summary.js';

/**
 * @import { Joined } from '../session.js'
 * @import { Verdict } from './summary.js'
 *
 * @typedef {'websocket' | 'leg' | 'host' | 'stun' | 'turnUdp' | 'turnTcp' | 'turnTls' | 'devices'} RowId
 *
 * @typedef {'running' | 'ok' | 'limited' | 'failed' | 'notOffered' | 'notTried'} Outcome
 *   `limited` works with a reservation, `notOffered` is nothing that this node has
 *
 * @typedef {object} Result
 * @property {Outcome} outcome
 * @property {string} [why] a key of the explanations, where there are several
 * @property {string} [detail] what was seen: addresses, a code
 * @property {number} [connectMs] until it was up
 * @property {number} [rttMs] of one round trip on it
 *
 * @typedef {object} ExaminationEvents
 * @property {RowId} result
 * @property {void} done
 */

/** In the order in which they are shown. */
export const ROWS = /** @type {const} */ (['websocket', 'leg', 'host', 'stun', 'turnUdp', 'turnTcp', 'turnTls', 'devices']);

/** Longer than a node that can be reached ever takes. */
const JOIN_MS = 12_000;

/**
 * Which URLs of the node each relay row is about.
 *
 * @type {Record<'turnUdp' | 'turnTcp' | 'turnTls', (url: string) => boolean>}
 */
const RELAYS = {
  turnUdp: (url) => url.startsWith('turn:') && !/transport=tcp/i.test(url),
  turnTcp: (url) => url.startsWith('turn:') && /transport=tcp/i.test(url),
  turnTls: (url) => url.startsWith('turns:'),
};

/**
 * Tries every way between this browser and the node, in a room of its own.
 *
 * @extends {Emitter<ExaminationEvents>}
 */
export class Examination extends Emitter {
  #session;
  #isClosed = false;
  #abort = new AbortController();
  /** @type {Map<RowId, Result>} */
  results = new Map(ROWS.map((row) => [row, { outcome: 'running' }]));
  isDone = false;
  /** When it began. */
  at = new Date();

  /** @param {string | URL} url of the node's WebSocket */
  constructor(url) {
    super();
    const room = `check-${crypto.getRandomValues(new Uint32Array(2)).join('')}`;
    this.#session = new Session(url, { type: 'join', room, name: 'check', sfuOnly: false });
  }

  /** @returns {Verdict} of what is known by now */
  get verdict() {
    return summaryOf(this.results);
  }

  async run() {
    const own = [this.#row('host', gather([], this.#abort.signal).then(hostResult)), this.#row('devices', devicePermissions())];
    const joined = await this.#join();
    const rest = joined ? this.#tryWays(joined) : this.#giveUp();
    await Promise.all([...own, ...rest]);
    this.#session.leave();
    if (this.#isClosed) return;
    this.isDone = true;
    this.emit('done', undefined);
  }

  /** Ends everything that still runs. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort.abort();
    if (!this.#session.isOver) this.#session.leave();
  }

  /** @param {Joined} joined */
  #tryWays({ iceServers, topology }) {
    const signal = this.#abort.signal;
    const offer = async (/** @type {string} */ sdp) => {
      const reply = await this.#session.request({ type: 'offer', sdp, epoch: topology.epoch, fresh: true });
      return reply.type === 'answer' ? reply.sdp : '';
    };
    const relays = /** @type {(keyof typeof RELAYS)[]} */ (Object.keys(RELAYS));
    return [
      this.#row('leg', tryLeg(offer, signal)),
      this.#row('stun', stunResult(only(iceServers, (url) => url.startsWith('stun:')), signal)),
      ...relays.map((row) => this.#row(row, tryRelay(only(iceServers, RELAYS[row]), signal))),
    ];
  }

  #giveUp() {
    const rest = /** @type {RowId[]} */ (['leg', 'stun', ...Object.keys(RELAYS)]);
    return rest.map((row) => this.#row(row, Promise.resolve({ outcome: 'notTried' })));
  }

  /** @returns {Promise<Joined | null>} */
  async #join() {
    const started = performance.now();
    const joined = await this.#joined();
    if ('code' in joined) {
      this.#session.leave();
      this.#set('websocket', { outcome: 'failed', why: joined.code });
      return null;
    }
    const connectMs = performance.now() - started;
    const asked = performance.now();
    await this.#session.request({ type: 'ping', after: 0 }).catch(() => {});
    this.#set('websocket', { outcome: 'ok', connectMs, rttMs: performance.now() - asked });
    return joined;
  }

  /** @returns {Promise<Joined | {code: string}>} */
  #joined() {
    return new Promise((resolve) => {
      const timer = window.setTimeout(() => resolve({ code: 'closed' }), JOIN_MS);
      const settle = (/** @type {Joined | {code: string}} */ answer) => {
        window.clearTimeout(timer);
        resolve(answer);
      };
      this.#session.on('joined', settle);
      this.#session.on('lost', () => settle({ code: 'closed' }));
      this.#session.on('ended', ({ error }) => settle({ code: error?.code ?? 'closed' }));
      this.#session.start();
    });
  }

  /**
   * @param {RowId} row
   * @param {Promise<Result>} work
   */
  async #row(row, work) {
    const result = await work.catch((error) => ({ outcome: /** @type {const} */ ('failed'), detail: String(error) }));
    this.#set(row, result);
  }

  /**
   * @param {RowId} row
   * @param {Result} result
   */
  #set(row, result) {
    if (this.#isClosed) return;
    this.results.set(row, result);
    this.emit('result', row);
  }
}

/**
 * The servers, with those of their URLs alone.
 *
 * @param {RTCIceServer[]} servers
 * @param {(url: string) => boolean} isWanted
 * @returns {RTCIceServer[]}
 */
export function only(servers, isWanted) {
  return servers
    .map((server) => ({ ...server, urls: [server.urls].flat().filter(isWanted) }))
    .filter(({ urls }) => urls.length > 0);
}

/**
 * @param {import('./gather.js').Gathered} gathered
 * @returns {Result}
 */
function hostResult({ addresses, kinds }) {
  return kinds.has('host') ? { outcome: 'ok', detail: addresses.join(', ') } : { outcome: 'failed' };
}

/**
 * @param {RTCIceServer[]} servers
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 */
async function stunResult(servers, signal) {
  if (servers.length === 0) return { outcome: 'notOffered' };
  const { kinds, addresses, isTimely } = await gather(servers, signal);
  if (kinds.has('srflx')) return { outcome: 'ok', why: 'nat', detail: addresses.join(', ') };
  // A browser does not mention an address from outside that is the one it has.
  return isTimely ? { outcome: 'ok', why: 'noNat' } : { outcome: 'failed' };
}
