import { at } from '../base.js';
import { ownedRooms } from '../owner.js';
import { checks, strings } from '../strings.js';
import { h } from './dom.js';
import { textField } from './form.js';
import { focusSoon, pageOf } from './page.js';

const OWNED_SHOWN_MAX = 3;

/**
 * The first page: makes a room, or goes to one.
 *
 * @param {object} options
 * @param {() => void} options.create
 * @param {(room: string) => void} options.go
 */
export function homePage({ create, go }) {
  const button = h('button', { className: 'primary', type: 'button', onclick: create }, strings.newRoom);
  const card = h(
    'div',
    { className: 'card home' },
    h('h1', {}, h('img', { src: at('icon.svg'), alt: '', width: 44, height: 44 }), strings.product),
    h('p', { className: 'quiet' }, strings.tagline),
    h('div', { className: 'offer' }, button, h('p', { className: 'quiet small' }, strings.newRoomHint)),
    h('p', { className: 'or' }, strings.or),
    entrance(go),
    yourRooms(),
    h('a', { href: at('check'), className: 'plain small to-check' }, checks.link),
  );
  focusSoon(button);
  return pageOf({ isHome: true, kind: 'one', content: [card] });
}

/** @param {(room: string) => void} go */
function entrance(go) {
  const place = textField(strings.enterRoom, { name: 'room', required: true, autocomplete: 'off', autocapitalize: 'none', placeholder: strings.roomName });
  const form = h('form', { className: 'entrance' }, place.label, h('button', { type: 'submit', className: 'secondary' }, strings.enter));
  form.onsubmit = (event) => {
    event.preventDefault();
    const room = roomIn(place.input.value.trim());
    if (room) go(room);
    else place.input.focus();
  };
  return form;
}

function yourRooms() {
  const rooms = ownedRooms().slice(0, OWNED_SHOWN_MAX);
  if (rooms.length === 0) return null;
  const links = rooms.map((room) => h('li', {}, h('a', { href: at(`r/${encodeURIComponent(room)}`), className: 'plain' }, room)));
  return h('nav', { className: 'your-rooms', 'aria-label': strings.yourRooms }, h('h2', {}, strings.yourRooms), h('ul', {}, ...links));
}

/**
 * People paste links where a name is asked for.
 *
 * @param {string} text
 */
export function roomIn(text) {
  const path = /^https?:\/\/[^/]+(?:\/[^/?#]+)*?\/r\/([^/?#]+)/.exec(text)?.[1];
  try {
    return addressable(path ? decodeURIComponent(path) : text);
  } catch {
    return addressable(text);
  }
}

/**
 * The node takes no name that cannot stand in an address.
 *
 * @param {string} name
 */
function addressable(name) {
  return name === '.' || name === '..' ? '' : name.replaceAll(/[/\\]/g, '-');
}

const ADJECTIVES = ['amber', 'brisk', 'calm', 'clear', 'early', 'gentle', 'golden', 'light', 'mellow', 'quiet', 'silver', 'warm'];
const NOUNS = ['alto', 'bass', 'cantor', 'canon', 'cello', 'choir', 'flute', 'harp', 'lute', 'tenor', 'viola', 'voice'];
/** Letters and digits that are not taken for one another. */
const SIGNS = 'abcdefghjkmnpqrstuvwxyz23456789';
const SIGNS_IN_NAME = 5;

/** @returns {string} a name that is easy to read out: one of four thousand million */
export function newRoomName() {
  const random = crypto.getRandomValues(new Uint32Array(2 + SIGNS_IN_NAME));
  const pick = (/** @type {ArrayLike<string>} */ from, /** @type {number} */ at) => from[(random[at] ?? 0) % from.length];
  const signs = Array.from({ length: SIGNS_IN_NAME }, (_, at) => pick(SIGNS, 2 + at)).join('');
  return `${pick(ADJECTIVES, 0)}-${pick(NOUNS, 1)}-${signs}`;
}
