import { at } from '../base.js';

/** @import { RecordingEnd, Source } from '../protocol.js' */

/**
 * @typedef {object} TrackFile a file of one track; times in ms since the recording began
 * @property {string} name
 * @property {string} member whose
 * @property {Source} source
 * @property {string} codec
 * @property {number} atMs
 * @property {number} durationMs
 * @property {number} bytes
 *
 * @typedef {object} Recording as `GET /api/recordings` says it
 * @property {string} id
 * @property {string} room
 * @property {number} beganUnixMs
 * @property {number} [durationMs] once it is over
 * @property {RecordingEnd} [ended] why it is over
 * @property {string[]} members
 * @property {number} bytes
 * @property {{name: string, bytes: number}} [roomFile]
 * @property {TrackFile[]} files
 *
 * @typedef {{recordings: Recording[], next?: string | null}} Shelf
 */

const KEY = 'motet-admin-token';

/** The node did not do what was asked. */
export class Refusal extends Error {
  /** @param {number} status of HTTP; 0: no answer */
  constructor(status) {
    super(`refused: ${status}`);
    this.status = status;
  }

  /** Whether a token, or another one, would help. */
  get isForbidden() {
    return this.status === 401 || this.status === 403;
  }
}

/** The node's recordings over its API, with the token of whoever manages it, kept for this tab. */
export class Library {
  #token = sessionStorage.getItem(KEY) ?? '';

  get hasToken() {
    return this.#token !== '';
  }

  /** @param {string} token */
  useToken(token) {
    this.#token = token.trim();
  }

  /**
   * @param {string} [after] `next` of the shelf before
   * @returns {Promise<Shelf>}
   */
  async list(after) {
    const response = await this.#ask('GET', `api/recordings${after ? `?after=${encodeURIComponent(after)}` : ''}`);
    return response.json();
  }

  /** Keeps the token, and gets the cookie by which players read files: they send no token. */
  async openSession() {
    await this.#ask('POST', 'api/session');
    sessionStorage.setItem(KEY, this.#token);
  }

  /** Forgets the token here and the cookie in the browser. */
  async closeSession() {
    this.#token = '';
    sessionStorage.removeItem(KEY);
    await this.#ask('DELETE', 'api/session');
  }

  /** @param {Recording} recording goes on; it ends and stays */
  async end({ room }) {
    await this.#ask('DELETE', `api/rooms/${encodeURIComponent(room)}/recordings`);
  }

  /** @param {Recording} recording is over; its files are removed */
  async remove({ room, id }) {
    await this.#ask('DELETE', `api/rooms/${encodeURIComponent(room)}/recordings/${id}`);
  }

  /**
   * @param {Recording} recording
   * @param {string} name of a file
   */
  address({ room, id }, name) {
    return at(`api/rooms/${encodeURIComponent(room)}/recordings/${id}/files/${encodeURIComponent(name)}`);
  }

  /**
   * @param {string} method
   * @param {string} path below the node's own
   */
  async #ask(method, path) {
    /** @type {Record<string, string>} */
    const headers = this.hasToken ? { authorization: `Bearer ${this.#token}` } : {};
    const response = await fetch(at(path), { method, headers, cache: 'no-store' }).catch(() => null);
    if (!response?.ok) throw new Refusal(response?.status ?? 0);
    return response;
  }
}
