import { trimCodecs } from './codecs.js';

/**
 * @import { Incoming } from './mesh.js'
 * @import { Feed, MemberId, PictureCodec, Seat, Undecodable } from './protocol'
 * @import { Sample } from './stats.js'
 *
 * @typedef {object} Place one seat: the k-th receiving audio m-line and the k-th receiving video one
 * @property {RTCRtpTransceiver} audio
 * @property {RTCRtpTransceiver} video
 * @property {Seat | null} occupant
 * @property {number} since when the occupant sat down, on `performance.now()`'s clock
 * @property {number} sittings how many occupants it had
 * @property {number} framesBefore frames decoded when the occupant sat down
 * @property {number} packetsBefore packets of sound received when the occupant sat down
 */

/** The seats of the connection to the node, and who sits on them. */
export class Seats {
  /** @type {Place[]} */
  #places = [];
  /** @type {(Seat | null)[]} may reach beyond the seats there are until the node has our next offer */
  #plan = [];
  /** @type {Undecodable[]} */
  #undecodable = [];

  get count() {
    return this.#places.length;
  }

  get plan() {
    return this.#places.map(({ occupant }) => occupant);
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {number} count
   */
  grow(connection, count) {
    while (this.#places.length < count) {
      const audio = connection.addTransceiver('audio', { direction: 'recvonly' });
      const video = connection.addTransceiver('video', { direction: 'recvonly' });
      trimCodecs(audio);
      trimCodecs(video, { receives: true });
      const place = { audio, video, since: 0, sittings: 0, framesBefore: 0, packetsBefore: 0 };
      this.#places.push({ ...place, occupant: this.#plan[this.#places.length] ?? null });
    }
  }

  /**
   * @param {(Seat | null)[]} plan
   * @param {Sample} sample
   */
  assign(plan, { inbound }) {
    this.#plan = plan;
    this.#places.forEach((place, index) => {
      const occupant = plan[index] ?? null;
      if (isSame(place.occupant, occupant)) return;
      place.occupant = occupant;
      place.since = performance.now();
      place.sittings += 1;
      place.framesBefore = inbound.get(place.video.mid ?? '')?.framesDecoded ?? 0;
      place.packetsBefore = inbound.get(place.audio.mid ?? '')?.packets ?? 0;
    });
  }

  /** @param {Undecodable[]} pictures of which nothing comes, by what we have offered */
  setUndecodable(pictures) {
    this.#undecodable = pictures;
  }

  /**
   * @param {MemberId} member
   * @param {Feed} feed
   * @returns {PictureCodec | null} how their picture is sent, if we cannot decode it
   */
  undecodable(member, feed) {
    return this.#undecodable.find((picture) => isSame(picture, { member, feed }))?.codec ?? null;
  }

  /**
   * @param {MemberId} member
   * @param {Feed} feed
   * @param {Sample} sample
   * @returns {Incoming | null} statistics count from when they sat down
   */
  incoming(member, feed, { inbound, connection }) {
    const index = this.#places.findIndex(({ occupant }) => isSame(occupant, { member, feed }));
    const place = this.#places[index];
    if (!place) return null;
    const audio = inbound.get(place.audio.mid ?? '');
    const video = inbound.get(place.video.mid ?? '');
    return {
      audio: place.audio.receiver.track,
      video: place.video.receiver.track,
      audioStats: audio ? { ...audio, packets: audio.packets - place.packetsBefore } : null,
      videoStats: video ? { ...video, framesDecoded: video.framesDecoded - place.framesBefore } : null,
      since: place.since,
      connection,
      path: 'node',
      undecodable: this.undecodable(member, feed),
      key: `${index}/${place.sittings}`,
    };
  }
}

/**
 * @param {Seat | null} one
 * @param {Seat | null} other
 */
function isSame(one, other) {
  return one?.member === other?.member && one?.feed === other?.feed;
}
