import { at } from '../base.js';
import { errors, reasons, strings } from '../strings.js';
import { h } from './dom.js';
import { focusSoon, pageOf } from './page.js';

/**
 * @import { ErrorCode, Reason } from '../protocol'
 *
 * @typedef {object} Ending
 * @property {Reason | null} reason why the node ended it
 * @property {{code: ErrorCode | 'timeout' | 'closed', message: string} | null} error why one did not get in
 */

/** After these, trying again would only be refused. */
const FINAL = /** @type {readonly (Reason | null)[]} */ (['removed', 'denied', 'roomClosed']);

/**
 * What happened, and where to go from here.
 *
 * @param {Ending} ending
 * @param {() => void} again goes back into the room
 */
export function endedPage({ reason, error }, again) {
  const { title, text } = wordsFor(reason, error);
  const isFinal = FINAL.includes(reason);
  const other = h('a', { href: at(''), className: isFinal ? 'primary' : 'plain' }, strings.otherRoom);
  const back = !isFinal && h('button', { className: 'primary', type: 'button', onclick: again }, labelOfReturn(reason, error));
  const card = h('div', { className: 'card notice-card' }, h('h1', {}, title), text && h('p', { className: 'quiet', role: 'alert' }, text), back, other);
  focusSoon(back || other);
  return pageOf({ kind: 'one', content: [card] });
}

/**
 * @param {Ending['reason']} reason
 * @param {Ending['error']} error
 */
function wordsFor(reason, error) {
  // Which limit only the node knows.
  if (error) return { title: strings.couldNotJoin, text: error.code === 'limit' ? error.message : errors[error.code] };
  return { title: reason ? reasons[reason] : strings.ended, text: '' };
}

/**
 * @param {Ending['reason']} reason
 * @param {Ending['error']} error
 */
function labelOfReturn(reason, error) {
  if (error) return strings.tryAgain;
  return reason === 'replaced' ? strings.goOnHere : strings.rejoin;
}
