import { strings } from '../strings.js';
import { h, icon, setIcon, setText } from './dom.js';
import { Picture } from './picture.js';

/**
 * @typedef {object} Face what a tile shows
 * @property {string} name
 * @property {string} initials
 * @property {string} hue picks the avatar's colour
 * @property {MediaStreamTrack | null} track
 * @property {string} key
 * @property {number} since
 * @property {boolean} isMuted
 * @property {boolean} isSpeaking
 * @property {boolean} isMirrored
 * @property {boolean} isScreen
 * @property {boolean} isPinned
 */

/** One feed of one member on the screen. */
export class Tile {
  #picture = new Picture();
  #avatar = h('span', { className: 'avatar', 'aria-hidden': 'true' });
  #name = h('span', { className: 'name' });
  #mute = h('span', { className: 'mute', hidden: true }, icon('mic-off'), h('span', { className: 'unseen' }, strings.muted));
  #pinIcon = icon('pin');
  #pin = h('button', { type: 'button', className: 'pin' }, this.#pinIcon);
  element = h(
    'li',
    { className: 'tile' },
    this.#avatar,
    this.#picture.element,
    h('div', { className: 'plate' }, this.#mute, this.#name),
    this.#pin,
  );

  /** @param {() => void} pin */
  constructor(pin) {
    this.#pin.onclick = pin;
    this.element.ondblclick = pin;
  }

  /** @param {Face} face */
  update(face) {
    this.#picture.show(face.track, face.key, face.since);
    setText(this.#name, face.name);
    setText(this.#avatar, face.initials);
    this.#mute.hidden = !face.isMuted;
    this.element.dataset.hue = face.hue;
    this.element.classList.toggle('speaking', face.isSpeaking);
    this.element.classList.toggle('mirrored', face.isMirrored);
    this.element.classList.toggle('screen', face.isScreen);
    this.element.setAttribute('aria-label', face.isMuted ? `${face.name}, ${strings.muted}` : face.name);
    setIcon(this.#pinIcon, face.isPinned ? 'close' : 'pin');
    this.#pin.setAttribute('aria-pressed', String(face.isPinned));
    this.#pin.setAttribute('aria-label', face.isPinned ? strings.unpin(face.name) : strings.pin(face.name));
  }

  /** @param {import('./layout.js').Rectangle} rectangle */
  place({ left, top, width, height }) {
    const { style } = this.element;
    style.transform = `translate(${left}px, ${top}px)`;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.setProperty('--side', `${Math.min(width, height)}px`);
  }

  remove() {
    this.#picture.clear();
    this.element.remove();
  }
}

/**
 * @param {string} name
 * @returns {string} one or two letters
 */
export function initialsOf(name) {
  const words = name.split(/\s+/u).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => Array.from(word ?? '')[0] ?? '');
  return letters.join('').toLocaleUpperCase();
}

/**
 * @param {string} text
 * @returns {string} one of eight colours, always the same for the same text
 */
export function hueOf(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65_521;
  return String(sum % 8);
}
