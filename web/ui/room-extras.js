/**
 * What the interface needs of a room beyond what every room has: each is looked for before it is
 * used, so that the page also works with a room that cannot do it.
 *
 * @import { Room } from '../motet.js'
 * @import { Knock, Member, MemberId, PathException, Reaction, Role, Rules, Source, Why } from '../protocol'
 *
 * @typedef {object} RoomExtras
 * @property {Role} role
 * @property {Rules} rules
 * @property {Knock[]} waiting
 * @property {Why | null} why
 * @property {PathException[]} exceptions
 * @property {(raised: boolean) => unknown} raiseHand
 * @property {(reaction: Reaction) => unknown} react
 * @property {(member: MemberId, source: Source, silenced: boolean) => unknown} silence
 * @property {(member: MemberId) => unknown} lowerHand
 * @property {(member: MemberId) => unknown} remove
 * @property {(locked: boolean) => unknown} lock
 * @property {(enabled: boolean) => unknown} setLobby
 * @property {(member: MemberId) => unknown} admit
 * @property {(member: MemberId) => unknown} deny
 * @property {() => unknown} end
 *
 * @typedef {object} ExtraEvents
 * @property {unknown} rules
 * @property {unknown} knocks
 * @property {{from: MemberId, reaction: Reaction}} reaction
 */

const METHODS = ['raiseHand', 'react', 'silence', 'lowerHand', 'remove', 'lock', 'setLobby', 'admit', 'deny', 'end'];

/**
 * @param {Room} room
 * @returns {RoomExtras} what it says now
 */
export function extrasOf(room) {
  const known = /** @type {Partial<RoomExtras>} */ (/** @type {unknown} */ (room));
  const call = (/** @type {string} */ name) => (/** @type {unknown[]} */ ...args) => Reflect.get(room, name)?.apply(room, args);
  const methods = Object.fromEntries(METHODS.map((name) => [name, call(name)]));
  return /** @type {RoomExtras} */ ({
    role: known.role ?? 'guest',
    rules: known.rules ?? { locked: false, lobby: false },
    waiting: known.waiting ?? [],
    why: known.why ?? null,
    exceptions: known.exceptions ?? [],
    ...methods,
  });
}

/**
 * @param {Room} room
 * @param {keyof RoomExtras} method
 */
export function can(room, method) {
  return typeof Reflect.get(room, method) === 'function';
}

/**
 * @template {keyof ExtraEvents} Name
 * @param {Room} room
 * @param {Name} name
 * @param {(detail: ExtraEvents[Name]) => void} listener
 */
export function onExtra(room, name, listener) {
  /** @type {any} */ (room).on(name, listener);
}

/**
 * Whose hands are up, in the order in which they were raised.
 *
 * @param {Iterable<Member>} members
 * @returns {MemberId[]}
 */
export function handsOf(members) {
  return [...members]
    .filter(({ handMs }) => handMs !== undefined && handMs !== null)
    .sort((one, other) => (one.handMs ?? 0) - (other.handMs ?? 0))
    .map(({ id }) => id);
}

/** @param {Member | undefined} member whether the owner holds their microphone muted */
export function isHeld(member) {
  return Boolean(member?.silenced?.includes('microphone'));
}
