/**
 * @import { Incoming } from './mesh.js'
 * @import { Room } from './motet.js'
 * @import { Feed, Member } from './protocol'
 */

/** @type {readonly Feed[]} */
const FEEDS = ['camera', 'screen'];

/**
 * `window.motet`: the state of the call, to be read by tests and the curious. Copies, never handles.
 *
 * @param {Room} room
 */
export function exposeForTests(room) {
  const hook = {
    get state() {
      return room.state;
    },
    get mode() {
      return room.mode;
    },
    get epoch() {
      return room.epoch;
    },
    get switching() {
      return room.isSwitching;
    },
    get why() {
      return { ...room.why };
    },
    get exceptions() {
      return structuredClone(room.exceptions);
    },
    get role() {
      return room.role;
    },
    get you() {
      return room.you;
    },
    get members() {
      return structuredClone([...room.members.values()]);
    },
    get seats() {
      return structuredClone(room.seats);
    },
    get speakers() {
      return [...room.speakers];
    },
    get chat() {
      return structuredClone(room.chat);
    },
    /**
     * States of the connections that there are: one to each member in a mesh, and one to the node,
     * which is kept warm while nothing is sent on it.
     */
    get connections() {
      const pairs = (room.mesh?.pairs() ?? []).map(([id, pair]) => [id, pair.state]);
      return { mesh: Object.fromEntries(pairs), node: room.node?.state ?? null, isWarm: room.node?.isSending === false };
    },
    /** How often ICE was restarted on the connections that there are. */
    get restarts() {
      const pairs = (room.mesh?.pairs() ?? []).map(([, pair]) => pair.restarts);
      return { mesh: pairs.reduce((sum, count) => sum + count, 0), node: room.node?.restarts ?? 0 };
    },
    /** What arrives now from each of the others, by name, sampled at most a second ago. */
    quality() {
      return Object.fromEntries(room.others().map((member) => [member.name, qualityOf(room, member)]));
    },
    /** Bytes of media that went to the node on the connection that there is. */
    sentOverNode() {
      const layers = [...(room.node?.meter.latest.outbound.values() ?? [])].flat();
      return layers.reduce((sum, { bytes }) => sum + bytes, 0);
    },
    /** What is sent now: the latest outbound statistics of every connection. */
    sent() {
      const meters = [...(room.mesh?.pairs() ?? []).map(([, pair]) => pair.meter), ...(room.node ? [room.node.meter] : [])];
      return meters.map(({ latest }) => [...latest.outbound.values()].flat());
    },
  };
  Object.defineProperty(window, 'motet', { value: Object.freeze(hook), configurable: true });
}

/**
 * @param {Room} room
 * @param {Member} member
 */
function qualityOf(room, member) {
  const feeds = FEEDS.map((feed) => {
    const incoming = room.incoming(member, feed);
    return [feed, incoming && plain(incoming)];
  });
  return { id: member.id, ...Object.fromEntries(feeds) };
}

/** @param {Incoming} incoming */
function plain({ audioStats, videoStats, connection, path, key }) {
  return { path, key, audio: audioStats && { ...audioStats }, video: videoStats && { ...videoStats }, connection: { ...connection } };
}
