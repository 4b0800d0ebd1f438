// What rtp-out.sh says. Each line is one program that received one codec.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { House, sleep } from '../e2e/harness.mjs';

const RECEIVED_S = 6;
/** ffmpeg cannot ask for a key frame: one comes within five seconds. */
const AWAITED_S = 6;
/** The harness's cameras give 15; less than this for a whole recording is too little. */
const FRAMES_MIN = 60;
/** Of 20 ms each. */
const SOUNDS_MIN = 200;
const GCM = 'AEAD_AES_128_GCM';

const TRIALS = {
  'ffmpeg-vp8': { codec: 'vp8', receive: byFfmpeg },
  'ffmpeg-srtp': { codec: 'vp8', receive: byFfmpeg, srtp: true },
  'ffmpeg-h264': { codec: 'h264', receive: byFfmpeg },
  'gstreamer-vp8': { codec: 'vp8', receive: byGstreamer },
  'gstreamer-h264': { codec: 'h264', receive: byGstreamer },
  'gstreamer-srtp': { codec: 'vp8', receive: byGstreamer, srtp: true },
  'gstreamer-gcm': { codec: 'vp8', receive: byGstreamer, srtp: { suite: GCM } },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in TRIALS));
assert.deepEqual(unknown, [], `known are ${Object.keys(TRIALS).join(' ')}`);
let failed = 0;
for (const [name, trial] of Object.entries(TRIALS)) {
  if (wanted.length && !wanted.includes(name)) continue;
  const program = trial.receive === byFfmpeg ? 'ffmpeg' : 'gst-launch-1.0';
  if (spawnSync('which', [program]).status !== 0) {
    console.log(`${name}: skipped, ${program} is not installed`);
    continue;
  }
  try {
    console.log(`${name}: ${await run(name, trial)}`);
  } catch (error) {
    failed += 1;
    console.log(`${name}: FAILED: ${error.message}`);
  }
}
process.exit(failed ? 1 : 0);

/** @returns what arrived, in words */
async function run(name, { codec, receive, srtp = null }) {
  const closers = [];
  const house = new House({ name: `rtp out ${name}`, after: (closer) => closers.push(closer) });
  const folder = mkdtempSync(join(tmpdir(), 'motet-rtp-'));
  try {
    await house.node(['--forward-allow', '127.0.0.1', '--turn', 'off']);
    const browser = await house.chromium();
    const only = { newPage: async () => keepTo(codec, await browser.newPage()) };
    const ada = await house.member(only, 'Ada');
    const [camera, microphone] = await forwards(house, srtp);
    await ada.until('is told that her media is passed on', () => {
      const signs = [...document.querySelectorAll('.recording-sign:not([hidden])')];
      return signs.some((sign) => sign.textContent.includes('Ada'));
    });
    assert.equal(camera.codec, codec);
    for (const one of [camera, microphone]) {
      one.file = join(folder, `${one.track.source}.sdp`);
      writeFileSync(one.file, one.sdp);
    }
    const files = await receive(camera, microphone, folder);
    const frames = count(files[0], 'v');
    const sounds = count(files.at(-1), 'a');
    const { keyFrameRequests, retransmissions } = await (await house.api(camera.url)).json();
    assert.ok(frames >= FRAMES_MIN, `${frames} frames of ${codec}`);
    assert.ok(sounds >= SOUNDS_MIN, `${sounds} packets of sound`);
    return `${frames} frames of ${codec}, ${sounds} of opus, ${keyFrameRequests} key frames asked for, ${retransmissions} packets again`;
  } finally {
    for (const closer of closers) await closer();
    rmSync(folder, { recursive: true });
  }
}

/** The page offers no other codec for pictures. */
async function keepTo(codec, page) {
  await page.addInitScript((type) => {
    const all = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
    RTCRtpReceiver.getCapabilities = (kind) => {
      const known = all(kind);
      const fits = ({ mimeType }) => [type, 'video/rtx'].includes(mimeType.toLowerCase());
      return kind === 'video' ? { ...known, codecs: known.codecs.filter(fits) } : known;
    };
  }, `video/${codec}`);
  return page;
}

/** Camera and microphone of the only member, on their way, with their descriptions. */
async function forwards(house, srtp) {
  const room = `${house.url}/api/rooms/${house.room}`;
  const { members } = await (await house.api(room)).json();
  const begun = [];
  for (const source of ['camera', 'microphone']) {
    const body = JSON.stringify({ track: { member: members[0].id, source }, host: '127.0.0.1', port: await freePair(), srtp });
    const response = await house.api(`${room}/forwards`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const forward = await response.json();
    assert.equal(response.status, 201, JSON.stringify(forward));
    begun.push(`${house.url}${response.headers.get('location')}`);
  }
  return Promise.all(begun.map((url) => flowing(house, url)));
}

/** The forward, once it is sent. */
async function flowing(house, url) {
  for (const deadline = Date.now() + 30_000; ; await sleep(100)) {
    const forward = await (await house.api(url)).json();
    const description = await house.api(`${url}.sdp`);
    if (forward.state === 'sending' && description.ok) return { ...forward, url, sdp: await description.text() };
    assert.ok(Date.now() < deadline, `nothing is sent: ${JSON.stringify(forward)}`);
  }
}

/** An even port that is free, and the next one too (RFC 3550 §11). */
async function freePair() {
  for (;;) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 6_000);
    const sockets = [port, port + 1].map((at) => new Promise((resolve) => {
      const socket = createSocket('udp4');
      socket.once('error', () => resolve(null));
      socket.bind(at, '127.0.0.1', () => resolve(socket));
    }));
    const bound = await Promise.all(sockets);
    for (const socket of bound) socket?.close();
    if (bound.every(Boolean)) return port;
  }
}

