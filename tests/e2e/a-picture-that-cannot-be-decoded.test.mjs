import assert from 'node:assert/strict';
import test from 'node:test';
import { House, sleep } from './harness.mjs';
import { publish, received, view } from './over-http.mjs';

const WAIT_MS = 30_000;
const H264 = 'video/H264';

test('a tile says that this browser cannot show the picture, and the sound goes on', async (t) => {
  const house = new House(t);
  await house.node();
  const studio = await plainPage(house, await house.chromium());
  const where = { endpoint: `/whip/${house.room}?name=Studio`, width: 320, height: 180, codec: H264 };
  assert.equal(await studio.evaluate(publish, where), 201);

  // Debian's has no H264.
  const ada = await house.member(await house.firefox(), 'Ada');
  const note = await ada.until('is told', () => {
    const tile = document.querySelector('.tile[aria-label*="Studio"]');
    const note = tile?.querySelector('.note');
    return note && !note.hidden && { text: note.textContent, label: tile.getAttribute('aria-label') };
  });
  assert.match(note.text, /cannot show this picture \(H264\)/);
  assert.match(note.label, /cannot show this picture \(H264\)/, 'said to who does not see the tile');
  await ada.isIn('sfu');
  const packets = () => ada.ask(() => window.motet.quality().Studio?.camera?.audio?.packets ?? 0);
  const before = await packets();
  await until(packets, (count) => count > before + 50);
});

test('a member sends what a viewer can decode', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const ada = await house.member(chromium, 'Ada');
  const viewer = await plainPage(house, chromium);
  assert.equal(await viewer.evaluate(view, { endpoint: `/whep/${house.room}`, codec: H264 }), 201);
  await until(() => viewer.evaluate(received), ({ frames }) => frames > 30);
  const room = await (await house.api(`/api/rooms/${house.room}`)).json();
  assert.equal(room.tracks.find(({ source }) => source === 'camera').codec, 'h264');
  await ada.isIn('sfu');
});

test('a voice alone plays in a <video> that was made for a picture as well', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const radio = await plainPage(house, chromium);
  assert.equal(await radio.evaluate(publish, { endpoint: `/whip/${house.room}`, width: 0, height: 0 }), 201);
  const viewer = await plainPage(house, chromium);
  assert.equal(await viewer.evaluate(view, { endpoint: `/whep/${house.room}` }), 201);
  await until(() => viewer.evaluate(() => window.session.video.currentTime), (seconds) => seconds > 2);
});

/** A page of the node's own origin with nothing on it. */
async function plainPage(house, browser) {
  const page = await browser.newPage();
  await page.goto(`${house.url}/health`);
  return page;
}

async function until(ask, isRight) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`not yet: ${JSON.stringify(answer)}`);
    await sleep(200);
  }
}
