import { at } from './base.js';
import { browserStorage } from './settings.js';

// Whoever made a room owns it by a key: random, kept by the browser, and handed on in the fragment of
// a link (`#key=…`), which browsers never send to a server. A link can hold any key: what one brought is
// kept by this tab alone until the node has said that it makes owners.

const STORED = 'motet-keys';
const OFFERED = 'motet-keys-offered';
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

/**
 * @param {string} room
 * @returns {string[]} what may make us its owner: the key that did before, then what a link brought
 */
export function ownerKeysFor(room) {
  const offered = new Map(read(tabStorage(), OFFERED)).get(room);
  const keys = [ownerKeyOf(room), offered ?? ''].filter(Boolean);
  return [...new Set(keys)];
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
  return write(browserStorage(), STORED, room, key);
}

/**
 * A link brought that key: it is tried, and kept by this tab.
 *
 * @param {string} room
 * @param {string} key
 * @returns {boolean} whether the tab keeps it
 */
export function offerOwnerKey(room, key) {
  return write(tabStorage(), OFFERED, room, key);
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

/** @returns {Storage | null} nothing where the browser keeps nothing for this page */
function tabStorage() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}

/**
 * @param {Storage | null} storage
 * @param {string} name
 * @param {string} room
 * @param {string} key
 */
function write(storage, name, room, key) {
  const others = read(storage, name).filter(([other]) => other !== room);
  try {
    storage?.setItem(name, JSON.stringify([...others, [room, key]].slice(-ROOMS_MAX)));
    return storage !== null;
  } catch {
    return false;
  }
}

function stored() {
  return read(browserStorage(), STORED);
}

/**
 * @param {Storage | null} storage
 * @param {string} name
 * @returns {[room: string, key: string][]} oldest first
 */
function read(storage, name) {
  try {
    const entries = JSON.parse(storage?.getItem(name) ?? '[]');
    return entries.filter((/** @type {unknown} */ entry) => Array.isArray(entry) && entry.every((part) => typeof part === 'string'));
  } catch {
    return [];
  }
}
