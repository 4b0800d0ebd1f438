import { plays, sends } from './feeds.js';
import { StrainGauge } from './strain.js';

/**
 * @import { Mesh } from './mesh.js'
 * @import { NodePeer } from './node-peer.js'
 * @import { ClientMessage, Member, Strain } from './protocol'
 */

/** What the node must know of our paths, each thing told when it changes. */
export class Reports {
  #say;
  #gauge = new StrainGauge();
  /** @type {Strain | null} */
  #strain = null;

  /** @param {(message: ClientMessage) => unknown} say */
  constructor(say) {
    this.#say = say;
  }

  /** A new membership, or a WebSocket that may have lost our last words. */
  reset() {
    this.#strain = null;
    this.#gauge.reset();
  }

  /**
   * That a pair failed, and that one that had failed plays.
   *
   * @param {Mesh} mesh
   * @param {Map<string, Member>} members
   * @param {number} epoch
   */
  pairs(mesh, members, epoch) {
    for (const [id, pair] of mesh.pairs()) {
      const member = members.get(id);
      if (!member) continue;
      if (pair.health === 'failed' && pair.reported !== 'failed') {
        pair.reported = 'failed';
        this.#say({ type: 'pair', member: id, epoch, state: 'failed' });
      } else if (pair.health === 'connected' && pair.reported === 'failed' && isPlaying(mesh, member)) {
        pair.reported = 'connected';
        this.#say({ type: 'pair', member: id, epoch, state: 'connected' });
      }
    }
  }

  /** @param {NodePeer} node why it cannot be reached; that it can be, the node sees by itself */
  node(node) {
    if (!node.unreachable || node.unreachable === node.reported) return;
    node.reported = node.unreachable;
    this.#say({ type: 'unreachable', cause: node.unreachable });
  }

  /** @param {Mesh | null} mesh sampled a moment ago; `null` while there is none to judge */
  strain(mesh) {
    if (!mesh) return this.#gauge.reset();
    const strain = this.#gauge.add(mesh.pairs().map(([, pair]) => [...pair.meter.latest.outbound.values()].flat()), performance.now());
    if (!strain || strain === this.#strain) return;
    this.#strain = strain;
    this.#say({ type: 'strain', cause: strain });
  }
}

/**
 * @param {Mesh} mesh
 * @param {Member} member
 */
function isPlaying(mesh, member) {
  const incoming = mesh.incoming(member, 'camera');
  return !sends(member, 'camera') || Boolean(incoming && plays(member, 'camera', incoming));
}
