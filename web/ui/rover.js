/** @import { Rectangle } from './layout.js' */

/** @type {Record<string, (from: Rectangle, to: Rectangle) => [number, number]>} along and across */
const WAYS = {
  ArrowRight: (from, to) => [middle(to).x - middle(from).x, middle(to).y - middle(from).y],
  ArrowLeft: (from, to) => [middle(from).x - middle(to).x, middle(to).y - middle(from).y],
  ArrowDown: (from, to) => [middle(to).y - middle(from).y, middle(to).x - middle(from).x],
  ArrowUp: (from, to) => [middle(from).y - middle(to).y, middle(to).x - middle(from).x],
};

/**
 * Where an arrow key leads from one of several rectangles.
 *
 * @param {string} key `ArrowLeft` and the like, `Home` or `End`
 * @param {number} at
 * @param {Rectangle[]} places
 * @returns {number} the nearest in that direction, or `at` if there is none; -1 for other keys
 */
export function neighbour(key, at, places) {
  if (key === 'Home') return 0;
  if (key === 'End') return places.length - 1;
  const way = WAYS[key];
  const from = places[at];
  if (!way || !from) return -1;
  const near = places
    .map((to, index) => ({ index, way: way(from, to) }))
    .filter(({ index, way: [along] }) => index !== at && along > 1)
    .sort((one, other) => distance(one.way) - distance(other.way));
  return near[0]?.index ?? at;
}

/** @param {[number, number]} way what lies straight ahead is nearer than what lies beside */
function distance([along, across]) {
  return along + 2 * Math.abs(across);
}

/** @param {Rectangle} rectangle */
function middle({ left, top, width, height }) {
  return { x: left + width / 2, y: top + height / 2 };
}
