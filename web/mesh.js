import { usernameFragment, withRaisedPriority } from './candidates.js';
import { bitrateFor, SCREEN_BITRATE, trimCodecs, withoutStrayFeedback } from './codecs.js';
import { isSilenced, SOURCES_OF } from './feeds.js';
import { SOURCES } from './media.js';
import { Pulse } from './pulse.js';
import { isSpent } from './spent.js';
import { Meter } from './stats.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { Candidate, Feed, Member, MemberId, PictureCodec, Signal, Source } from './protocol'
 * @import { Connection, Inbound } from './stats.js'
 *
 * @typedef {object} Incoming one feed of one member as it comes in on one path
 * @property {MediaStreamTrack | null} audio
 * @property {MediaStreamTrack | null} video
 * @property {Inbound | null} audioStats
 * @property {Inbound | null} videoStats
 * @property {PictureCodec | null} undecodable how its picture is sent, where this browser cannot decode that
 * @property {number} since when the tracks began to carry this feed, on `performance.now()`'s clock
 * @property {Connection} connection
 * @property {'mesh' | 'node'} path
 * @property {string} key changes whenever other media may come out of the same tracks
 *
 * @typedef {'connecting' | 'connected' | 'failed'} PairHealth
 */

/** Without media for so long, or with ICE doubting the path, ICE is restarted. */
const PATIENCE_MS = 600;
/** Both sides notice; the polite one leaves the first try to the other. */
const POLITENESS_MS = 400;
/** A pair that is not up after so long, restarts included, is called failed; it goes on trying. */
const FAILED_MS = 8_000;
/** Firefox gives up after five seconds: a pair that is not to be must not keep both sides busy. */
const REPLACE_AGAIN_MS = 10_000;
const RETRY_MS = 30_000;

/** One peer connection to every other member. */
export class Mesh {
  /** @type {Map<MemberId, Pair>} */
  #pairs = new Map();
  #you;
  #media;
  #iceServers;
  #send;
  #changed;
  #expects;
  #silent;

  /**
   * @param {object} options
   * @param {MemberId} options.you
   * @param {LocalMedia} options.media
   * @param {() => RTCIceServer[]} options.iceServers
   * @param {(to: MemberId, signal: Signal) => void} options.send
   * @param {() => void} options.changed a track or a connection's state did
   * @param {(from: MemberId) => boolean} options.expects whether a member sends anything now
   * @param {() => void} options.silent nothing arrives from a member who sends
   */
  constructor({ you, media, iceServers, send, changed, expects, silent }) {
    this.#you = you;
    this.#media = media;
    this.#iceServers = iceServers;
    this.#send = send;
    this.#changed = changed;
    this.#expects = expects;
    this.#silent = silent;
  }

  /**
   * Has a pair with each of these members and nobody else.
   *
   * @param {MemberId[]} others
   * @param {boolean} mayGrow whether missing pairs are made, or only superfluous ones ended
   */
  reconcile(others, mayGrow) {
    for (const [id, pair] of this.#pairs) {
      if (others.includes(id)) continue;
      pair.close();
      this.#pairs.delete(id);
    }
    if (mayGrow) for (const id of others) this.#pair(id);
  }

