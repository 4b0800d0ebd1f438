// Two clients, each behind a NAT of its own, and the node in the public network between them:
//
//   a - natA === node === natB - b
//
// The NAT is the kernel's, its behaviour is made of nftables rules; nat-probe.mjs looks whether it is what
// its name says (RFC 4787). Needs root, ip and nft.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BadLink } from './bad-link.mjs';
import { Namespaces } from './namespaces.mjs';
import { isMissing as hasNoNamespaces } from './network.mjs';

/**
 * @typedef {'full cone' | 'address-restricted' | 'port-restricted' | 'symmetric' | 'UDP blocked'} Nat
 * @typedef {'a' | 'b' | 'natA' | 'natB' | 'node'} Place
 */

/** The node's address. Nobody else is in the node's network but the outer sides of the NATs. */
export const NODE = '198.51.100.1';
/** A second one, for the probe. */
export const SECOND = '198.51.100.2';
/** The whole public network: an address for documentation, so a relay has to be allowed to send there. */
export const PUBLIC = '198.51.100.0/24';

/** @type {Nat[]} */
export const NATS = ['full cone', 'address-restricted', 'port-restricted', 'symmetric', 'UDP blocked'];

/** Why these networks cannot be made here, or false. */
export function isMissing() {
  try {
    execFileSync('nft', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'needs the command nft';
  }
  return hasNoNamespaces();
}

const SIDES = [
  { client: 'a', nat: 'natA', number: 1 },
  { client: 'b', nat: 'natB', number: 2 },
];

export class NatNetwork extends Namespaces {
  /** @type {BadLink | undefined} */
  #badLink;

  /**
   * @param {{after: (callback: () => unknown) => void}} test
   * @param {Nat} a
   * @param {Nat} b
   * @param {{loss?: number, delayMs?: number}} [link] percent lost and time added between the first NAT and
   *   the node, either way
   */
  constructor(test, a, b, { loss = 0, delayMs = 0 } = {}) {
    super(test, ['a', 'b', 'natA', 'natB', 'node']);
    for (const address of [NODE, SECOND]) this.address('node', 'lo', `${address}/32`);
    this.set('node', 'net/ipv4/ip_forward', 1);
    // Where the first NAT's outer link would be.
    const ends = /** @type {[string, string][]} */ ([['natA', 'out'], ['node', 'out1']]);
    if (loss || delayMs) this.#badLink = new BadLink(test, this, ends, { loss, delayMs });
    else this.link('node', 'out1', 'natA', 'out');
    this.link('node', 'out2', 'natB', 'out');
    for (const [index, nat] of [a, b].entries()) this.#attach(SIDES[index], nat);
  }

  /** Joins a client to its NAT, and gives the NAT its way to the node. */
  #attach({ client, nat, number }, kind) {
    const [inner, outer] = [`192.168.${number}`, (/** @type {number} */ host) => `198.51.100.${16 * number + host}`];
    this.link(nat, 'in', client, 'eth');
    this.address(nat, 'in', `${inner}.1/24`);
    this.address(client, 'eth', `${inner}.2/24`);
    this.gateway(client, `${inner}.1`);
    this.address('node', `out${number}`, `${outer(1)}/28`);
    this.address(nat, 'out', `${outer(2)}/28`);
    this.gateway(nat, outer(1));
    this.set(nat, 'net/ipv4/ip_forward', 1);
    this.run(nat, ['nft', '-f', '-'], rules(kind, `${inner}.2`));
  }

  /**
   * Ends the bad link.
   *
   * @returns {Promise<{came: number, lost: number, passed: number}[]>} what it did: from the NAT, to it
   */
  async impaired() {
    return this.#badLink ? this.#badLink.end() : [];
  }

  /**
   * What the NATs of both clients are, by what they do.
   *
   * @returns {Promise<Nat[]>}
   */
  async probe() {
    const script = fileURLToPath(new URL('nat-probe.mjs', import.meta.url));
    const server = spawn('ip', ['netns', 'exec', this.name('node'), process.execPath, script, 'answer', NODE, SECOND]);
    try {
      await once(server.stdout, 'data');
      return await Promise.all(SIDES.map(({ client }) => this.#probeOf(client, script)));
    } finally {
      server.kill();
    }
  }

  async #probeOf(client, script) {
    const child = spawn('ip', ['netns', 'exec', this.name(client), process.execPath, script, 'ask', NODE, SECOND]);
    let text = '';
    for await (const chunk of child.stdout) text += chunk;
    return /** @type {Nat} */ (text.trim());
  }
}

/**
 * Rules of a NAT with the links `in` and `out` before one client. Its ports are kept by all but the
 * symmetric one: a mapping is the client's own port.
 *
 * @param {Nat} nat
 * @param {string} client
 */
function rules(nat, client) {
  const ports = nat === 'symmetric' ? 'random,fully-random' : '';
  return `
table ip nat {
  set mapped { type inet_service; flags dynamic,timeout; timeout 2m; }
  set contacted { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 2m; }
  chain out { type nat hook postrouting priority 100; oifname "out" masquerade ${ports}; }
  chain in { type nat hook prerouting priority -100; iifname "out" ${letsIn(nat, client)}; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ${nat === 'UDP blocked' ? 'meta l4proto udp drop' : ''}
    iifname "in" meta l4proto udp update @mapped { udp sport } update @contacted { udp sport . ip daddr }
    ct state established,related accept
    ct status dnat accept
    iifname "in" accept
  }
  # What nobody asked for must not become a connection of the NAT's own: the client's next one would then be
  # given another port, and a port-restricted cone would look symmetric.
  chain input { type filter hook input priority 0; iifname "out" ct state new meta l4proto udp drop; }
}`;
}

/** Which datagrams of others go to the client though it did not send to that very port (RFC 4787 §5). */
function letsIn(nat, client) {
  switch (nat) {
    case 'full cone':
      return `udp dport @mapped dnat to ${client}`;
    case 'address-restricted':
      return `udp dport . ip saddr @contacted dnat to ${client}`;
    default:
      return 'accept';
  }
}
