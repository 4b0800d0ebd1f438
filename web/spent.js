const IS_FIREFOX = /Firefox\//.test(navigator.userAgent);

/**
 * Whether a connection has failed for good. In Firefox (seen with 153) one that failed comes up again after a
 * restart of ICE and says so, but no media passes on it any more, either way. Elsewhere a restart mends it, and
 * sooner than another connection would.
 *
 * @param {RTCPeerConnection} connection
 */
export function isSpent({ connectionState }) {
  return IS_FIREFOX && connectionState === 'failed';
}
