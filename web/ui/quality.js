/**
 * @import { Incoming } from '../mesh.js'
 *
 * @typedef {0 | 1 | 2} Quality of a connection: good, weak, very weak
 */

const WEAK = { lossPercent: 3, rttMs: 400 };
const VERY_WEAK = { lossPercent: 10, rttMs: 900 };
/** A worse state shows after so many samples in a row, so that a lost packet worries nobody. */
const PATIENCE = 3;

/**
 * @param {Pick<Incoming, 'audioStats' | 'videoStats' | 'connection'> | null} incoming
 * @returns {Quality}
 */
export function qualityOf(incoming) {
  if (!incoming) return 0;
  const { audioStats, videoStats, connection } = incoming;
  const lossPercent = Math.max(audioStats?.lossPercent ?? 0, videoStats?.lossPercent ?? 0);
  const isBeyond = (/** @type {typeof WEAK} */ limit) => lossPercent > limit.lossPercent || connection.rttMs > limit.rttMs;
  return isBeyond(VERY_WEAK) ? 2 : isBeyond(WEAK) ? 1 : 0;
}

/** Smooths what is shown: worse when it lasts, better at once. */
export class Qualities {
  /** @type {Map<string, {shown: Quality, worse: Quality[], sample: unknown}>} */
  #known = new Map();

  /**
   * @param {string} id
   * @param {Quality} now
   * @param {unknown} sample the same object as before is the same sample
   * @returns {Quality} to be shown
   */
  see(id, now, sample) {
    const known = this.#known.get(id) ?? { shown: 0, worse: [], sample: null };
    this.#known.set(id, known);
    if (sample === known.sample) return known.shown;
    known.sample = sample;
    known.worse = now > known.shown ? [...known.worse, now] : [];
    if (now < known.shown) known.shown = now;
    if (known.worse.length >= PATIENCE) {
      known.shown = /** @type {Quality} */ (Math.min(...known.worse));
      known.worse = [];
    }
    return known.shown;
  }
}
