/** @import { Member, MemberId } from '../protocol' */

/**
 * Whose hands are up, in the order in which they were raised.
 *
 * @param {Iterable<Member>} members
 * @returns {MemberId[]}
 */
export function handsOf(members) {
  return [...members]
    .filter(isHandUp)
    .sort((one, other) => (one.handMs ?? 0) - (other.handMs ?? 0))
    .map(({ id }) => id);
}

/** @param {Member | undefined} member */
export function isHandUp(member) {
  return member?.handMs !== undefined && member.handMs !== null;
}

/** @param {Member | undefined} member whether the owner holds their microphone muted */
export function isHeld(member) {
  return Boolean(member?.silenced?.includes('microphone'));
}
