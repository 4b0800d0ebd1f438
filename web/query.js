/**
 * @import { Picture } from './media.js'
 *
 * @typedef {object} Query what the address asks for
 * @property {boolean} join enter at once, without a click
 * @property {string} name
 * @property {boolean} audio open the microphone
 * @property {Picture | null | undefined} video open the camera with this picture; `null`: do not
 * @property {number | undefined} seats fixes the number of seats
 * @property {boolean} sfuOnly be served over the node always
 */

/**
 * For kiosks and tests: `?name=Ada&join&audio=0&video=320x180x15&seats=4&sfu`; `video=0` for none. Any page can
 * hold such a link: it opens no device unless the node serves kiosks, or this browser chose so.
 *
 * @param {string} search
 * @returns {Query}
 */
export function readQuery(search) {
  const parameters = new URLSearchParams(search);
  const seats = Number.parseInt(parameters.get('seats') ?? '', 10);
  return {
    join: parameters.has('join'),
    name: parameters.get('name') ?? '',
    audio: parameters.get('audio') !== '0',
    video: pictureOf(parameters.get('video')),
    seats: seats > 0 ? seats : undefined,
    sfuOnly: parameters.has('sfu'),
  };
}

/**
 * What is opened without a click.
 *
 * @param {Query} query
 * @param {boolean} mayOpen
 */
export function devicesFor({ audio, video }, mayOpen) {
  return { microphone: mayOpen && audio, camera: mayOpen && video !== null };
}

/** @param {string | null} text */
function pictureOf(text) {
  if (text === '0') return null;
  const match = /^(\d+)x(\d+)(?:x(\d+))?$/.exec(text ?? '');
  if (!match) return undefined;
  return { width: Number(match[1]), height: Number(match[2]), frameRate: Number(match[3] ?? 30) };
}
