import { strings } from '../strings.js';
import { h, icon, setIcon, setText } from './dom.js';
import { Picture } from './picture.js';

/**
 * @import { Reaction } from '../protocol'
 * @import { Quality } from './quality.js'
 *
 * @typedef {object} Face what a tile shows
 * @property {string} name
 * @property {string} initials
 * @property {string} hue picks the avatar's colour
 * @property {MediaStreamTrack | null} track
 * @property {string} key
 * @property {number} since
 * @property {number} decoded frames of it so far; 0 where that is not known
 * @property {boolean} isMuted
 * @property {boolean} isHeld muted, and held so by the owner
 * @property {boolean} isSpeaking
 * @property {boolean} isMirrored
 * @property {boolean} isScreen
 * @property {boolean} isPinned
 * @property {number} hand its place among the hands that are up, from 1; 0: down
 * @property {string} note what is wrong with them, if anything
 * @property {Quality} quality
 *
 * @typedef {object} TileActions
 * @property {() => void} pin
 * @property {() => void} stuck its picture is decoded and not drawn
 * @property {(anchor: HTMLElement) => void} menu
 */

const REACTION_MS = 4_000;
const REACTIONS_MAX = 6;
const MUTED_MARKS = /** @type {const} */ ({ true: 'mic-held', false: 'mic-off' });

/** One feed of one member on the screen. */
export class Tile {
  #picture = new Picture();
  #avatar = h('span', { className: 'avatar', 'aria-hidden': 'true' });
  #name = h('span', { className: 'name' });
  #muteIcon = icon('mic-off');
  #muteText = h('span', { className: 'unseen' });
  #mute = h('span', { className: 'mute', hidden: true }, this.#muteIcon, this.#muteText);
  #network = h('span', { className: 'network', hidden: true }, h('i', {}), h('i', {}), h('i', {}), h('span', { className: 'unseen' }));
  #hand = h('span', { className: 'hand', hidden: true }, icon('hand'), h('b', { 'aria-hidden': 'true' }), h('span', { className: 'unseen' }));
  #note = h('p', { className: 'note', hidden: true });
  #reactions = h('div', { className: 'floating', 'aria-hidden': 'true' });
  #pinIcon = icon('pin');
  #pin = h('button', { type: 'button', className: 'pin', tabIndex: -1 }, this.#pinIcon);
  #menu = h('button', { type: 'button', className: 'pin tile-menu', tabIndex: -1, 'aria-haspopup': 'menu', 'aria-expanded': 'false' }, icon('more'));
  element = h(
    'li',
    { className: 'tile' },
    this.#avatar,
    this.#picture.element,
    this.#note,
    this.#reactions,
    this.#hand,
    h('div', { className: 'plate' }, this.#mute, this.#name, this.#network),
    h('div', { className: 'corner' }, this.#pin, this.#menu),
  );

  /** @param {TileActions} actions */
  constructor({ pin, menu, stuck }) {
    this.#picture.onstuck = stuck;
    this.#pin.onclick = pin;
    this.#menu.onclick = () => menu(this.#menu);
    this.element.ondblclick = ({ target }) => {
      if (target instanceof Element && !target.closest('button')) pin();
    };
    this.element.oncontextmenu = (event) => {
      event.preventDefault();
      menu(this.#menu);
    };
  }

  /** The tile's stop for the Tab key. */
  get stop() {
    return this.#menu;
  }

  /** What it plays, for a picture outside the page. */
  get track() {
    return this.#picture.track;
  }

  /** @param {Face} face */
  update(face) {
    this.#picture.show(face.track, face.key, face.since, face.decoded);
    setText(this.#name, face.name);
    setText(this.#avatar, face.initials);
    this.#mute.hidden = !face.isMuted;
    setIcon(this.#muteIcon, MUTED_MARKS[`${face.isHeld}`]);
    setText(this.#muteText, face.isHeld ? strings.heldMuted : strings.muted);
    this.element.dataset.hue = face.hue;
    this.element.classList.toggle('speaking', face.isSpeaking);
    this.element.classList.toggle('mirrored', face.isMirrored);
    this.element.classList.toggle('screen', face.isScreen);
    this.element.classList.toggle('dimmed', face.note !== '');
    this.#note.hidden = face.note === '';
    setText(this.#note, face.note);
    this.#showHand(face.hand);
    this.#showQuality(face.quality);
    this.element.setAttribute('aria-label', labelOf(face));
    setIcon(this.#pinIcon, face.isPinned ? 'close' : 'pin');
    this.#pin.setAttribute('aria-pressed', String(face.isPinned));
    const pin = face.isPinned ? strings.unpin(face.name) : strings.pin(face.name);
    this.#pin.setAttribute('aria-label', pin);
    this.#pin.title = pin;
    this.#menu.setAttribute('aria-label', strings.moreAbout(face.name));
  }

  /** @param {Reaction} reaction floats up and is gone; stands still for who wants no motion */
  react(reaction) {
    const picture = icon(reaction);
    picture.classList.add('colour');
    // Side by side, so that several at once can be told apart.
    picture.style.setProperty('--lane', String((this.#reactions.childElementCount % 3) - 1));
    this.#reactions.append(picture);
    if (this.#reactions.childElementCount > REACTIONS_MAX) this.#reactions.firstElementChild?.remove();
    window.setTimeout(() => picture.remove(), REACTION_MS);
  }

  /** @param {import('./layout.js').Rectangle} rectangle */
  place({ left, top, width, height }) {
    const { style, classList } = this.element;
    style.transform = `translate(${left}px, ${top}px)`;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.setProperty('--side', `${Math.min(width, height)}px`);
    classList.toggle('small', width < 200 || height < 120);
  }

  remove() {
    this.#picture.clear();
    this.element.remove();
  }

  /** @param {number} place */
  #showHand(place) {
    this.#hand.hidden = place === 0;
    const [, number, text] = this.#hand.children;
    if (number) setText(number, String(place));
    if (text) setText(text, strings.handAt(place));
  }

  /** @param {Quality} quality */
  #showQuality(quality) {
    this.#network.hidden = quality === 0;
    this.#network.dataset.quality = String(quality);
    const text = quality === 0 ? '' : quality === 1 ? strings.poorNetwork : strings.badNetwork;
    if (this.#network.title !== text) this.#network.title = text;
    if (this.#network.lastElementChild) setText(this.#network.lastElementChild, text);
  }
}

/** @param {Face} face */
function labelOf({ name, isMuted, isHeld, hand, note, quality }) {
  const muted = isMuted && (isHeld ? strings.heldMuted : strings.muted);
  const network = quality === 2 ? strings.badNetwork : quality === 1 && strings.poorNetwork;
  return [name, muted, hand > 0 && strings.handAt(hand), note, network].filter(Boolean).join(', ');
}

/**
 * @param {string} name
 * @returns {string} one or two letters
 */
export function initialsOf(name) {
  const parts = name.split(/\s+/u).filter(Boolean);
  const letters = [parts[0], parts.length > 1 ? parts.at(-1) : undefined].map((part) => Array.from(part ?? '')[0] ?? '');
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
