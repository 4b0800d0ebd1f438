/**
 * @import { MemberId } from './protocol'
 */

const INTERVAL_MS = 200;
/** Louder than this (0 to 1, as in RTP's audio levels) is speech. */
const LOUD = 0.02;
/** A pause shorter than this does not end a turn. */
const HOLD_MS = 800;

/** Who is speaking: as the node says, or by listening to the mesh. */
export class Speakers {
  #level;
  #changed;
  #timer = 0;
  /** @type {MemberId[]} */
  #heard = [];
  /** @type {Map<MemberId, number>} when each was loud last */
  #loudAt = new Map();
  /** @type {MemberId[]} */
  now = [];

  /**
   * @param {object} options
   * @param {(member: MemberId) => number} options.level
   * @param {() => void} options.changed
   */
  constructor({ level, changed }) {
    this.#level = level;
    this.#changed = changed;
  }

  /** @param {MemberId[] | null} members to listen to ourselves; `null`: the node tells */
  listen(members) {
    this.#heard = members ?? [];
    window.clearInterval(this.#timer);
    this.#timer = 0;
    if (members?.length) this.#timer = window.setInterval(() => this.#measure(), INTERVAL_MS);
    else this.#set([]);
  }

  /** @param {MemberId[]} members */
  hear(members) {
    if (!this.#timer) this.#set(members);
  }

  #measure() {
    const now = performance.now();
    for (const id of this.#heard) if (this.#level(id) > LOUD) this.#loudAt.set(id, now);
    this.#set(this.#heard.filter((id) => now - (this.#loudAt.get(id) ?? -Infinity) < HOLD_MS));
  }

  /** @param {MemberId[]} speakers */
  #set(speakers) {
    if (speakers.join() === this.now.join()) return;
    this.now = speakers;
    this.#changed();
  }
}
