// WHIP and WHEP with nothing but what a browser has; runs in a page.

const FRAGMENT = { 'content-type': 'application/trickle-ice-sdpfrag' };

/** A session of one or the other: what it sends and receives is given to its `peer` before it begins. */
export class HttpSession {
  /** Shows what comes in the page's video element. */
  peer = new RTCPeerConnection();
  #endpoint;
  #token;
  #session = '';
  #etag = '';
  #answer = '';
  /** @type {RTCIceCandidate[]} found before there was an ICE session to tell them to */
  #early = [];

  /**
   * @param {string} endpoint
   * @param {string} token none where it is empty
   */
  constructor(endpoint, token) {
    this.#endpoint = endpoint;
    this.#token = token;
    const stream = new MediaStream();
    /** @type {HTMLVideoElement} */ (document.querySelector('video')).srcObject = stream;
    this.peer.addEventListener('track', ({ track }) => stream.addTrack(track));
    this.peer.addEventListener('icecandidate', ({ candidate }) => {
      if (!candidate?.candidate) return;
      if (this.#session) this.#trickle(candidate);
      else this.#early.push(candidate);
    });
  }

  /** Offers at once, and tells candidates as they are found. */
  async begin() {
    await this.peer.setLocalDescription();
    const response = await this.#say('POST', this.#endpoint, { 'content-type': 'application/sdp' }, this.#sdp);
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
    const location = new URL(response.headers.get('location') ?? '', this.#endpoint).href;
    await this.#take(location, response, await response.text());
  }

  /** RFC 9725 §4.3.3: new credentials by PATCH, the other side's in the answer to it. */
  async restart() {
    const session = this.#session;
    this.#session = '';
    await this.peer.setLocalDescription(await this.peer.createOffer({ iceRestart: true }));
    const response = await this.#patch(session, '*');
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    if (response.headers.get('etag') === this.#etag) throw new Error('the ETag stayed the same');
    await this.#take(session, response, merged(this.#answer, await response.text()));
  }

  /** A PATCH of an ICE session that never was; the status of the answer. */
  async patchStale() {
    return (await this.#patch(this.#session, '"stale"')).status;
  }

  /** The second one is about a session that is over. */
  async end() {
    await this.#say('DELETE', this.#session);
    await this.#say('DELETE', this.#session);
    this.peer.close();
  }

  get #sdp() {
    return this.peer.localDescription?.sdp ?? '';
  }

  async #take(session, response, answer) {
    this.#etag = response.headers.get('etag') ?? '';
    this.#answer = answer;
    this.#session = session;
    await this.peer.setRemoteDescription({ type: 'answer', sdp: answer });
    await Promise.all(this.#early.splice(0).map((candidate) => this.#trickle(candidate)));
  }

  #trickle(candidate) {
    return this.#patch(this.#session, this.#etag, [candidate]);
  }

  /** RFC 8840 §9, of the first m-line: the others are bundled with it. */
  #patch(session, etag, candidates = []) {
    const line = (start) => this.#sdp.split('\r\n').find((one) => one.startsWith(start));
    const lines = [line('a=group:'), line('a=ice-ufrag:'), line('a=ice-pwd:'), line('m='), line('a=mid:')];
    const fragment = [...lines, ...candidates.map(({ candidate }) => `a=${candidate}`), ''].join('\r\n');
    return this.#say('PATCH', session, { ...FRAGMENT, 'if-match': etag }, fragment);
  }

  #say(method, url, headers = {}, body = undefined) {
    const authorization = this.#token ? { authorization: `Bearer ${this.#token}` } : {};
    return fetch(url, { method, headers: { ...authorization, ...headers }, body });
  }
}

/** An answer with the credentials and candidates of a fragment. */
function merged(answer, fragment) {
  const isOfIce = (line) => /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/.test(line);
  const news = fragment.split('\r\n').filter(isOfIce);
  const credentials = news.filter((line) => line.startsWith('a=ice-'));
  const candidates = news.filter((line) => !line.startsWith('a=ice-'));
  const sections = answer.split(/(?<=\r\n)(?=m=)/);
  const [session, ...media] = sections.map((section) => section.split('\r\n').filter((line) => line && !isOfIce(line)));
  media.forEach((section, index) => section.push(...credentials, ...(index ? [] : candidates)));
  return [session, ...media].map((section) => `${section.join('\r\n')}\r\n`).join('');
}

/**
 * A viewer with that many pairs of audio and video.
 *
 * @param {string} endpoint
 * @param {string} token
 */
export async function view(endpoint, token, pairs = 1) {
  const session = new HttpSession(endpoint, token);
  for (let pair = 0; pair < pairs; pair += 1) {
    for (const kind of ['audio', 'video']) session.peer.addTransceiver(kind, { direction: 'recvonly' });
  }
  await session.begin();
  return session;
}

/**
 * A publisher of the camera in two sizes, and of the microphone.
 *
 * @param {string} endpoint
 * @param {string} token
 */
export async function publishLayers(endpoint, token) {
  const session = new HttpSession(endpoint, token);
  const video = { width: 640, height: 360, frameRate: 15 };
  const stream = await navigator.mediaDevices.getUserMedia({ video, audio: true });
  const sendEncodings = [{ rid: 'small', scaleResolutionDownBy: 2 }, { rid: 'large' }];
  session.peer.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly', streams: [stream] });
  session.peer.addTransceiver(stream.getVideoTracks()[0], { direction: 'sendonly', streams: [stream], sendEncodings });
  await session.begin();
  return session;
}

/**
 * What of a connection is to be seen and heard.
 *
 * @param {RTCPeerConnection} peer
 */
export async function received(peer) {
  const reports = [...(await peer.getStats()).values()];
  const of = (kind) => reports.find((report) => report.type === 'inbound-rtp' && report.kind === kind) ?? {};
  const { framesDecoded = 0, frameHeight = 0 } = of('video');
  const { totalAudioEnergy = 0 } = of('audio');
  return { state: peer.connectionState, framesDecoded, frameHeight, totalAudioEnergy };
}

/**
 * What each m-line receives, in their order: frames decoded, or packets.
 *
 * @param {RTCPeerConnection} peer
 * @param {'audio' | 'video'} kind
 */
export function receivedByEach(peer, kind) {
  const those = peer.getTransceivers().filter(({ receiver }) => receiver.track.kind === kind);
  return Promise.all(
    those.map(async ({ receiver }) => {
      const reports = [...(await receiver.getStats()).values()];
      const inbound = reports.find(({ type }) => type === 'inbound-rtp') ?? {};
      return (kind === 'video' ? inbound.framesDecoded : inbound.packetsReceived) ?? 0;
    }),
  );
}
