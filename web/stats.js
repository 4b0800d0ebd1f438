/**
 * @typedef {object} Inbound what a receiver got so far, and its rates since the last sample
 * @property {'audio' | 'video'} kind
 * @property {number} bytes
 * @property {number} packets
 * @property {number} lost packets
 * @property {number} bitrate bits per second
 * @property {number} lossPercent of the packets since the last sample
 * @property {number} framesDecoded
 * @property {number} fps
 * @property {number} width
 * @property {number} height
 * @property {number} freezeCount
 * @property {number} freezeSeconds
 * @property {number} concealedSamples
 * @property {number} energy of the sound that was played
 * @property {number} level of the sound now, 0 to 1
 * @property {string} codec
 * @property {number} jitterMs
 *
 * @typedef {object} Outbound
 * @property {'audio' | 'video'} kind
 * @property {string} rid
 * @property {number} bytes
 * @property {number} bitrate
 * @property {number} bitrateTarget that the encoder may use, for what the path carries; 0 where the browser does not tell
 * @property {number} bitrateMax that may be sent; 0 where there is no such limit
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 * @property {string} limited what holds the quality back: `none`, `cpu`, `bandwidth`, `other`; empty
 *   where the browser does not tell
 * @property {string} codec
 *
 * @typedef {object} Connection
 * @property {RTCPeerConnectionState} state
 * @property {string} local type of the candidate in use: `host`, `srflx`, `prflx`, `relay`, or empty
 * @property {string} remote
 * @property {string} protocol
 * @property {string} relayProtocol how we reach our relay, if we use one: `udp`, `tcp`, `tls`, or empty
 * @property {number} rttMs
 * @property {number} availableBitrate that the path allows to send, in bits per second; 0 where it is not known
 *
 * @typedef {object} Sample
 * @property {Map<string, Inbound>} inbound by mid
 * @property {Map<string, Outbound[]>} outbound by mid
 * @property {Connection} connection
 */

/** @returns {Sample} */
function emptySample() {
  return {
    inbound: new Map(),
    outbound: new Map(),
    connection: { state: 'new', local: '', remote: '', protocol: '', relayProtocol: '', rttMs: 0, availableBitrate: 0 },
  };
}

/** Reads the statistics of one peer connection and keeps the latest sample. */
export class Meter {
  #connection;
  /** @type {Map<string, {at: number, bytes: number, packets: number, lost: number}>} */
  #before = new Map();
  latest = emptySample();
  /**
   * What may be sent, by m-line, for as long as the same track is: asking makes the page wait for the
   * browser's network thread.
   *
   * @type {Map<string, {track: MediaStreamTrack | null, encodings: RTCRtpEncodingParameters[]}>}
   */
  #limits = new Map();

