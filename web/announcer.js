import { SOURCES } from './media.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { NodePeer } from './node-peer.js'
 * @import { ClientMessage, Source } from './protocol'
 */

/** Keeps what the node knows of our sources in step with what we send. */
export class Announcer {
  #media;
  #say;
  /** @type {Map<Source, {carrier: string, muted: boolean}>} */
  #said = new Map();

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
  }

  /** @param {NodePeer | null} node says which m-lines carry the sources, while there is one */
  sync(node) {
    const published = this.#media.published();
    for (const { source, stream, muted } of published) {
      const said = this.#said.get(source);
      const mid = node?.mid(source) ?? null;
      const carrier = mid === null ? (said?.carrier ?? '') : `${node?.generation}/${mid}`;
      if (said?.carrier !== carrier) {
        this.#say({ type: 'publish', source, stream, muted, ...(mid === null ? {} : { mid }) });
      } else if (said.muted !== muted) {
        this.#say({ type: 'mute', source, muted });
      }
      this.#said.set(source, { carrier, muted });
    }
    for (const source of SOURCES) {
      if (published.some((own) => own.source === source) || !this.#said.delete(source)) continue;
      this.#say({ type: 'unpublish', source });
    }
  }
}
