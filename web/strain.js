/**
 * @import { Strain } from './protocol'
 * @import { Outbound } from './stats.js'
 */

/** Strain that lasts so long is told. */
const LASTS_MS = 10_000;
/** Whose page hardly runs takes few samples meanwhile; as many it has to be. */
const SAMPLES_MIN = 4;
/** Less than this part of what may be sent is far less. */
const STARVED = 0.4;

/**
 * Judges whether the mesh is too much for this client: the same camera is encoded and sent once for
 * every other member, where the node would take it once.
 */
export class StrainGauge {
  /** Of what is going on without a pause: when it began, and how many samples saw which. */
  #since = 0;
  #seen = { cpu: 0, uplink: 0 };

  /**
   * Takes what was sent to each of the others since the sample before, a second earlier or more.
   *
   * @param {Outbound[][]} pairs with one other there is nothing to gain
   * @param {number} now milliseconds
   * @returns {Strain | null} what gave way in most of the samples, if something did in every one of the
   *   last ten seconds: who cannot keep up encoding is soon taken for somebody with a narrow uplink, too
   */
  add(pairs, now) {
    const strain = pairs.length > 1 ? strainOf(pairs.flat()) : null;
    if (!strain) {
      this.reset();
      return null;
    }
    const { cpu, uplink } = this.#seen;
    if (cpu + uplink === 0) this.#since = now;
    this.#seen[strain] += 1;
    if (cpu + uplink + 1 < SAMPLES_MIN || now - this.#since < LASTS_MS) return null;
    return this.#seen.cpu >= this.#seen.uplink ? 'cpu' : 'uplink';
  }

  reset() {
    this.#seen = { cpu: 0, uplink: 0 };
  }
}

/**
 * @param {Outbound[]} sent
 * @returns {Strain | null}
 */
function strainOf(sent) {
  const pictures = sent.filter(({ kind, width }) => kind === 'video' && width > 0);
  if (pictures.length === 0) return null;
  const isMost = (/** @type {Outbound[]} */ part) => 2 * part.length > pictures.length;
  if (isMost(pictures.filter(({ limited }) => limited === 'cpu'))) return 'cpu';
  // What the encoder may use, not what it uses: a picture in which nothing moves needs little. (The
  // reason for a limited quality is `bandwidth` only where the picture became smaller for it.)
  const narrow = pictures.filter(({ bitrateTarget, bitrateMax }) => bitrateTarget > 0 && bitrateTarget < STARVED * bitrateMax);
  return isMost(narrow) ? 'uplink' : null;
}