  /** @param {RTCPeerConnection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** @returns {Promise<Sample>} */
  async sample() {
    if (this.#connection.connectionState === 'closed') return this.latest;
    const report = await this.#connection.getStats();
    const sample = emptySample();
    for (const entry of report.values()) {
      if (entry.type === 'inbound-rtp' && entry.mid !== undefined) {
        sample.inbound.set(entry.mid, this.#inbound(entry, report));
      } else if (entry.type === 'outbound-rtp' && entry.mid !== undefined) {
        const layers = sample.outbound.get(entry.mid) ?? [];
        sample.outbound.set(entry.mid, [...layers, this.#outbound(entry, report)]);
      }
    }
    sample.connection = connectionOf(this.#connection, report);
    this.latest = sample;
    return sample;
  }

  /**
   * @param {any} entry
   * @param {RTCStatsReport} report
   * @returns {Inbound}
   */
  #inbound(entry, report) {
    const rate = this.#rate(entry.id, entry.timestamp, entry.bytesReceived, entry.packetsReceived, entry.packetsLost);
    return {
      kind: entry.kind,
      bytes: entry.bytesReceived ?? 0,
      packets: entry.packetsReceived ?? 0,
      lost: entry.packetsLost ?? 0,
      ...rate,
      framesDecoded: entry.framesDecoded ?? 0,
      fps: entry.framesPerSecond ?? 0,
      width: entry.frameWidth ?? 0,
      height: entry.frameHeight ?? 0,
      freezeCount: entry.freezeCount ?? 0,
      freezeSeconds: entry.totalFreezesDuration ?? 0,
      concealedSamples: entry.concealedSamples ?? 0,
      energy: entry.totalAudioEnergy ?? 0,
      level: entry.audioLevel ?? 0,
      codec: codecOf(entry, report),
      jitterMs: (entry.jitter ?? 0) * 1000,
    };
  }

  /**
   * @param {any} entry
   * @param {RTCStatsReport} report
   * @returns {Outbound}
   */
  #outbound(entry, report) {
    return {
      kind: entry.kind,
      rid: entry.rid ?? '',
      bytes: entry.bytesSent ?? 0,
      bitrate: this.#rate(entry.id, entry.timestamp, entry.bytesSent, 0, 0).bitrate,
      bitrateTarget: entry.targetBitrate ?? 0,
      bitrateMax: entry.kind === 'video' ? this.#bitrateMax(entry.mid, entry.rid) : 0,
      width: entry.frameWidth ?? 0,
      height: entry.frameHeight ?? 0,
      fps: entry.framesPerSecond ?? 0,
      limited: entry.qualityLimitationReason ?? '',
      codec: codecOf(entry, report),
    };
  }

  /**
   * @param {string} mid
   * @param {string | undefined} rid
   */
  #bitrateMax(mid, rid) {
    const sender = this.#connection.getTransceivers().find((transceiver) => transceiver.mid === mid)?.sender;
    if (!sender) return 0;
    const maxOf = (/** @type {RTCRtpEncodingParameters[]} */ encodings) => encodings.find((encoding) => !rid || encoding.rid === rid)?.maxBitrate ?? 0;
    const known = this.#limits.get(mid);
    if (known?.track === sender.track && maxOf(known.encodings) > 0) return maxOf(known.encodings);
    const { encodings = [] } = sender.getParameters();
    this.#limits.set(mid, { track: sender.track, encodings });
    return maxOf(encodings);
  }

  /**
   * @param {string} id
   * @param {number} at milliseconds
   */
  #rate(id, at, bytes = 0, packets = 0, lost = 0) {
    const before = this.#before.get(id) ?? { at, bytes, packets: 0, lost: 0 };
    this.#before.set(id, { at, bytes, packets, lost });
    const seconds = (at - before.at) / 1000;
    const arrived = Math.max(0, packets - before.packets);
    const missing = Math.max(0, lost - before.lost);
    return {
      bitrate: seconds > 0 ? Math.max(0, (8 * (bytes - before.bytes)) / seconds) : 0,
      lossPercent: arrived + missing > 0 ? (100 * missing) / (arrived + missing) : 0,
    };
  }
}

/**
 * @param {any} entry
 * @param {RTCStatsReport} report
 * @returns {string}
 */
function codecOf(entry, report) {
  const codec = entry.codecId ? /** @type {any} */ (report).get(entry.codecId) : undefined;
  return codec?.mimeType?.split('/')[1] ?? '';
}

/**
 * @param {RTCPeerConnection} connection
 * @param {any} report
 * @returns {Connection}
 */
function connectionOf(connection, report) {
  const pair = selectedPair(report);
  const local = report.get(pair?.localCandidateId);
  return {
    state: connection.connectionState,
    local: local?.candidateType ?? '',
    remote: report.get(pair?.remoteCandidateId)?.candidateType ?? '',
    protocol: local?.protocol ?? '',
    relayProtocol: (local?.candidateType === 'relay' && local.relayProtocol) || '',
    rttMs: Math.round((pair?.currentRoundTripTime ?? 0) * 1000),
    availableBitrate: pair?.availableOutgoingBitrate ?? 0,
  };
}

/** @param {any} report */
function selectedPair(report) {
  for (const entry of report.values()) {
    if (entry.type === 'transport' && entry.selectedCandidatePairId) {
      return report.get(entry.selectedCandidatePairId);
    }
  }
  // Firefox has no transport entry.
  for (const entry of report.values()) {
    if (entry.type === 'candidate-pair' && (entry.selected || (entry.nominated && entry.state === 'succeeded'))) {
      return entry;
    }
  }
  return undefined;
}
