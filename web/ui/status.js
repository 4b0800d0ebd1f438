import { strings } from '../strings.js';

/**
 * @import { Room } from '../motet.js'
 * @import { MemberId, PathException, PathReason, Why } from '../protocol'
 *
 * @typedef {{text: string, tone: 'good' | 'busy' | 'bad'}} Status
 */

/**
 * How things stand, in one line that is true.
 *
 * @param {Room} room
 * @returns {Status}
 */
export function statusOf(room) {
  const { state, isSwitching, mode, why, exceptions } = room;
  const nameOf = (/** @type {MemberId} */ id) => room.members.get(id)?.name ?? '';
  if (state === 'connecting' || state === 'unreachable') return { text: strings.connecting, tone: 'busy' };
  if (state === 'reconnecting') return { text: strings.reconnecting, tone: 'bad' };
  if (isSwitching) return { text: withCause(strings.switchingTo[mode === 'mesh' ? 'sfu' : 'mesh'], why, nameOf, '…'), tone: 'busy' };
  if (room.others().length === 0) return { text: '', tone: 'good' };
  if (mode === 'sfu' && isBroken(room.node?.state)) return { text: strings.nodeLost, tone: 'bad' };
  const normal = withCause(strings.mode(mode), why?.cause === 'few' ? null : why, nameOf, '');
  const odd = exceptionTexts(exceptions.filter(({ member }) => room.members.has(member)), nameOf);
  return { text: [normal, ...odd].join('; '), tone: exceptions.some(({ path }) => path === 'none') ? 'bad' : 'good' };
}

/** @param {string | undefined} state */
function isBroken(state) {
  return state === 'failed' || state === 'disconnected';
}

/**
 * @param {string} text
 * @param {Why | null} why
 * @param {(id: MemberId) => string} nameOf
 * @param {string} end
 */
function withCause(text, why, nameOf, end) {
  return (why ? `${text} (${causeOf(why, nameOf)})` : text) + end;
}

/**
 * @param {Why} why
 * @param {(id: MemberId) => string} nameOf
 */
export function causeOf({ cause, member }, nameOf) {
  return strings.causes[cause]?.(member ? nameOf(member) : '') ?? cause;
}

/**
 * One sentence for all who have the same path for the same reason.
 *
 * @param {PathException[]} exceptions
 * @param {(id: MemberId) => string} nameOf
 */
function exceptionTexts(exceptions, nameOf) {
  /** @type {Map<string, PathException[]>} */
  const groups = new Map();
  for (const exception of exceptions) {
    const key = `${exception.path} ${exception.reason}`;
    groups.set(key, [...(groups.get(key) ?? []), exception]);
  }
  return [...groups.values()].flatMap(([first, ...more]) => {
    if (!first) return [];
    return [exceptionText(first, listed([first, ...more].map(({ member }) => nameOf(member))))];
  });
}

/**
 * @param {PathException} exception
 * @param {string} names
 */
function exceptionText({ path, reason }, names) {
  if (path === 'none') return strings.exceptionNone(names);
  const text = path === 'node' ? strings.exceptionNode : strings.exceptionDirect;
  return text(names, strings.pathReasons[/** @type {PathReason} */ (reason)] ?? reason);
}

/** @param {string[]} names */
function listed(names) {
  const language = globalThis.document?.documentElement.lang || 'en';
  return typeof Intl.ListFormat === 'function' ? new Intl.ListFormat(language).format(names) : names.join(', ');
}
