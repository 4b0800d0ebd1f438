/**
 * @import { Strain } from './protocol'
 * @import { Outbound } from './stats.js'
 */

/** So many seconds in a row, one sample each. */
const SAMPLES = 10;
/** Less than this part of what may be sent is far less. */
const STARVED = 0.4;

/**
 * Judges whether the mesh is too much for this client: the same camera is encoded and sent once for
 * every other member, where the node would take it once.
 */
export class StrainGauge {
  /** @type {(Strain | null)[]} */
  #samples = [];

  /**
   * Takes what was sent to each of the others within the last second.
   *
   * @param {Outbound[][]} pairs with one other there is nothing to gain
   * @returns {Strain | null} what gave way during all of the last ten samples
   */
  add(pairs) {
    this.#samples.push(pairs.length > 1 ? strainOf(pairs.flat()) : null);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const [first] = this.#samples;
    const holds = this.#samples.length === SAMPLES && this.#samples.every((sample) => sample === first);
    return (holds && first) || null;
  }

  reset() {
    this.#samples = [];
  }
}

/**
 * @param {Outbound[]} sent
 * @returns {Strain | null}
 */
function strainOf(sent) {
  const pictures = sent.filter(({ kind, limited }) => kind === 'video' && limited !== '');
  if (pictures.length === 0) return null;
  const isMost = (/** @type {Outbound[]} */ part) => 2 * part.length > pictures.length;
  if (isMost(pictures.filter(({ limited }) => limited === 'cpu'))) return 'cpu';
  const narrow = pictures.filter(({ limited, bitrate, bitrateMax }) => limited === 'bandwidth' && bitrate < STARVED * bitrateMax);
  return isMost(narrow) ? 'uplink' : null;
}
