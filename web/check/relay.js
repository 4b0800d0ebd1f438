/** @import { Result } from './examination.js' */

/** For an allocation, ICE and DTLS, and some requests that get lost. */
const CONNECT_MS = 12_000;
/** The first message after a handshake is slower than the rest. */
const PINGS = 5;
const PING_MS = 3_000;

/**
 * Sends messages around from one connection of ours to another by way of the relay alone.
 *
 * @param {RTCIceServer[]} servers with the URLs of one kind
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 */
export async function tryRelay(servers, signal) {
  if (servers.length === 0) return { outcome: 'notOffered' };
  const loop = new Loop(servers);
  try {
    const started = performance.now();
    const channel = await loop.open(signal);
    if (!channel) return { outcome: 'failed', why: loop.hasRelay ? 'path' : 'allocation', detail: loop.error };
    const connectMs = performance.now() - started;
    return { outcome: 'ok', connectMs, rttMs: await roundTrip(channel, signal) };
  } finally {
    loop.close();
  }
}

/** Two connections, each with a relay of its own and no other way to the other. */
class Loop {
  #near;
  #far;
  hasRelay = false;
  /** What the browser says of the server, if it says anything. */
  error = '';

  /** @param {RTCIceServer[]} iceServers */
  constructor(iceServers) {
    this.#near = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
    this.#far = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
    this.#trickle(this.#near, this.#far);
    this.#trickle(this.#far, this.#near);
    this.#near.addEventListener('icecandidateerror', ({ errorCode, errorText }) => {
      this.error = [errorCode, errorText].filter(Boolean).join(' ');
    });
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<RTCDataChannel | null>} one whose other end sends everything back
   */
  async open(signal) {
    const channel = this.#near.createDataChannel('check', { ordered: false, maxRetransmits: 0 });
    this.#far.ondatachannel = ({ channel: back }) => (back.onmessage = ({ data }) => back.send(data));
    await this.#near.setLocalDescription();
    await this.#far.setRemoteDescription(/** @type {RTCSessionDescription} */ (this.#near.localDescription));
    await this.#far.setLocalDescription();
    await this.#near.setRemoteDescription(/** @type {RTCSessionDescription} */ (this.#far.localDescription));
    const isOpen = await settled((done) => (channel.onopen = () => done(true)), { patience: CONNECT_MS, signal });
    return isOpen ? channel : null;
  }

  close() {
    this.#near.close();
    this.#far.close();
  }

  /**
   * @param {RTCPeerConnection} from
   * @param {RTCPeerConnection} to
   */
  #trickle(from, to) {
    /** @type {RTCIceCandidate[]} until there is a description */
    const early = [];
    const pass = () => {
      if (!to.remoteDescription) return;
      for (const candidate of early.splice(0)) to.addIceCandidate(candidate).catch(() => {});
    };
    from.addEventListener('icecandidate', ({ candidate }) => {
      if (!candidate?.candidate) return;
      this.hasRelay ||= candidate.candidate.includes(' typ relay');
      early.push(candidate);
      pass();
    });
    to.addEventListener('signalingstatechange', pass);
  }
}

/**
 * @param {RTCDataChannel} channel
 * @param {AbortSignal} signal
 * @returns {Promise<number>} the shortest, in milliseconds
 */
async function roundTrip(channel, signal) {
  let shortest = PING_MS;
  for (let ping = 0; ping < PINGS; ping += 1) {
    const sent = performance.now();
    const isBack = settled((done) => (channel.onmessage = ({ data }) => data === String(ping) && done(true)), { patience: PING_MS, signal });
    channel.send(String(ping));
    if (await isBack) shortest = Math.min(shortest, performance.now() - sent);
  }
  return shortest;
}

/**
 * @param {(done: (answer: boolean) => void) => void} begin
 * @param {{patience: number, signal: AbortSignal}} options `patience` in milliseconds
 * @returns {Promise<boolean>} whether it was done in time
 */
export function settled(begin, { patience, signal }) {
  return new Promise((resolve) => {
    const timer = window.setTimeout(() => resolve(false), patience);
    signal.addEventListener('abort', () => resolve(false));
    begin((answer) => {
      window.clearTimeout(timer);
      resolve(answer);
    });
  });
}
