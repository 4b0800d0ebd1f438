import { at } from './base.js';
import { browserStorage } from './settings.js';

// Whoever made a room owns it by a key: random, kept by the browser, and handed on in the fragment of
// a link (`#key=…`), which browsers never send to a server.

const STORED = 'motet-keys';
/** The rooms that were used longest ago are forgotten beyond this. */
const ROOMS_MAX = 50;
const KEY_BYTES = 24;
/** What the node takes (`join.ownerKey`). */
const KEY_FORM = /^[A-Za-z0-9_-]{16,128}$/;

/** @returns {string} 32 characters of base64url, 192 random bits */
export function newOwnerKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_');
}

/**
 * @param {string} room
 * @returns {string} the key to it, or nothing if it is not owned here
 */
export function ownerKeyOf(room) {
  return new Map(stored()).get(room) ?? '';
}

/** @returns {string[]} the rooms that are owned here, the latest first */
export function ownedRooms() {
  return stored().map(([room]) => room).reverse();
}

/**
 * @param {string} room
 * @param {string} key
 * @returns {boolean} whether the browser keeps it
 */
export function keepOwnerKey(room, key) {
  const others = stored().filter(([name]) => name !== room);
  try {
    const storage = browserStorage();
    storage?.setItem(STORED, JSON.stringify([...others, [room, key]].slice(-ROOMS_MAX)));
    return storage !== null;
  } catch {
    return false;
  }
}

/**
 * @param {string} fragment of an address, `#key=…`
 * @returns {string} the key in it, or nothing
 */
export function keyInFragment(fragment) {
  const key = new URLSearchParams(fragment.replace(/^#/, '')).get('key') ?? '';
  return KEY_FORM.test(key) ? key : '';
}

/**
 * @param {string} room
 * @param {string} [key] makes it a link for owners
 */
export function linkTo(room, key) {
  return new URL(at(`r/${encodeURIComponent(room)}${key ? `#key=${key}` : ''}`), location.href).href;
}

/** @returns {[room: string, key: string][]} oldest first */
function stored() {
  try {
    const entries = JSON.parse(browserStorage()?.getItem(STORED) ?? '[]');
    return entries.filter((/** @type {unknown} */ entry) => Array.isArray(entry) && entry.every((part) => typeof part === 'string'));
  } catch {
    return [];
  }
}
