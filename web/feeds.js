/**
 * What should arrive of a member, and whether it does.
 *
 * @import { Incoming } from './mesh.js'
 * @import { Feed, Member, Source } from './protocol'
 */

/**
 * @param {Member} member
 * @param {Source} source
 */
export function isLive(member, source) {
  return member.published.some((published) => published.source === source && !published.muted);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
export function sendsPicture(member, feed) {
  return isLive(member, feed);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
export function sendsSound(member, feed) {
  return isLive(member, feed === 'camera' ? 'microphone' : 'screenAudio');
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
export function plays(member, feed, { audioStats, videoStats }) {
  if (sendsPicture(member, feed)) return (videoStats?.framesDecoded ?? 0) > 0;
  return !sendsSound(member, feed) || (audioStats?.packets ?? 0) > 0;
}
