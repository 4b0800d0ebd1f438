/**
 * @import { Room } from '../motet.js'
 * @import { Feed, Member, MemberId, Want } from '../protocol'
 * @import { Rectangle } from './layout.js'
 *
 * @typedef {{id: string, member: Member, feed: Feed, isOwn: boolean}} Show one tile's content
 */

/** What the node seats at once. */
export const SEATS_MAX = 25;
/** Seats that are kept for voices from other pages, in rooms of more people than seats. */
export const VOICES = 5;
/** Wants are in steps of a layer's height, so that a resized window does not ask again for every pixel. */
const HEIGHT_STEP = 90;
const HEIGHT_MAX = 2160;

/**
 * Everything that can be shown: oneself first, then the others in the order of their coming. Who only views
 * over HTTP has nothing to show, ever.
 *
 * @param {Room} room
 * @returns {Show[]}
 */
export function showsOf(room) {
  const you = room.members.get(room.you);
  const others = room.others().filter(({ kind }) => kind !== 'whep');
  return [...(you ? [you] : []), ...others].flatMap((member) => {
    const isOwn = member === you;
    const camera = { id: `${member.id}/camera`, member, feed: /** @type {Feed} */ ('camera'), isOwn };
    const screen = { id: `${member.id}/screen`, member, feed: /** @type {Feed} */ ('screen'), isOwn };
    return member.published.some(({ source }) => source === 'screen') ? [camera, screen] : [camera];
  });
}

/**
 * What is shown large: what was pinned, else others' screens, else, in the speaker view, who speaks.
 *
 * @param {Show[]} shows
 * @param {{pinned: string, view: 'grid' | 'speaker', active: MemberId}} wish
 * @returns {Show[]}
 */
export function stagedOf(shows, { pinned, view, active }) {
  const chosen = shows.filter(({ id }) => id === pinned);
  if (chosen.length > 0) return chosen;
  const screens = shows.filter(({ feed, isOwn }) => feed === 'screen' && !isOwn);
  if (screens.length > 0) return screens;
  const others = shows.filter(({ isOwn }) => !isOwn);
  if (view !== 'speaker' || others.length === 0) return [];
  return [others.find(({ member }) => member.id === active) ?? others[0]].filter((show) => show !== undefined);
}

/**
 * What the node should seat, most wanted first. Who has no tile is still heard, and whoever spoke
 * lately goes before the rest of the page where there are fewer seats than people.
 *
 * @param {object} options
 * @param {Show[]} options.shows all there are
 * @param {Show[]} options.staged
 * @param {Show[]} options.shown those with a tile
 * @param {Rectangle[]} options.places of the tiles
 * @param {boolean} options.isScarce whether there are fewer seats than others
 * @param {boolean} options.isAway nobody looks: sound only
 * @param {(member: MemberId) => number} options.spokeAt when they spoke last
 * @param {number} options.pixelRatio
 * @returns {Want[]}
 */
export function wantsOf({ shows, staged, shown, places, isScarce, isAway, spokeAt, pixelRatio }) {
  const others = shows.filter(({ isOwn }) => !isOwn);
  const voices = others
    .filter(({ member, feed }) => feed === 'camera' && spokeAt(member.id) > 0)
    .sort((one, other) => spokeAt(other.member.id) - spokeAt(one.member.id));
  const ordered = isScarce ? [...staged, ...voices.slice(0, VOICES), ...shown, ...voices, ...others] : [...staged, ...others];
  return [...new Set(ordered)]
    .filter(({ isOwn }) => !isOwn)
    .slice(0, SEATS_MAX)
    .map((show) => {
      const height = isAway ? 0 : (places[shown.indexOf(show)]?.height ?? 0);
      return { member: show.member.id, feed: show.feed, maxHeight: layerHeight(height * pixelRatio) };
    });
}

/** @param {number} pixels */
function layerHeight(pixels) {
  return Math.min(HEIGHT_MAX, Math.ceil(pixels / HEIGHT_STEP) * HEIGHT_STEP);
}
