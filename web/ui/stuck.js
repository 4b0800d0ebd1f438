/** So many frames that were decoded and not drawn are no accident. */
const STUCK_FRAMES = 20;

/**
 * Notices that nothing is drawn of what is decoded: a track of Chromium's may bring no more frames to any
 * element when its path was gone for some seconds.
 */
export class StuckWatch {
  /** Frames drawn when it was last looked, and decoded when one was last seen to be drawn. */
  #drawn = 0;
  #decodedThen = 0;

  /**
   * @param {object} now
   * @param {number} now.drawn by the element so far; 0 where that is not known
   * @param {number} now.decoded of the track so far; 0 where that is not known
   * @param {boolean} now.isVisible whether the page draws anything at all
   * @returns {boolean} once for each time that it sticks
   */
  look({ drawn, decoded, isVisible }) {
    const mayStand = drawn === 0 || !isVisible;
    if (mayStand || drawn !== this.#drawn || decoded < this.#decodedThen) this.#decodedThen = decoded;
    this.#drawn = drawn;
    if (decoded - this.#decodedThen < STUCK_FRAMES) return false;
    this.#decodedThen = decoded;
    return true;
  }
}
