import { bitrateFor, cameraLayers, encodeAs, SCREEN_BITRATE, trimCodecs, withoutStrayFeedback } from './codecs.js';
import { Pulse } from './pulse.js';
import { Seats } from './seats.js';
import { isSpent } from './spent.js';
import { Meter } from './stats.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { Incoming } from './mesh.js'
 * @import { Feed, MemberId, PictureCodec, Seat, Source, Undecodable, Unreachable } from './protocol'
 */

/** Without media for so long, or with ICE doubting the path, ICE is restarted. */
const PATIENCE_MS = 600;
const RETRY_MS = 500;
/** A connection that is not up after so long, restarts included, is said to be impossible. */
const UNREACHABLE_MS = 8_000;
/** The direct way has so long; then the relay is tried as well. */
const DIRECT_MS = 2_500;
/** The m-lines that we send on, in the order of the offer. */
const SENT = /** @type {const} */ (['microphone', 'camera', 'screen', 'screenAudio']);

let generations = 0;

/**
 * The one peer connection to the node. We always offer: our sending m-lines first, then the seats.
 * In a mesh it is kept warm: it is up, and nothing is sent on it.
 *
 * Of the node's servers it uses the relay over TCP and TLS alone, and only once the direct way does not
 * come up or has been lost: for networks that let no UDP through. Over UDP the node is reachable or it
 * is not; from an address that Chromium knows as that of a STUN server over UDP it takes no answers to
 * checks, and the node's media comes from that very address.
 *
 * A camera that is off keeps its m-line and loses its track, never its direction: Firefox does not
 * come back with simulcast from `inactive`.
 */
export class NodePeer {
  #media;
  #iceServers;
  #request;
  #changed;
  #lost;
  #connection;
  #pulse;
  #isSending;
  /** @type {Map<Source, RTCRtpTransceiver>} */
  #senders = new Map();
  #seats = new Seats();
  #fresh = true;
  #negotiating = false;
  /** @type {{iceRestart: boolean} | null} */
  #next = null;
  #patience = 0;
  #failing = 0;
  #directly = 0;
  /** Ends the pause before an offer is made again. */
  #retry = () => {};
  #closed = false;
  /** Why the node cannot be reached, once that is clear. @type {Unreachable | null} */
  unreachable = null;
  /** What the node was told of it. @type {Unreachable | null} */
  reported = null;
  /** Since when it is not up, though it should be, on `performance.now()`'s clock; or 0. */
  downSince;
  /** How often ICE was restarted. */
  restarts = 0;
  /** Tells this peer's m-lines from those of the one before, which may have had the same mids. */
  generation = ++generations;
  meter;

