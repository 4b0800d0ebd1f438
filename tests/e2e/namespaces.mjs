// Network namespaces, from which a test's network is made. Needs root and ip.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let made = 0;

export class Namespaces {
  #id = `motet${process.pid % 100_000}x${(made += 1)}`;
  #places;

  /**
   * @param {{after: (callback: () => unknown) => void}} test they are gone after it
   * @param {string[]} places
   */
  constructor(test, places) {
    this.#places = places;
    test.after(() => this.#down());
    for (const place of places) {
      ip('netns', 'add', this.name(place));
      // Link-local addresses come late, and then a browser drops what it loads.
      for (const which of ['all', 'default']) this.set(place, `net/ipv6/conf/${which}/addr_gen_mode`, 1);
      this.in(place, 'link', 'set', 'lo', 'up');
    }
  }

  /** @param {string} place */
  name(place) {
    return `${this.#id}${place}`;
  }

  /**
   * The start of a command line that goes on at a place.
   *
   * @param {string} place
   */
  entry(place) {
    return ['ip', 'netns', 'exec', this.name(place)];
  }

  /** A link between two places, as yet without addresses. */
  link(near, nearLink, far, farLink) {
    ip('link', 'add', nearLink, 'netns', this.name(near), 'type', 'veth', 'peer', 'name', farLink, 'netns', this.name(far));
  }

  /** An address of a link, which is up from then on. */
  address(place, link, address) {
    const isIpv6 = address.includes(':');
    this.in(place, 'address', 'add', address, 'dev', link, ...(isIpv6 ? ['nodad'] : []));
    this.in(place, 'link', 'set', link, 'up');
  }

  /** Where everything goes that has no other way. */
  gateway(place, address) {
    this.in(place, 'route', 'add', 'default', 'via', address);
  }

  /** Runs `ip` at a place. */
  in(place, ...args) {
    ip('-n', this.name(place), ...args);
  }

  /**
   * Runs something at a place to its end.
   *
   * @param {string} place
   * @param {string[]} command
   * @param {string} [input]
   */
  run(place, command, input) {
    const [enter, ...rest] = this.entry(place);
    return execFileSync(enter, [...rest, ...command], { input, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** Gives a setting of the kernel a value. */
  set(place, name, value) {
    this.run(place, ['sh', '-c', `echo ${value} > /proc/sys/${name}`]);
  }

  /**
   * A command that runs another one at a place.
   *
   * @param {string} place
   * @param {string} command
   * @returns {string} path of a script
   */
  wrap(place, command) {
    const path = join(mkdtempSync(join(tmpdir(), 'motet-')), 'run');
    writeFileSync(path, `#!/bin/sh\nexec ${this.entry(place).join(' ')} ${command} "$@"\n`, { mode: 0o755 });
    return path;
  }

  #down() {
    for (const place of this.#places) {
      try {
        ip('netns', 'delete', this.name(place));
      } catch {
        // It was never made.
      }
    }
  }
}

function ip(...args) {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}
