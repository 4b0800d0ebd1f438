import { withoutStrayFeedback } from '../codecs.js';
import { Meter } from '../stats.js';
import { settled } from './relay.js';

/** @import { Result } from './examination.js' */

/** Checks of the handshake come while the browser is busy: later ones tell more. */
const SAMPLES = 3;
const SAMPLE_MS = 700;
/** When it is said to be impossible, as in a room. */
const CONNECT_MS = 10_000;

/**
 * Tries the connection to the node itself, on its media port: ICE, then DTLS.
 *
 * @param {(sdp: string) => Promise<string>} offer brings the node's answer
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 */
export async function tryLeg(offer, signal) {
  const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  try {
    return await connect(connection, offer, signal);
  } finally {
    connection.close();
  }
}

/**
 * @param {RTCPeerConnection} connection
 * @param {(sdp: string) => Promise<string>} offer
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 */
async function connect(connection, offer, signal) {
  for (const kind of ['audio', 'video']) connection.addTransceiver(kind, { direction: 'recvonly' });
  await connection.setLocalDescription();
  const sdp = await offer(withoutStrayFeedback(connection.localDescription?.sdp ?? ''));
  const started = performance.now();
  await connection.setRemoteDescription({ type: 'answer', sdp });
  const isUp = await settled((done) => {
    connection.onconnectionstatechange = () => connection.connectionState === 'connected' && done(true);
  }, { patience: CONNECT_MS, signal });
  if (isUp) {
    const connectMs = performance.now() - started;
    const { protocol, rttMs } = await pathOf(connection, signal);
    const result = { connectMs, ...(rttMs > 0 ? { rttMs } : {}) };
    return protocol === 'tcp' ? { outcome: 'limited', why: 'tcp', ...result } : { outcome: 'ok', ...result };
  }
  const hasPath = ['connected', 'completed'].includes(connection.iceConnectionState);
  return { outcome: 'failed', why: hasPath ? 'dtls' : 'ice' };
}

/**
 * @param {RTCPeerConnection} connection
 * @param {AbortSignal} signal
 * @returns {Promise<{protocol: string, rttMs: number}>} the shortest round trip; 0 if the browser does not tell
 */
async function pathOf(connection, signal) {
  const meter = new Meter(connection);
  const seen = [];
  let protocol = '';
  for (let at = 0; at < SAMPLES; at += 1) {
    const { connection: pair } = await meter.sample();
    if (pair.rttMs) seen.push(pair.rttMs);
    protocol = pair.protocol || protocol;
    await settled(() => {}, { patience: SAMPLE_MS, signal });
  }
  return { protocol, rttMs: seen.length > 0 ? Math.min(...seen) : 0 };
}
