/**
 * What should arrive of a member, and whether it does.
 *
 * @import { Incoming } from './mesh.js'
 * @import { Feed, Member, Source } from './protocol'
 */

/** The sources of a feed. */
export const SOURCES_OF = /** @type {const} */ ({
  camera: { audio: 'microphone', video: 'camera' },
  screen: { audio: 'screenAudio', video: 'screen' },
});

/**
 * @param {Member} member
 * @param {Source} source
 */
export function isLive(member, source) {
  return !isSilenced(member, source) && member.published.some((published) => published.source === source && !published.muted);
}

/**
 * Whether the room's owner lets nobody hear or see it. The node drops it; on a direct path nobody but
 * the receiver can.
 *
 * @param {Member} member
 * @param {Source} source
 */
export function isSilenced(member, source) {
  return member.silenced.includes(source);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
export function sendsPicture(member, feed) {
  return isLive(member, SOURCES_OF[feed].video);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
export function sendsSound(member, feed) {
  return isLive(member, SOURCES_OF[feed].audio);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
export function sends(member, feed) {
  return sendsPicture(member, feed) || sendsSound(member, feed);
}

/**
 * Whether everything that should arrive of a feed does.
 *
 * @param {Member} member
 * @param {Feed} feed
 * @param {Incoming} incoming
 */
export function plays(member, feed, { audioStats, videoStats, undecodable }) {
  if (sendsPicture(member, feed) && !undecodable) return (videoStats?.framesDecoded ?? 0) > 0;
  return !sendsSound(member, feed) || (audioStats?.packets ?? 0) > 0;
}
