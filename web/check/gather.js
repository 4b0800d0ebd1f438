/**
 * @typedef {object} Gathered
 * @property {Set<string>} kinds of candidates: `host`, `srflx`
 * @property {string[]} addresses of the most telling kind, each once
 * @property {boolean} isTimely every server has answered
 */

/** When a browser has not finished by then, a server did not answer; it goes on for ten seconds or so. */
const TIMELY_MS = 4_000;

/**
 * Has the browser gather its candidates with these servers.
 *
 * @param {RTCIceServer[]} servers
 * @param {AbortSignal} signal
 * @returns {Promise<Gathered>}
 */
export async function gather(servers, signal) {
  const connection = new RTCPeerConnection({ iceServers: servers });
  try {
    return await candidatesOf(connection, signal);
  } finally {
    connection.close();
  }
}

/**
 * @param {RTCPeerConnection} connection
 * @param {AbortSignal} signal
 * @returns {Promise<Gathered>}
 */
async function candidatesOf(connection, signal) {
  /** @type {RTCIceCandidate[]} */
  const candidates = [];
  /** @type {Promise<boolean>} */
  const ended = new Promise((resolve) => {
    const timer = window.setTimeout(() => resolve(false), TIMELY_MS);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) candidates.push(candidate);
      if (candidate) return;
      window.clearTimeout(timer);
      resolve(true);
    };
    signal.addEventListener('abort', () => resolve(false));
  });
  connection.createDataChannel('');
  await connection.setLocalDescription();
  const isTimely = await ended;
  const kinds = new Set(candidates.map(({ type }) => type ?? ''));
  const kind = kinds.has('srflx') ? 'srflx' : 'host';
  const addresses = candidates.filter(({ type }) => type === kind).map(({ address }) => readable(address ?? ''));
  return { kinds, addresses: [...new Set(addresses)].filter(Boolean), isTimely };
}

/** @param {string} address browsers hide those of the local network behind random names */
function readable(address) {
  return address.endsWith('.local') ? '' : address;
}
