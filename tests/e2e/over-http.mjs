// Runs in a page: publishes by WHIP and views by WHEP with nothing but what browsers have. Each function
// is given to the page as it is, so it uses nothing from here.

/**
 * Publishes the fake camera with three layers, and the fake microphone; the session is `window.session`.
 *
 * @param {{endpoint: string, width: number, height: number, codec?: string}} where a codec: only that, `video/H264`;
 *   a width of 0: the microphone alone
 * @returns {Promise<number>} the status of the POST
 */
export async function publish({ endpoint, width, height, codec }) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: width > 0 && { width, height, frameRate: 15 } });
  const connection = new RTCPeerConnection();
  const [microphone] = stream.getAudioTracks();
  const [camera] = stream.getVideoTracks();
  if (!microphone || (width > 0 && !camera)) throw new Error('no fake devices');
  connection.addTransceiver(microphone, { direction: 'sendonly', streams: [stream] });
  const sendEncodings = [
    { rid: 'q', scaleResolutionDownBy: 4 },
    { rid: 'h', scaleResolutionDownBy: 2 },
    { rid: 'f', scaleResolutionDownBy: 1 },
  ];
  const picture = camera && connection.addTransceiver(camera, { direction: 'sendonly', streams: [stream], sendEncodings });
  if (picture && codec) picture.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs.filter(({ mimeType }) => mimeType === codec));
  await connection.setLocalDescription(await connection.createOffer());
  const body = connection.localDescription?.sdp ?? '';
  const response = await fetch(endpoint, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body });
  const sdp = await response.text();
  if (response.status !== 201) throw new Error(sdp);
  await connection.setRemoteDescription({ type: 'answer', sdp });
  Object.assign(window, { session: { connection, location: response.headers.get('Location'), etag: response.headers.get('ETag'), link: response.headers.get('Link') } });
  return response.status;
}

/**
 * Views on one pair of m-lines, in a `<video>`; the session is `window.session`.
 *
 * @param {{endpoint: string, codec?: string, token?: string}} where a codec: only that, `video/H264`
 */
export async function view({ endpoint, codec, token }) {
  const connection = new RTCPeerConnection();
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, muted: true });
  document.body.append(video);
  for (const kind of ['audio', 'video']) connection.addTransceiver(kind, { direction: 'recvonly' });
  if (codec) connection.getTransceivers()[1].setCodecPreferences(RTCRtpReceiver.getCapabilities('video').codecs.filter(({ mimeType }) => mimeType === codec));
  connection.ontrack = ({ streams }) => (video.srcObject = streams[0] ?? null);
  await connection.setLocalDescription(await connection.createOffer());
  const body = connection.localDescription?.sdp ?? '';
  const headers = { 'Content-Type': 'application/sdp', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(endpoint, { method: 'POST', headers, body });
  const sdp = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${sdp}`);
  await connection.setRemoteDescription({ type: 'answer', sdp });
  Object.assign(window, { session: { connection, video, location: response.headers.get('Location'), etag: response.headers.get('ETag') } });
  return response.status;
}

/** What a viewer has of picture and sound so far. */
export async function received() {
  const found = { frames: 0, height: 0, audioPackets: 0 };
  for (const report of (await window.session.connection.getStats()).values()) {
    if (report.type !== 'inbound-rtp') continue;
    if (report.kind === 'video') Object.assign(found, { frames: report.framesDecoded, height: report.frameHeight });
    else found.audioPackets = report.packetsReceived;
  }
  return { frames: found.frames, height: found.height, audioPackets: found.audioPackets };
}

/**
 * Restarts ICE by PATCH, as RFC 9725 §4.3.3 has it.
 *
 * @returns {Promise<{status: number, isNewTag: boolean, ufrags: string[]}>}
 */
export async function restart() {
  const { connection, location, etag } = window.session;
  const before = connection.currentRemoteDescription.sdp;
  await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }));
  const lines = connection.localDescription.sdp.split('\r\n');
  const first = (name) => lines.find((line) => line.startsWith(name));
  const fragment = [first('a=group:'), first('m='), first('a=mid:'), first('a=ice-ufrag:'), first('a=ice-pwd:'), 'a=end-of-candidates', ''].join('\r\n');
  const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' };
  const response = await fetch(location, { method: 'PATCH', headers, body: fragment });
  const answered = await response.text();
  if (response.status !== 200) throw new Error(answered);
  const said = (name) => answered.split('\r\n').filter((line) => line.startsWith(name));
  const sdp = before
    .split('\r\n')
    .filter((line) => !line.startsWith('a=candidate:') && line !== 'a=end-of-candidates')
    .flatMap((line) => {
      if (line.startsWith('a=ice-ufrag:')) return said('a=ice-ufrag:');
      if (line.startsWith('a=ice-pwd:')) return [...said('a=ice-pwd:'), ...said('a=candidate:')];
      return [line];
    })
    .join('\r\n');
  await connection.setRemoteDescription({ type: 'answer', sdp });
  const tag = response.headers.get('ETag');
  window.session.etag = tag;
  return { status: response.status, isNewTag: tag !== etag, ufrags: [...said('a=ice-ufrag:')] };
}

/**
 * @param {{token?: string}} [by]
 * @returns {Promise<number[]>} the statuses of two DELETEs
 */
export async function leave({ token } = {}) {
  const { connection, location } = window.session;
  const statuses = [];
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let round = 0; round < 2; round += 1) statuses.push((await fetch(location, { method: 'DELETE', headers })).status);
  connection.close();
  return statuses;
}
