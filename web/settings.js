import { Emitter } from './events.js';

/**
 * @typedef {'system' | 'light' | 'dark'} Theme
 *
 * @typedef {object} Choices what somebody chose on this browser
 * @property {string} name of theirs
 * @property {boolean} microphone join with it on
 * @property {boolean} camera join with it on
 * @property {string} microphoneId a `deviceId`; empty: the browser's choice
 * @property {string} cameraId
 * @property {string} speakerId
 * @property {boolean} echoCancellation
 * @property {boolean} noiseSuppression
 * @property {boolean} autoGainControl
 * @property {boolean} mirror show the own picture as in a mirror
 * @property {string} language empty: the browser's
 * @property {Theme} theme
 * @property {'grid' | 'speaker'} view of a room
 * @property {boolean} shortcuts single keys do something
 * @property {boolean} openByLink a link that goes into a room (`?join`) may open microphone and camera
 *
 * @typedef {object} SettingsEvents
 * @property {Partial<Choices>} change what is different now
 */

const KEY = 'motet';

/** @type {Readonly<Choices>} */
const DEFAULTS = {
  name: '',
  microphone: true,
  camera: true,
  microphoneId: '',
  cameraId: '',
  speakerId: '',
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  mirror: true,
  language: '',
  theme: 'system',
  view: 'grid',
  shortcuts: true,
  openByLink: false,
};

/**
 * What was chosen, kept by the browser; where it keeps nothing, for as long as the page is open.
 *
 * @extends {Emitter<SettingsEvents>}
 */
export class Settings extends Emitter {
  #storage;
  #choices;

  /** @param {Storage | null} storage */
  constructor(storage) {
    super();
    this.#storage = storage;
    this.#choices = { ...DEFAULTS, ...known(this.#read()) };
  }

  /**
   * @template {keyof Choices} Name
   * @param {Name} name
   * @returns {Choices[Name]}
   */
  get(name) {
    return this.#choices[name];
  }

  /** @param {Partial<Choices>} choices */
  set(choices) {
    const different = Object.entries(choices).filter(([name, value]) => Reflect.get(this.#choices, name) !== value);
    if (different.length === 0) return;
    const change = Object.fromEntries(different);
    this.#choices = { ...this.#choices, ...change };
    this.#write();
    this.emit('change', change);
  }

  /** @returns {unknown} */
  #read() {
    try {
      return JSON.parse(this.#storage?.getItem(KEY) ?? '{}');
    } catch {
      return {};
    }
  }

  #write() {
    try {
      this.#storage?.setItem(KEY, JSON.stringify(this.#choices));
    } catch {
      // Full or forbidden: the choice holds until the page is closed.
    }
  }
}

/** @returns {Storage | null} nothing where the browser keeps nothing for this page */
export function browserStorage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    // Even looking at it throws where cookies are blocked.
    return null;
  }
}

/**
 * Only what is a choice, and of its type: the storage may hold what another version wrote.
 *
 * @param {unknown} stored
 * @returns {Partial<Choices>}
 */
function known(stored) {
  if (typeof stored !== 'object' || stored === null) return {};
  const fits = (/** @type {string} */ name) => typeof Reflect.get(stored, name) === typeof Reflect.get(DEFAULTS, name);
  return Object.fromEntries(Object.entries(stored).filter(([name]) => name in DEFAULTS && fits(name)));
}

/** The settings of this browser. */
export const settings = new Settings(browserStorage());
