// Watches by WHEP in a Chromium, in a page with nothing but a <video>: prints what it saw and heard.
//
//   node whip_watch.mjs ENDPOINT TOKEN CODEC
//
// What is published is to be a red half beside a blue one, with sound. Fails if less than nearly that
// arrives, or by another codec.

import assert from 'node:assert/strict';
import { House, sleep } from '../e2e/harness.mjs';
import { leave, received, view } from '../e2e/over-http.mjs';

const PATIENCE_MS = 30_000;
const WATCH_MS = 6_000;
/** Of 15 pictures and 50 packets of sound a second, on a machine that has other things to do. */
const PICTURES_MIN = 48;
const SOUNDS_MIN = 240;

const [endpoint, token, codec] = process.argv.slice(2);
const closers = [];
const house = new House({ name: 'whip watch', after: (closer) => closers.push(closer) });
house.url = new URL(endpoint).origin;
try {
  const page = await (await house.chromium()).newPage();
  await page.goto(`${house.url}/health`);
  await begin(page);
  await until(page, ({ frames, audioPackets }) => frames > 0 && audioPackets > 0);
  const before = await page.evaluate(received);
  await sleep(WATCH_MS);
  const now = await page.evaluate(received);
  const [frames, sounds] = [now.frames - before.frames, now.audioPackets - before.audioPackets];
  assert.ok(frames >= PICTURES_MIN, `${frames} pictures`);
  assert.ok(sounds >= SOUNDS_MIN, `${sounds} packets of sound`);
  const { left, right, format } = await page.evaluate(look);
  assert.ok(left[0] > 180 && left[2] < 80, `the left half is ${left}`);
  assert.ok(right[2] > 180 && right[0] < 80, `the right half is ${right}`);
  assert.match(format.toLowerCase(), new RegExp(codec.toLowerCase()));
  assert.deepEqual(await page.evaluate(leave, { token }), [200, 404]);
  console.log(`${frames} pictures by ${format}, red and blue, ${sounds} packets of sound`);
} catch (error) {
  console.log(error.message);
  process.exitCode = 1;
} finally {
  for (const closer of closers) await closer();
}

/** As long as nobody publishes a viewer is asked to come again. */
async function begin(page) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await page.evaluate(view, { endpoint, token });
    } catch (error) {
      if (!error.message.includes('409: ') || Date.now() > deadline) throw error;
      await sleep(1_000);
    }
  }
}

async function until(page, isRight) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const now = await page.evaluate(received);
    if (isRight(now)) return;
    assert.ok(Date.now() < deadline, `not yet: ${JSON.stringify(now)}`);
    await sleep(200);
  }
}

/** Runs in the page: the colours of both halves, and the format by which they came. */
async function look() {
  const { video, connection } = window.session;
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const at = (part) => [...context.getImageData(canvas.width * part, canvas.height / 2, 1, 1).data].slice(0, 3);
  const stats = [...(await connection.getStats()).values()];
  const { codecId } = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
  const { mimeType, sdpFmtpLine } = stats.find(({ id }) => id === codecId);
  return { left: at(0.25), right: at(0.75), format: `${mimeType} ${sdpFmtpLine ?? ''}` };
}
