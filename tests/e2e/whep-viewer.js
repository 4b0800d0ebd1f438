// A viewer by WHEP with nothing but what a browser has; runs in a page.

export class WhepViewer {
  #peer = new RTCPeerConnection();
  #endpoint;
  #token;
  #session = '';
  #etag = '';
  #answer = '';
  /** @type {RTCIceCandidate[]} found before the session had an address */
  #early = [];
  /** What was asked, and the status that it was answered with. */
  said = [];

  /**
   * @param {string} endpoint
   * @param {string} token
   */
  constructor(endpoint, token) {
    this.#endpoint = endpoint;
    this.#token = token;
    const video = /** @type {HTMLVideoElement} */ (document.querySelector('video'));
    const stream = new MediaStream();
    video.srcObject = stream;
    this.#peer.addEventListener('track', ({ track }) => stream.addTrack(track));
    this.#peer.addEventListener('icecandidate', ({ candidate }) => {
      if (!candidate?.candidate) return;
      if (this.#session) this.#trickle(candidate);
      else this.#early.push(candidate);
    });
  }

  /** Offers at once, and tells candidates as they are found. */
  async begin() {
    for (const kind of ['audio', 'video']) this.#peer.addTransceiver(kind, { direction: 'recvonly' });
    await this.#peer.setLocalDescription();
    const response = await this.#say('POST', this.#endpoint, { 'content-type': 'application/sdp' }, this.#sdp);
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
    this.#session = new URL(response.headers.get('location') ?? '', this.#endpoint).href;
    this.#etag = response.headers.get('etag') ?? '';
    this.links = response.headers.get('link');
    this.#answer = await response.text();
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: this.#answer });
    await Promise.all(this.#early.splice(0).map((candidate) => this.#trickle(candidate)));
  }

  /** RFC 9725 §4.3.3: new credentials by PATCH, the other side's in the answer to it. */
  async restart() {
    await this.#peer.setLocalDescription(await this.#peer.createOffer({ iceRestart: true }));
    const session = this.#session;
    this.#session = '';
    const response = await this.#say('PATCH', session, { ...FRAGMENT, 'if-match': '*' }, this.#fragment([]));
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    this.#session = session;
    const etag = response.headers.get('etag') ?? '';
    if (!etag || etag === this.#etag) throw new Error(`no new ETag: ${etag}`);
    this.#etag = etag;
    this.#answer = merged(this.#answer, await response.text());
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: this.#answer });
    await Promise.all(this.#early.splice(0).map((candidate) => this.#trickle(candidate)));
  }

  /** A PATCH of the ICE session before the last restart; the status of the answer. */
  async patchStale() {
    const response = await this.#say('PATCH', this.#session, { ...FRAGMENT, 'if-match': '"stale"' }, this.#fragment([]));
    return response.status;
  }

  async end() {
    await this.#say('DELETE', this.#session);
    await this.#say('DELETE', this.#session);
    this.#peer.close();
  }

  get peer() {
    return this.#peer;
  }

  get #sdp() {
    return this.#peer.localDescription?.sdp ?? '';
  }

  #trickle(candidate) {
    return this.#say('PATCH', this.#session, { ...FRAGMENT, 'if-match': this.#etag }, this.#fragment([candidate]));
  }

  /** RFC 8840 §9, of the first m-line: the others are bundled with it. */
  #fragment(candidates) {
    const line = (start) => this.#sdp.split('\r\n').find((one) => one.startsWith(start));
    const lines = [line('a=group:'), line('a=ice-ufrag:'), line('a=ice-pwd:'), line('m='), line('a=mid:')];
    return [...lines, ...candidates.map(({ candidate }) => `a=${candidate}`), ''].join('\r\n');
  }

  async #say(method, url, headers = {}, body = undefined) {
    const response = await fetch(url, { method, headers: { authorization: `Bearer ${this.#token}`, ...headers }, body });
    this.said.push([method, response.status]);
    return response;
  }
}

const FRAGMENT = { 'content-type': 'application/trickle-ice-sdpfrag' };

/** An answer with the credentials and candidates of a fragment. */
function merged(answer, fragment) {
  const isOfIce = (line) => /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/.test(line);
  const news = fragment.split('\r\n').filter(isOfIce);
  const credentials = news.filter((line) => line.startsWith('a=ice-'));
  const candidates = news.filter((line) => !line.startsWith('a=ice-'));
  const [session, ...media] = answer.split(/(?<=\r\n)(?=m=)/).map((section) => section.split('\r\n').filter((line) => line && !isOfIce(line)));
  media.forEach((section, index) => section.push(...credentials, ...(index ? [] : candidates)));
  return [session, ...media].map((section) => `${section.join('\r\n')}\r\n`).join('');
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
  const { packetsReceived = 0, totalAudioEnergy = 0 } = of('audio');
  return { state: peer.connectionState, framesDecoded, frameHeight, packetsReceived, totalAudioEnergy };
}
