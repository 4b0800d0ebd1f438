// Two network namespaces joined by two links: a node's side and a roaming client's. Needs root.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The node's address, the same over either link. */
export const NODE = '10.77.0.1';

/** Why namespaces cannot be made here, or false. */
export function isMissing() {
  try {
    ip('netns', 'list');
    if (process.getuid?.() !== 0) return 'needs root';
    return false;
  } catch {
    return 'needs the command ip';
  }
}

export class Network {
  #id = `motet${process.pid % 10_000}`;

  /** @param {import('node:test').TestContext} test */
  constructor(test) {
    test.after(() => this.#down());
    for (const side of ['node', 'client']) {
      ip('netns', 'add', this.name(side));
      this.#in(side, 'link', 'set', 'lo', 'up');
    }
    this.#in('node', 'address', 'add', `${NODE}/32`, 'dev', 'lo');
    for (const link of [1, 2]) {
      ip('link', 'add', `l${link}`, 'netns', this.name('node'), 'type', 'veth', 'peer', 'name', `l${link}`, 'netns', this.name('client'));
      this.#in('node', 'address', 'add', `10.77.${link}.1/24`, 'dev', `l${link}`);
      this.#in('node', 'link', 'set', `l${link}`, 'up');
      this.#in('client', 'link', 'set', `l${link}`, 'up');
      this.enter(link);
    }
  }

  /** @param {'node' | 'client'} side */
  name(side) {
    return `${this.#id}${side[0]}`;
  }

  /**
   * A command that runs another one in a namespace.
   *
   * @param {'node' | 'client'} side
   * @param {string} command
   * @returns {string} path of a script
   */
  wrap(side, command) {
    const path = join(mkdtempSync(join(tmpdir(), 'motet-')), 'run');
    writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${this.name(side)} ${command} "$@"\n`, { mode: 0o755 });
    return path;
  }

  /** @param {1 | 2} link the client gets its address there */
  enter(link) {
    this.#in('client', 'address', 'add', `10.77.${link}.2/24`, 'dev', `l${link}`);
    this.#in('client', 'route', 'add', 'default', 'via', `10.77.${link}.1`, 'metric', String(100 * link));
  }

  /** @param {1 | 2} link the client loses its address there, and with it the routes */
  leave(link) {
    this.#in('client', 'address', 'flush', 'dev', `l${link}`);
  }

  #in(side, ...args) {
    ip('-n', this.name(side), ...args);
  }

  #down() {
    for (const side of ['node', 'client']) {
      try {
        ip('netns', 'delete', this.name(side));
      } catch {
        // It was never made.
      }
    }
  }
}

function ip(...args) {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}