  /**
   * @param {object} options
   * @param {LocalMedia} options.media
   * @param {RTCIceServer[]} options.iceServers all that the node has told
   * @param {number} options.seats
   * @param {boolean} options.isSending or only warm
   * @param {number} options.downSince when the connection before this one, which it replaces, was lost; or 0
   * @param {() => boolean} options.expects whether anybody on our seats sends anything now
   * @param {() => void} options.silent nothing arrives though somebody does
   * @param {(sdp: string, fresh: boolean) => Promise<string>} options.request sends an offer for an answer
   * @param {() => void} options.changed
   * @param {() => void} options.lost the connection is beyond repair: another one is needed
   */
  constructor({ media, iceServers, seats, isSending, downSince, expects, silent, request, changed, lost }) {
    this.#media = media;
    this.#iceServers = iceServers;
    this.#isSending = isSending;
    this.downSince = downSince;
    this.#request = request;
    this.#changed = changed;
    this.#lost = lost;
    this.#connection = new RTCPeerConnection(configurationWith([]));
    this.#connection.onconnectionstatechange = () => this.#watch();
    this.#pulse = new Pulse(this.#connection, { patience: PATIENCE_MS, expects, doubt: silent, lost: () => this.restart() });
    this.meter = new Meter(this.#connection);
    for (const source of SENT) this.#addSender(source);
    this.#seats.grow(this.#connection, seats);
    this.#expectSuccess();
    this.#directly = window.setTimeout(() => {
      if (this.state !== 'connected') this.restart();
    }, DIRECT_MS);
    this.#negotiate({ iceRestart: false });
  }

  get isSending() {
    return this.#isSending;
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

  /** @param {Undecodable[]} pictures of which nothing comes, by what we have offered */
  setUndecodable(pictures) {
    this.#seats.setUndecodable(pictures);
    this.#changed();
  }

  /**
   * Sends a picture in another codec from now on; others cannot decode the present one.
   *
   * @param {Source} source
   * @param {PictureCodec} codec of those that were negotiated
   */
  async encode(source, codec) {
    const transceiver = this.#senders.get(source);
    if (!transceiver || (await encodeAs(transceiver, codec)) || this.#closed) return;
    // Browsers send what stands first in the answer, which has the offer's order.
    trimCodecs(transceiver, { first: codec });
    this.#negotiate({ iceRestart: false });
  }

  /**
   * @param {Source} source
   * @returns {string | null} the m-line that carries it
   */
  mid(source) {
    return this.#senders.get(source)?.mid ?? null;
  }

  /** @param {boolean} isSending whether our media goes this way */
  setSending(isSending) {
    if (this.#isSending === isSending) return;
    this.#isSending = isSending;
    this.syncTracks();
  }

  /** @param {RTCIceServer[]} iceServers from the next search for a path on */
  useServers(iceServers) {
    this.#iceServers = iceServers;
    if (this.restarts > 0) this.#useRelay();
  }

  /** Looks for another path; what plays goes on until there is one. */
  restart() {
    window.clearTimeout(this.#patience);
    if (isSpent(this.#connection)) return this.#lost();
    this.restarts += 1;
    this.#useRelay();
    this.#expectSuccess();
    this.#negotiate({ iceRestart: true });
  }

  syncTracks() {
    for (const [source, { sender }] of this.#senders) {
      const track = this.#trackOf(source);
      if (sender.track === track) continue;
      sender.replaceTrack(track).catch((error) => console.warn('replaceTrack', error));
    }
  }

  /**
   * @param {MemberId} member
   * @param {Feed} feed
   * @returns {boolean} whether nothing comes of their picture, as we cannot decode it
   */
  isBlind(member, feed) {
    return this.#seats.undecodable(member, feed) !== null;
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
    window.clearTimeout(this.#failing);
    window.clearTimeout(this.#directly);
    this.#pulse.stop();
    this.#connection.close();
  }

  /** @param {Source} source */
  #trackOf(source) {
    return this.#isSending ? this.#media.track(source) : null;
  }

  #useRelay() {
    if (this.#connection.signalingState !== 'closed') this.#connection.setConfiguration(configurationWith(this.#iceServers));
  }

  /** Gives the connection some time, and says what is missing if it is not up then; another try does not begin it anew. */
  #expectSuccess() {
    const now = performance.now();
    if (this.state === 'connected') this.downSince = 0;
    this.downSince ||= now;
    window.clearTimeout(this.#failing);
    this.#failing = window.setTimeout(() => {
      if (this.state === 'connected') {
        this.downSince = 0;
        return;
      }
      this.unreachable = whatIsMissing(this.#connection);
      this.#changed();
    }, Math.max(0, this.downSince + UNREACHABLE_MS - now));
  }

  /** @param {Source} source */
  #addSender(source) {
    const audio = source === 'microphone' || source === 'screenAudio';
    const transceiver = this.#connection.addTransceiver(this.#trackOf(source) ?? (audio ? 'audio' : 'video'), {
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
      const code = /** @type {any} */ (error).code;
      const isPassing = code === 'staleEpoch' || code === 'tooFast' || code === 'timeout' || code === 'closed';
      if (code !== 'closed') console.warn('offer to the node', error);
      await this.#pause();
      if (isPassing) return options;
      if (this.#fresh) {
        this.unreachable = 'refused';
        this.#changed();
      }
      // The node knows this connection no longer; the first offer of a new one is refused for good.
      if (this.#fresh || this.#closed) return null;
      this.downSince = 0;
      this.#lost();
      return null;
    }
  }

  /** The WebSocket is back: an offer that was lost with it is made again at once. */
  resume() {
    this.#retry();
  }

  /** @returns {Promise<void>} */
  #pause() {
    return new Promise((resolve) => {
      this.#retry = resolve;
      window.setTimeout(resolve, RETRY_MS);
    });
  }

  #watch() {
    window.clearTimeout(this.#patience);
    if (this.state === 'connected') {
      window.clearTimeout(this.#failing);
      this.downSince = 0;
      this.unreachable = this.reported = null;
    }
    this.#changed();
    if (this.state !== 'failed' && this.state !== 'disconnected') return;
    const patience = this.state === 'failed' ? RETRY_MS : PATIENCE_MS;
    this.#patience = window.setTimeout(() => this.restart(), patience);
  }
}

/**
 * @param {RTCPeerConnection} connection one that does not come up
 * @returns {Unreachable}
 */
function whatIsMissing({ iceConnectionState }) {
  return iceConnectionState === 'connected' || iceConnectionState === 'completed' ? 'dtls' : 'ice';
}

/**
 * @param {RTCIceServer[]} iceServers
 * @returns {RTCConfiguration}
 */
function configurationWith(iceServers) {
  const overTcp = iceServers.map((server) => ({ ...server, urls: [server.urls].flat().filter((url) => url.endsWith('transport=tcp')) }));
  return { iceServers: overTcp.filter(({ urls }) => urls.length > 0), bundlePolicy: 'max-bundle' };
}
