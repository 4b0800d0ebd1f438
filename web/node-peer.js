import { bitrateFor, cameraLayers, SCREEN_BITRATE, trimCodecs, withoutStrayFeedback } from './codecs.js';
import { Seats } from './seats.js';
import { Meter } from './stats.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { Incoming } from './mesh.js'
 * @import { Feed, MemberId, Seat, Source } from './protocol'
 */

const PATIENCE_MS = 3_000;
const RETRY_MS = 500;
/** The m-lines that we send on, in the order of the offer. */
const SENT = /** @type {const} */ (['microphone', 'camera', 'screen', 'screenAudio']);

let generations = 0;

/**
 * The one peer connection to the node. We always offer: our sending m-lines first, then the seats.
 *
 * A camera that is off keeps its m-line and loses its track, never its direction: Firefox does not
 * come back with simulcast from `inactive`.
 */
export class NodePeer {
  #media;
  #request;
  #changed;
  #lost;
  #connection;
  /** @type {Map<Source, RTCRtpTransceiver>} */
  #senders = new Map();
  #seats = new Seats();
  #fresh = true;
  #negotiating = false;
  /** @type {{iceRestart: boolean} | null} */
  #next = null;
  #patience = 0;
  #closed = false;
  /** Tells this peer's m-lines from those of the one before, which may have had the same mids. */
  generation = ++generations;
  meter;

  /**
   * @param {object} options
   * @param {LocalMedia} options.media
   * @param {RTCIceServer[]} options.iceServers
   * @param {number} options.seats
   * @param {(sdp: string, fresh: boolean) => Promise<string>} options.request sends an offer for an answer
   * @param {() => void} options.changed
   * @param {() => void} options.lost the connection is beyond repair: another one is needed
   */
  constructor({ media, iceServers, seats, request, changed, lost }) {
    this.#media = media;
    this.#request = request;
    this.#changed = changed;
    this.#lost = lost;
    this.#connection = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.#connection.onconnectionstatechange = () => this.#watch();
    this.meter = new Meter(this.#connection);
    for (const source of SENT) this.#addSender(source);
    this.#seats.grow(this.#connection, seats);
    this.#negotiate({ iceRestart: false });
  }

  get state() {
    return this.#connection.connectionState;
  }

  get seatCount() {
    return this.#seats.count;
  }

  get plan() {
    return this.#seats.plan;
  }

  /** @param {number} count asks for at least so many seats; they are never given back */
  growTo(count) {
    if (count <= this.#seats.count) return;
    this.#seats.grow(this.#connection, count);
    this.#negotiate({ iceRestart: false });
  }

  /** @param {(Seat | null)[]} plan */
  setPlan(plan) {
    this.#seats.assign(plan, this.meter.latest);
    this.#changed();
  }

  /**
   * @param {Source} source
   * @returns {string | null} the m-line that carries it
   */
  mid(source) {
    return this.#senders.get(source)?.mid ?? null;
  }

  syncTracks() {
    for (const [source, { sender }] of this.#senders) {
      const track = this.#media.track(source);
      if (sender.track === track) continue;
      sender.replaceTrack(track).catch((error) => console.warn('replaceTrack', error));
    }
  }

  /**
   * @param {MemberId} member
   * @param {Feed} feed
   * @returns {Incoming | null}
   */
  incoming(member, feed) {
    const incoming = this.#seats.incoming(member, feed, this.meter.latest);
    return incoming && { ...incoming, key: `node/${this.generation}/${incoming.key}` };
  }

  close() {
    this.#closed = true;
    window.clearTimeout(this.#patience);
    this.#connection.close();
  }

  /** @param {Source} source */
  #addSender(source) {
    const audio = source === 'microphone' || source === 'screenAudio';
    const transceiver = this.#connection.addTransceiver(this.#media.track(source) ?? (audio ? 'audio' : 'video'), {
      direction: 'sendonly',
      streams: [this.#media.stream(source)],
      sendEncodings: this.#encodings(source),
    });
    trimCodecs(transceiver);
    this.#senders.set(source, transceiver);
  }

  /**
   * @param {Source} source
   * @returns {RTCRtpEncodingParameters[] | undefined}
   */
  #encodings(source) {
    if (source === 'screen') return [{ maxBitrate: SCREEN_BITRATE }];
    if (source !== 'camera') return undefined;
    const layers = cameraLayers(this.#media.cameraHeight);
    return layers.length > 1 ? layers : [{ maxBitrate: bitrateFor(this.#media.cameraHeight) }];
  }

  /**
   * One offer at a time; what is asked meanwhile is in the next.
   *
   * @param {{iceRestart: boolean}} options
   */
  async #negotiate(options) {
    if (this.#negotiating) {
      this.#next = { iceRestart: options.iceRestart || Boolean(this.#next?.iceRestart) };
      return;
    }
    this.#negotiating = true;
    const again = await this.#offer(options);
    this.#negotiating = false;
    const next = this.#next ?? again;
    this.#next = null;
    if (next && !this.#closed) this.#negotiate(next);
  }

  /**
   * @param {{iceRestart: boolean}} options
   * @returns {Promise<{iceRestart: boolean} | null>} what to try again
   */
  async #offer(options) {
    try {
      await this.#connection.setLocalDescription(await this.#connection.createOffer(options));
      const offer = withoutStrayFeedback(this.#connection.localDescription?.sdp ?? '');
      const sdp = await this.#request(offer, this.#fresh);
      if (this.#closed) return null;
      await this.#connection.setRemoteDescription({ type: 'answer', sdp });
      this.#fresh = false;
      return null;
    } catch (error) {
      if (this.#closed) return null;
      console.warn('offer to the node', error);
      const code = /** @type {any} */ (error).code;
      await new Promise((resolve) => window.setTimeout(resolve, RETRY_MS));
      if (code === 'staleEpoch' || code === 'timeout') return options;
      // The node knows this connection no longer; the first offer of a new one is refused for good.
      if (!this.#fresh && !this.#closed) this.#lost();
      return null;
    }
  }

  #watch() {
    window.clearTimeout(this.#patience);
    this.#changed();
    if (this.state !== 'failed' && this.state !== 'disconnected') return;
    const patience = this.state === 'failed' ? RETRY_MS : PATIENCE_MS;
    this.#patience = window.setTimeout(() => this.#negotiate({ iceRestart: true }), patience);
  }
}
