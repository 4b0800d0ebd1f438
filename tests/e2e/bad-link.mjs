// A link between two namespaces that loses and delays what it carries.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Flaws either way
 * @property {number} [loss] percent
 * @property {number} [delayMs]
 * @property {number} [jitterMs] by how much the delay varies, up and down; packets keep their order
 */

export class BadLink {
  #child;

  /**
   * The devices are there, without addresses, once it is made.
   *
   * @param {{after: (callback: () => unknown) => void}} test
   * @param {import('./namespaces.mjs').Namespaces} namespaces
   * @param {[place: string, link: string][]} ends both
   * @param {Flaws} flaws
   */
  constructor(test, namespaces, ends, { loss = 0, delayMs = 0, jitterMs = 0 }) {
    const script = fileURLToPath(new URL('impair.py', import.meta.url));
    const devices = ends.flatMap(([place, link]) => [namespaces.name(place), link]);
    const flaws = ['--loss', `${loss}`, '--delay', `${delayMs}`, '--jitter', `${jitterMs}`];
    this.#child = spawn('python3', [script, ...devices, ...flaws], { stdio: ['ignore', 'pipe', 'inherit'] });
    test.after(() => this.#child.kill());
    for (const [place, link] of ends) {
      const isThere = `[ -e /sys/class/net/${link} ]`;
      namespaces.run(place, ['sh', '-c', `for i in $(seq 100); do ${isThere} && exit; sleep 0.05; done; exit 1`]);
    }
  }

  /**
   * Ends it.
   *
   * @returns {Promise<{came: number, lost: number, passed: number}[]>} what it did: from its first end, to it
   */
  async end() {
    this.#child.kill();
    let text = '';
    for await (const chunk of this.#child.stdout) text += chunk;
    return JSON.parse(text.trim().split('\n').at(-1));
  }
}
