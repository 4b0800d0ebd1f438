/**
 * @import { Result, RowId } from './examination.js'
 *
 * @typedef {'running' | 'works' | 'worksUnseen' | 'relayOnly' | 'relayOnlyNoUdp' | 'overTcp' | 'noUdp' | 'noMedia' | 'noWebsocket'} Verdict
 */

/**
 * What all results together mean for a call. Camera and microphone come last: one can do without.
 *
 * @param {ReadonlyMap<RowId, Result>} results
 * @returns {Verdict}
 */
export function summaryOf(results) {
  const is = (/** @type {RowId} */ row, /** @type {Result['outcome']} */ outcome) => results.get(row)?.outcome === outcome;
  const isRunning = (/** @type {RowId[]} */ rows) => rows.some((row) => is(row, 'running'));
  if (is('websocket', 'running')) return 'running';
  if (!is('websocket', 'ok')) return 'noWebsocket';
  if (isRunning(['leg', 'stun', 'turnUdp', 'turnTcp', 'turnTls', 'devices'])) return 'running';
  if (is('leg', 'ok')) return is('devices', 'failed') || is('devices', 'limited') ? 'worksUnseen' : 'works';
  const hasUdp = is('stun', 'ok') || is('turnUdp', 'ok');
  const hasRelay = is('turnUdp', 'ok') || is('turnTcp', 'ok') || is('turnTls', 'ok');
  if (is('leg', 'limited')) return 'overTcp';
  if (hasRelay) return hasUdp ? 'relayOnly' : 'relayOnlyNoUdp';
  return hasUdp ? 'noMedia' : 'noUdp';
}
