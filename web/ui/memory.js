/**
 * @typedef {object} Memory
 * @property {string} [name]
 * @property {string} [room]
 * @property {boolean} [microphone]
 * @property {boolean} [camera]
 * @property {'grid' | 'speaker'} [view]
 * @property {boolean} [shortcuts] single keys do something
 */

const KEY = 'motet';

/** @returns {Memory} what was entered last; nothing if the browser keeps nothing */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}');
  } catch {
    return {};
  }
}

/** @param {Memory} memory */
export function remember(memory) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...remembered(), ...memory }));
  } catch {
    // Storage is blocked; it is a comfort only.
  }
}
