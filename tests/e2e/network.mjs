// Network namespaces: a node's side, a roaming client's that two links join to it, and if it is wanted
// another client's, behind a third link. Needs root.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The node's address, the same over either link. */
export const NODE = '10.77.0.1';
/** Another one of the node's, for media alone. */
export const MEDIA = '10.77.0.2';
/** The address of the other client. */
export const OTHER = '10.77.3.2';

/** @typedef {'node' | 'client' | 'other'} Side */

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

  /** @type {Side[]} */
  #sides;

  /**
   * @param {import('node:test').TestContext} test
   * @param {{other?: boolean}} [options] whether there is another client
   */
  constructor(test, { other = false } = {}) {
    this.#sides = other ? ['node', 'client', 'other'] : ['node', 'client'];
    test.after(() => this.#down());
    for (const side of this.#sides) {
      ip('netns', 'add', this.name(side));
      // Its link-local addresses come late, and then a browser drops what it loads.
      this.#set(side, 'net/ipv6/conf/all/disable_ipv6', 1);
      this.#set(side, 'net/ipv6/conf/default/disable_ipv6', 1);
      this.#in(side, 'link', 'set', 'lo', 'up');
    }
    for (const address of [NODE, MEDIA]) this.#in('node', 'address', 'add', `${address}/32`, 'dev', 'lo');
    for (const link of /** @type {const} */ ([1, 2])) {
      this.#join(link, 'client');
      this.enter(link);
    }
    if (!other) return;
    this.#join(3, 'other');
    this.#in('other', 'address', 'add', `${OTHER}/24`, 'dev', 'l3');
    this.#in('other', 'route', 'add', 'default', 'via', '10.77.3.1');
    this.#set('node', 'net/ipv4/ip_forward', 1);
  }

  /**
   * @param {number} link
   * @param {Side} side
   */
  #join(link, side) {
    ip('link', 'add', `l${link}`, 'netns', this.name('node'), 'type', 'veth', 'peer', 'name', `l${link}`, 'netns', this.name(side));
    this.#in('node', 'address', 'add', `10.77.${link}.1/24`, 'dev', `l${link}`);
    this.#in('node', 'link', 'set', `l${link}`, 'up');
    this.#in(side, 'link', 'set', `l${link}`, 'up');
  }

  /** @param {string} address nothing that the client sends to it arrives any more */
  cut(address) {
    this.#in('client', 'route', 'add', 'blackhole', `${address}/32`);
  }

  /** @param {string} address what the client sends to it gets lost on the way, without an error */
  swallow(address) {
    this.#in('client', 'neighbour', 'replace', '10.77.1.99', 'lladdr', '02:00:00:00:00:99', 'dev', 'l1', 'nud', 'permanent');
    this.#in('client', 'route', 'add', `${address}/32`, 'via', '10.77.1.99');
  }

  /**
   * The clients reach the node alone, not each other. Unlike `cut`, sending does not fail at the sender:
   * Chromium closes a socket, with the relay behind it, when a route is a black hole.
   */
  separate() {
    this.#set('node', 'net/ipv4/ip_forward', 0);
  }

  /** The clients reach each other again. */
  unite() {
    this.#set('node', 'net/ipv4/ip_forward', 1);
  }

  /** @param {string} address that was cut, or swallowed what was sent to it */
  mend(address) {
    this.#in('client', 'route', 'delete', `${address}/32`);
  }

  /** @param {number} kilobits per second that leave the client, over either link */
  narrow(kilobits) {
    for (const link of ['l1', 'l2']) {
      const rate = ['tbf', 'rate', `${kilobits}kbit`, 'burst', '5kb', 'latency', '300ms'];
      execFileSync('tc', ['-n', this.name('client'), 'qdisc', 'add', 'dev', link, 'root', ...rate]);
    }
  }

  /**
   * What the client sends is dropped at the node's end of its links, if it is this.
   *
   * @param {...string} matches of nftables
   */
  block(...matches) {
    const rules = matches.map((match) => `iifname { "l1", "l2" } ${match} counter drop`);
    const table = `table inet block { chain in { type filter hook prerouting priority -300; ${rules.join('; ')}; }; }`;
    execFileSync('ip', ['netns', 'exec', this.name('node'), 'nft', table]);
  }

  /** What was blocked is let through again. */
  unblock() {
    execFileSync('ip', ['netns', 'exec', this.name('node'), 'nft', 'delete', 'table', 'inet', 'block']);
  }

  /**
   * How many packets were dropped by each rule of `block`.
   *
   * @returns {number[]}
   */
  blocked() {
    const rules = String(execFileSync('ip', ['netns', 'exec', this.name('node'), 'nft', 'list', 'table', 'inet', 'block']));
    return [...rules.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1]));
  }

  /**
   * The start of a command line that goes on in a namespace.
   *
   * @param {Side} side
   */
  entry(side) {
    return ['ip', 'netns', 'exec', this.name(side)];
  }

  /** @param {Side} side */
  name(side) {
    return `${this.#id}${side[0]}`;
  }

  /**
   * A command that runs another one in a namespace.
   *
   * @param {Side} side
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

  /**
   * @param {Side} side
   * @param {string} name of a setting of the kernel
   * @param {number} value
   */
  #set(side, name, value) {
    execFileSync('ip', ['netns', 'exec', this.name(side), 'sh', '-c', `echo ${value} > /proc/sys/${name}`]);
  }

  #in(side, ...args) {
    ip('-n', this.name(side), ...args);
  }

  #down() {
    for (const side of this.#sides) {
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