  /** Begins anew with every pair that is not connected, under the epoch that holds now. */
  renew() {
    for (const pair of this.#pairs.values()) pair.renew();
  }

  /** @param {MemberId} id begins anew with them, though the connection says that it is well */
  rebuild(id) {
    this.#pairs.get(id)?.rebuild();
  }

  /** Looks for another path to everybody: our network changed. */
  restart() {
    for (const pair of this.#pairs.values()) pair.restart();
  }

  /**
   * Says again what a lost WebSocket may have swallowed, to one member or to all.
   *
   * @param {MemberId} [id]
   */
  repeat(id) {
    for (const [other, pair] of this.#pairs) if (id === undefined || other === id) pair.repeat();
  }

  /**
   * @param {MemberId} from
   * @param {Signal} signal
   */
  receive(from, signal) {
    this.#pair(from).receive(signal);
  }

  syncTracks() {
    for (const pair of this.#pairs.values()) pair.syncTracks();
  }

  /** There are other STUN and TURN servers: for what connects from now on. */
  syncServers() {
    for (const pair of this.#pairs.values()) pair.useServers(this.#iceServers());
  }

  /** @returns {Promise<void>} */
  async sample() {
    await Promise.all([...this.#pairs.values()].map((pair) => pair.meter.sample()));
  }

  /**
   * @param {Member} member
   * @param {Feed} feed
   * @returns {Incoming | null}
   */
  incoming(member, feed) {
    return this.#pairs.get(member.id)?.incoming(member, feed) ?? null;
  }

  /** @param {MemberId} id */
  isConnected(id) {
    return this.#pairs.get(id)?.state === 'connected';
  }

  /** @param {MemberId} id */
  hasFailed(id) {
    return this.#pairs.get(id)?.health === 'failed';
  }

  /** @param {MemberId} id how loud they are now, 0 to 1 */
  level(id) {
    return this.#pairs.get(id)?.level() ?? 0;
  }

  /** @returns {[MemberId, Pair][]} */
  pairs() {
    return [...this.#pairs];
  }

  close() {
    this.reconcile([], false);
  }

  /** @param {MemberId} id */
  #pair(id) {
    const known = this.#pairs.get(id);
    if (known) return known;
    const pair = new Pair({
      polite: this.#you < id,
      media: this.#media,
      iceServers: this.#iceServers(),
      send: (signal) => this.#send(id, signal),
      changed: this.#changed,
      expects: () => this.#expects(id),
      silent: this.#silent,
    });
    this.#pairs.set(id, pair);
    return pair;
  }
}

/**
 * The connection to one other browser, by perfect negotiation (W3C WebRTC §10.7).
 *
 * The impolite side makes the first offer, with one m-line per source whether it sends it yet or
 * not, so that devices and screens come and go without another negotiation.
 *
 * A path that is lost is sought again by a restart of ICE; a connection that is spent is replaced.
 */
export class Pair {
  #polite;
  #media;
  #iceServers;
  #send;
  #changed;
  #expects;
  #silent;
  /** @type {RTCPeerConnection} */
  #connection;
  /** @type {Pulse} */
  #pulse;
  /** @type {Meter} */
  meter;
  #offering = false;
  #ignoring = false;
  #inbox = Promise.resolve();
  #patience = 0;
  #failing = 0;
  /** Whether `#failing` waits for success, and not for the next try. */
  #isExpected = false;
  /** @type {PairHealth} */
  health = 'connecting';
  /** What the node was told of it. */
  reported = '';
  /** How often ICE was restarted. */
  restarts = 0;
  /** How often the other side has said that it was. */
  #theirRestarts = 0;
  #since = 0;
  /** @type {Map<Source, RTCRtpTransceiver>} */
  #slots = new Map();
  /** @type {Map<RTCRtpTransceiver, string[]>} ids of the streams that they carry to us */
  #streams = new Map();

  /**
   * @param {object} options
   * @param {boolean} options.polite
   * @param {LocalMedia} options.media
   * @param {RTCIceServer[]} options.iceServers
   * @param {(signal: Signal) => void} options.send
   * @param {() => void} options.changed
   * @param {() => boolean} options.expects whether the other side sends anything now
   * @param {() => void} options.silent nothing arrives though it does
   */
  constructor({ polite, media, iceServers, send, changed, expects, silent }) {
    this.#polite = polite;
    this.#media = media;
    this.#iceServers = iceServers;
    this.#send = send;
    this.#changed = changed;
    this.#expects = expects;
    this.#silent = silent;
    this.#connection = this.#open();
    this.#pulse = this.#feel(this.#connection);
    this.meter = new Meter(this.#connection);
    this.#expectSuccess();
    if (!polite) this.#addSlots();
  }

  get state() {
    return this.#connection.connectionState;
  }

  /** @param {Signal} signal */
  receive(signal) {
    this.#inbox = this.#inbox
      .then(() => ('description' in signal ? this.#describe(signal.description) : this.#candidate(signal.candidate)))
      .catch((error) => console.warn('mesh negotiation', error));
  }

  /** Replaces a connection that is not up; the other side notices by its new certificate. */
  renew() {
    if (this.state === 'connected') return;
    this.#isExpected = false;
    this.#reopen();
    if (!this.#polite) this.#addSlots();
  }

  /** Replaces the connection whatever its state; whoever begins makes the offer. */
  rebuild() {
    this.#reopen();
    this.#addSlots();
  }

  /** Looks for another path; what plays goes on until there is one. */
  restart() {
    window.clearTimeout(this.#patience);
    if (!this.#connection.remoteDescription) return;
    this.restarts += 1;
    if (isSpent(this.#connection)) return this.rebuild();
    this.#connection.restartIce();
    this.#expectSuccess();
  }

  /** Says again what may have been lost on the way: an offer that waits for its answer. */
  repeat() {
    if (this.#connection.signalingState === 'have-local-offer') this.#sendDescription(this.#connection);
    else if (this.state !== 'connected') this.restart();
  }

  /** @param {RTCIceServer[]} iceServers from the next search for a path on */
  useServers(iceServers) {
    this.#iceServers = iceServers;
    if (this.#connection.signalingState !== 'closed') this.#connection.setConfiguration(this.#configuration());
  }

  syncTracks() {
    for (const [source, transceiver] of this.#slots) this.#fill(source, transceiver);
  }

  /**
   * @param {Member} member
   * @param {Feed} feed
   * @returns {Incoming}
   */
  incoming(member, feed) {
    const sources = SOURCES_OF[feed];
    const audio = isSilenced(member, sources.audio) ? null : this.#carrier(member, sources.audio, 'audio');
    const video = isSilenced(member, sources.video) ? null : this.#carrier(member, sources.video, 'video');
    const inbound = this.meter.latest.inbound;
    return {
      audio: audio?.receiver.track ?? null,
      video: video?.receiver.track ?? null,
      audioStats: inbound.get(audio?.mid ?? '') ?? null,
      videoStats: inbound.get(video?.mid ?? '') ?? null,
      since: this.#since,
      connection: this.meter.latest.connection,
      path: 'mesh',
      undecodable: null,
      key: `mesh/${video?.receiver.track.id}`,
    };
  }

  level() {
    const heard = this.#connection.getReceivers().filter(({ track }) => track.kind === 'audio' && !track.muted);
    const sources = heard.flatMap((receiver) => receiver.getSynchronizationSources());
    return Math.max(0, ...sources.map((source) => source.audioLevel ?? 0));
  }

  close() {
    window.clearTimeout(this.#failing);
    this.#drop();
  }

  #drop() {
    window.clearTimeout(this.#patience);
    this.#pulse.stop();
    this.#connection.close();
  }

  /** @param {RTCPeerConnection} connection */
  #feel(connection) {
    return new Pulse(connection, {
      patience: PATIENCE_MS + (this.#polite ? POLITENESS_MS : 0),
      expects: this.#expects,
      doubt: this.#silent,
      lost: () => this.restart(),
    });
  }

  /** Gives the connection some time, and calls it failed if it is not up then; another try does not begin it anew. */
  #expectSuccess() {
    if (this.#isExpected && this.state !== 'connected') return;
    window.clearTimeout(this.#failing);
    this.#isExpected = true;
    this.#failing = window.setTimeout(() => {
      this.#isExpected = false;
      if (this.state === 'connected') return;
      this.health = 'failed';
      this.#changed();
      this.#failing = window.setTimeout(() => this.restart(), RETRY_MS + (this.#polite ? RETRY_MS : 0));
    }, FAILED_MS);
  }

  /** @returns {RTCConfiguration} */
  #configuration() {
    return { iceServers: this.#iceServers, bundlePolicy: 'max-bundle' };
  }

  #open() {
    const connection = new RTCPeerConnection(this.#configuration());
    connection.onnegotiationneeded = () => this.#offer(connection);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate) this.#send({ candidate: plain(candidate) });
    };
    connection.onconnectionstatechange = () => this.#watch(connection);
    connection.ontrack = ({ transceiver, streams }) => {
      this.#streams.set(transceiver, streams.map((stream) => stream.id));
      this.#changed();
    };
    this.#since = performance.now();
    return connection;
  }

  #reopen() {
    this.#drop();
    this.#slots.clear();
    this.#streams.clear();
    this.#offering = this.#ignoring = false;
    this.#theirRestarts = 0;
    this.#connection = this.#open();
    this.#pulse = this.#feel(this.#connection);
    this.meter = new Meter(this.#connection);
    this.#expectSuccess();
  }

  /** @param {RTCPeerConnection} connection */
  async #offer(connection) {
    try {
      this.#offering = true;
      await connection.setLocalDescription();
      this.#sendDescription(connection);
    } catch (error) {
      if (connection === this.#connection) console.warn('mesh offer', error);
    } finally {
      this.#offering = false;
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #describe(description) {
    if (this.#isOfAnother(description) || this.#givesWay(description)) this.#reopen();
    const connection = this.#connection;
    const isWasted = isSpent(connection);
    this.#ignoring = this.#collides(description) && !this.#polite;
    if (this.#ignoring) return;
    const known = connection.remoteDescription;
    if (known && usernameFragment(known) !== usernameFragment(description)) {
      this.#theirRestarts += 1;
      this.#pulse.tried();
    }
    await connection.setRemoteDescription({ ...description, sdp: withRaisedPriority(description.sdp ?? '', this.#theirRestarts) });
    if (description.type !== 'offer') return;
    this.#adoptSlots();
    await connection.setLocalDescription();
    this.#sendDescription(connection);
    if (isWasted) this.rebuild();
  }

  /** @param {RTCSessionDescriptionInit} description */
  #collides({ type }) {
    return type === 'offer' && (this.#offering || this.#connection.signalingState !== 'stable');
  }

  /**
   * Both began anew at once: what we have is of no use yet, and would only add its m-lines to theirs.
   *
   * @param {RTCSessionDescriptionInit} description
   */
  #givesWay(description) {
    return this.#polite && !this.#connection.remoteDescription && this.#collides(description);
  }

  /**
   * An offer under another certificate comes from another peer connection.
   *
   * @param {RTCSessionDescriptionInit} description
   */
  #isOfAnother(description) {
    const known = this.#connection.remoteDescription;
    return description.type === 'offer' && known !== null && fingerprint(known) !== fingerprint(description);
  }

  /** @param {Candidate} candidate */
  async #candidate(candidate) {
    try {
      await this.#connection.addIceCandidate({ ...candidate, candidate: withRaisedPriority(candidate.candidate, this.#theirRestarts) });
    } catch (error) {
      if (!this.#ignoring) throw error;
    }
  }

  /** @param {RTCPeerConnection} connection */
  #sendDescription({ localDescription }) {
    if (!localDescription || localDescription.type === 'pranswer' || localDescription.type === 'rollback') return;
    const sdp = withoutStrayFeedback(localDescription.sdp);
    this.#send({ description: { type: localDescription.type, sdp } });
  }

  #addSlots() {
    for (const source of SOURCES) {
      const kind = kindOf(source);
      const streams = [this.#media.stream(source)];
      this.#take(source, this.#connection.addTransceiver(kind, { direction: 'sendrecv', streams }));
    }
  }

  /** Answers the other side's m-lines with our own sources, in the same order. */
  #adoptSlots() {
    const taken = [...this.#slots.values()];
    for (const source of SOURCES) {
      if (this.#slots.has(source)) continue;
      const transceiver = this.#connection
        .getTransceivers()
        .find((free) => free.receiver.track.kind === kindOf(source) && !taken.includes(free));
      if (!transceiver) continue;
      taken.push(transceiver);
      transceiver.direction = 'sendrecv';
      transceiver.sender.setStreams?.(this.#media.stream(source));
      this.#take(source, transceiver);
    }
  }

  /**
   * @param {Source} source
   * @param {RTCRtpTransceiver} transceiver
   */
  #take(source, transceiver) {
    trimCodecs(transceiver);
    this.#slots.set(source, transceiver);
    this.#fill(source, transceiver);
  }

  /**
   * @param {Source} source
   * @param {RTCRtpTransceiver} transceiver
   */
  #fill(source, { sender }) {
    const track = this.#media.track(source);
    if (sender.track === track) return;
    sender.replaceTrack(track).catch((error) => console.warn('replaceTrack', error));
    if (track?.kind === 'video') this.#limit(source, sender);
  }

  /**
   * @param {Source} source
   * @param {RTCRtpSender} sender
   */
  #limit(source, sender) {
    const parameters = sender.getParameters();
    const [encoding] = parameters.encodings;
    if (!encoding) return;
    encoding.maxBitrate = source === 'screen' ? SCREEN_BITRATE : bitrateFor(this.#media.cameraHeight);
    sender.setParameters(parameters).catch(() => {
      // The cap is a courtesy; congestion control rules without it.
    });
  }

  /**
   * @param {Member} member
   * @param {Source} source
   * @param {'audio' | 'video'} kind
   */
  #carrier(member, source, kind) {
    const stream = member.published.find((published) => published.source === source)?.stream;
    if (!stream) return undefined;
    for (const [transceiver, streams] of this.#streams) {
      if (transceiver.receiver.track.kind === kind && streams.includes(stream)) return transceiver;
    }
    return undefined;
  }

  /** @param {RTCPeerConnection} connection */
  #watch(connection) {
    window.clearTimeout(this.#patience);
    const state = connection.connectionState;
    if (state === 'connected') {
      window.clearTimeout(this.#failing);
      this.#isExpected = false;
      this.health = 'connected';
    }
    this.#changed();
    if (state !== 'failed' && state !== 'disconnected') return;
    this.#patience = window.setTimeout(() => this.restart(), this.#patienceFor(connection) + (this.#polite ? POLITENESS_MS : 0));
  }

  /** @param {RTCPeerConnection} connection that is in trouble */
  #patienceFor(connection) {
    if (connection.connectionState === 'disconnected') return PATIENCE_MS;
    return isSpent(connection) && this.health === 'failed' ? REPLACE_AGAIN_MS : 0;
  }
}

/** @param {Source} source */
function kindOf(source) {
  return source === 'camera' || source === 'screen' ? 'video' : 'audio';
}

/** @param {RTCSessionDescriptionInit} description */
function fingerprint({ sdp }) {
  return /a=fingerprint:(.*)/.exec(sdp ?? '')?.[1]?.trim();
}

/**
 * @param {RTCIceCandidate} candidate
 * @returns {Candidate}
 */
function plain({ candidate, sdpMid, sdpMLineIndex, usernameFragment }) {
  return { candidate, sdpMid, sdpMLineIndex, usernameFragment };
}
