import { SOURCES } from './media.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { NodePeer } from './node-peer.js'
 * @import { ClientMessage, Source } from './protocol'
 */

/** The node takes a few changes a second: of those who press a button again and again the last one counts. */
const MUTE_INTERVAL_MS = 250;
/** Before all of it is said again that the node refused as too much at once. */
const PAUSE_MS = 1_000;

/** Keeps what the node knows of our sources in step with what we send. */
export class Announcer {
  #media;
  #say;
  /** @type {Map<Source, {carrier: string | null, muted: boolean, mutedAt: number}>} */
  #said = new Map();
  /** @type {NodePeer | null} */
  #node = null;
  #timer = 0;
  #isPausing = false;

  /**
   * @param {LocalMedia} media
   * @param {(message: ClientMessage) => unknown} say
   */
  constructor(media, say) {
    this.#media = media;
    this.#say = say;
  }

  /** The node knows nothing, or nothing any more. */
  reset() {
    this.#said.clear();
    this.#syncIn(0);
  }

  /** The node refused what we said last as too much at once. */
  pause() {
    if (this.#isPausing) return;
    for (const source of SOURCES) this.#said.set(source, { carrier: null, muted: false, mutedAt: -Infinity });
    this.#syncIn(PAUSE_MS);
    this.#isPausing = true;
  }

  /** @param {NodePeer | null} node says which m-lines carry the sources, while there is one */
  sync(node) {
    this.#node = node;
    if (this.#isPausing) return;
    const published = this.#media.published();
    const now = performance.now();
    for (const { source, stream, muted } of published) {
      const said = this.#said.get(source);
      const mid = node?.mid(source) ?? null;
      const carrier = mid === null ? (said?.carrier ?? '') : `${node?.generation}/${mid}`;
      if (said?.carrier !== carrier) {
        this.#say({ type: 'publish', source, stream, muted, ...(mid === null ? {} : { mid }) });
      } else if (said.muted !== muted) {
        const wait = said.mutedAt + MUTE_INTERVAL_MS - now;
        if (wait > 0) {
          this.#syncIn(wait);
          continue;
        }
        this.#say({ type: 'mute', source, muted });
        said.mutedAt = now;
      }
      this.#said.set(source, { carrier, muted, mutedAt: said?.mutedAt ?? -Infinity });
    }
    for (const source of SOURCES) {
      if (published.some((own) => own.source === source) || !this.#said.delete(source)) continue;
      this.#say({ type: 'unpublish', source });
    }
  }

  /** @param {number} ms from now; 0: not at all */
  #syncIn(ms) {
    window.clearTimeout(this.#timer);
    this.#isPausing = false;
    this.#timer = !ms ? 0 : window.setTimeout(() => {
      this.#isPausing = false;
      this.sync(this.#node);
    }, ms);
  }
}