async function byFfmpeg(camera, microphone, folder) {
  const out = join(folder, 'out.mkv');
  const input = ({ file }) => ['-protocol_whitelist', 'file,udp,rtp,srtp', '-i', file];
  const log = await finished('ffmpeg', ['-nostdin', '-v', 'warning', ...input(camera), ...input(microphone), '-map', '0:v', '-map', '1:a', '-c', 'copy', '-t', `${AWAITED_S + RECEIVED_S}`, out]);
  verify(out, log);
  return [out];
}

/** With a session of its own for each, so that it reports and asks for key frames. */
async function byGstreamer(camera, microphone, folder) {
  const files = [];
  const launches = [camera, microphone].map((forward) => {
    const out = join(folder, `${forward.track.source}.mkv`);
    files.push(out);
    return gstreamer(forward, out);
  });
  await sleep(RECEIVED_S * 1_000);
  for (const { child } of launches) child.kill('SIGINT');
  const logs = await Promise.all(launches.map(({ log }) => log));
  files.forEach((file, index) => verify(file, logs[index]));
  return files;
}

function gstreamer({ sdp, codec, payloadType, ssrc, port, rtcp, from, track }, out) {
  const isVideo = track.source === 'camera';
  const clock = isVideo ? 90_000 : 48_000;
  const caps = `application/x-rtp,media=${isVideo ? 'video' : 'audio'},clock-rate=${clock},encoding-name=${codec.toUpperCase()},payload=${payloadType},rtcp-fb-nack-pli=true`;
  const crypto = /a=crypto:1 (\S+) inline:(\S+)/.exec(sdp);
  const depay = { vp8: 'rtpvp8depay request-keyframe=true', h264: 'rtph264depay request-keyframe=true ! h264parse', opus: 'rtpopusdepay ! opusparse' }[codec];
  const source = crypto ? secured(caps, crypto, { port, rtcp, ssrc }) : [
    `udpsrc address=127.0.0.1 port=${port} caps="${caps}" ! b.recv_rtp_sink_0`,
    `udpsrc address=127.0.0.1 port=${rtcp} ! b.recv_rtcp_sink_0`,
  ].join(' ');
  const pipeline = [
    'rtpbin name=b rtp-profile=avpf latency=200',
    source,
    `b. ! ${depay} ! matroskamux ! filesink location=${out}`,
    `b.send_rtcp_src_0 ${crypto ? sealing(crypto) : ''} ! udpsink host=127.0.0.1 port=${from.split(':')[1]} sync=false async=false`,
  ].join(' ');
  return launch('sh', ['-c', `exec gst-launch-1.0 -e ${pipeline.replaceAll('(', '\\(').replaceAll(')', '\\)')}`]);
}

function secured(caps, crypto, { port, rtcp, ssrc }) {
  const { cipher, auth, hex } = read(crypto);
  const sealed = (kind) =>
    `${caps.replace('application/x-rtp', `application/x-${kind}`)},srtp-key=(buffer)${hex},srtp-cipher=${cipher},srtp-auth=${auth},srtcp-cipher=${cipher},srtcp-auth=${auth},ssrc=(uint)${ssrc}`;
  return [
    `udpsrc address=127.0.0.1 port=${port} caps="${sealed('srtp')}" ! d.rtp_sink srtpdec name=d d.rtp_src ! b.recv_rtp_sink_0`,
    `udpsrc address=127.0.0.1 port=${rtcp} caps="${sealed('srtcp')}" ! d.rtcp_sink d.rtcp_src ! b.recv_rtcp_sink_0`,
  ].join(' ');
}

/** Reports go back under the same key: the description knows no other. */
function sealing(crypto) {
  const { cipher, auth, hex } = read(crypto);
  return `! e.rtcp_sink_0 srtpenc name=e key=${hex} rtp-cipher=${cipher} rtp-auth=${auth} rtcp-cipher=${cipher} rtcp-auth=${auth} e.rtcp_src_0`;
}

/** By GStreamer's names. */
function read([, suite, key]) {
  const [cipher, auth] = suite === GCM ? ['aes-128-gcm', 'null'] : ['aes-128-icm', 'hmac-sha1-80'];
  return { cipher, auth, hex: Buffer.from(key, 'base64').toString('hex') };
}

function launch(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (text += bytes));
  const log = new Promise((resolve) => child.on('close', () => resolve(text)));
  return { child, log };
}

/** What it says, however it ends; it is ended if it does not end by itself. */
async function finished(program, args) {
  const { child, log } = launch(program, args);
  const deadline = setTimeout(() => child.kill('SIGINT'), (AWAITED_S + RECEIVED_S + 20) * 1_000);
  const text = await log;
  clearTimeout(deadline);
  return text;
}

/** Every frame decodes. GStreamer stamps by arrival, which goes back and forth on a busy machine. */
function verify(file, log) {
  const decoded = spawnSync('ffmpeg', ['-nostdin', '-v', 'error', '-i', file, '-f', 'null', '-'], { encoding: 'utf8' });
  const errors = decoded.stderr.split('\n').filter((line) => line && !line.includes('non monotonically increasing dts'));
  assert.deepEqual(errors, [], log);
  assert.equal(decoded.status, 0, log);
}

function count(file, kind) {
  const probe = spawnSync('ffprobe', ['-v', 'error', '-select_streams', `${kind}:0`, '-count_frames', '-show_entries', 'stream=nb_read_frames', '-of', 'csv=p=0', file], { encoding: 'utf8' });
  return Number.parseInt(probe.stdout, 10) || 0;
}
