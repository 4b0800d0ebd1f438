/**
 * @import { ChatLine } from '../protocol'
 */

/** Lines of one person within this time stand under one name. */
const GROUP_MS = 5 * 60_000;

/**
 * The room counts from when it came to be, and does not say when that was: a line that arrives now
 * was written now, so the earliest of these guesses is the nearest.
 */
export class ChatClock {
  /** @type {number | null} when the room came to be, on `Date.now()`'s clock */
  #origin = null;

  /** Another room, or the same after the node was restarted. */
  reset() {
    this.#origin = null;
  }

  /**
   * @param {ChatLine} line that arrived just now
   * @param {number} now on `Date.now()`'s clock
   * @returns {boolean} whether other times than before are to be shown
   */
  hear({ atMs }, now) {
    const origin = now - atMs;
    if (this.#origin !== null && origin >= this.#origin) return false;
    this.#origin = origin;
    return true;
  }

  /**
   * @param {number} atMs
   * @returns {Date | null} `null` as long as nobody can know
   */
  time(atMs) {
    return this.#origin === null ? null : new Date(this.#origin + atMs);
  }
}

/**
 * @param {ChatLine | undefined} before
 * @param {ChatLine} line
 * @returns {boolean} whether it goes on under the same name
 */
export function continues(before, line) {
  return before !== undefined && before.from === line.from && before.name === line.name && line.atMs - before.atMs < GROUP_MS;
}
