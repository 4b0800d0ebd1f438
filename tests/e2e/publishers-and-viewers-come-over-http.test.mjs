import assert from 'node:assert/strict';
import test from 'node:test';
import { House, sleep } from './harness.mjs';
import { leave, publish, received, restart, view } from './over-http.mjs';

const WAIT_MS = 20_000;
/** Now and then Chromium is slow to send its upper layers. */
const LAYERS_MS = 60_000;

for (const kind of ['chromium', 'firefox']) {
  test(`a ${kind} page publishes with layers by WHIP, another views by WHEP, and a member sees the one and no tile of the other`, async (t) => {
    const house = new House(t);
    await house.node();
    const chromium = await house.chromium();
    const browser = kind === 'chromium' ? chromium : await house.firefox();
    const studio = await plainPage(house, browser);
    const where = { endpoint: `/whip/${house.room}?name=Studio`, width: 1280, height: 720 };
    assert.equal(await studio.evaluate(publish, where), 201);
    // Before there are so many pages that their processor gives.
    const layers = await until(() => layersOf(house), (count) => count > 1, LAYERS_MS);
    t.diagnostic(`${layers} layers of the studio's camera flow`);

    const ada = await house.member(chromium, 'Ada');
    await ada.sees(['Studio'], { path: 'node' });
    await ada.isIn('sfu');

    const viewer = await plainPage(house, browser);
    assert.equal(await viewer.evaluate(view, { endpoint: `/whep/${house.room}` }), 201);
    await plays(viewer, 30);
    assert.equal(await ada.ask(() => document.querySelectorAll('.tile').length), 2, 'Ada and the studio');
    assert.equal(await ada.ask(() => window.motet.members.length), 3);

    for (const page of [studio, viewer]) {
      const { status, isNewTag } = await page.evaluate(restart);
      assert.deepEqual([status, isNewTag], [200, true]);
      await plays(viewer, 30);
      assert.equal(await page.evaluate(() => window.session.connection.connectionState), 'connected');
    }

    assert.deepEqual(await viewer.evaluate(leave), [200, 404]);
    assert.deepEqual(await studio.evaluate(leave), [200, 404]);
    await ada.until('is alone', () => window.motet.members.length === 1, { timeout: WAIT_MS });
    await ada.isIn('mesh');
  });
}

/** A page of the node's own origin with nothing on it. */
async function plainPage(house, browser) {
  const page = await browser.newPage();
  await page.goto(`${house.url}/health`);
  return page;
}

/** Waits until so many more frames, and sound, have come. */
async function plays(page, frames) {
  const before = await page.evaluate(received);
  const more = ({ frames: now, audioPackets }) => now >= before.frames + frames && audioPackets > before.audioPackets;
  await until(() => page.evaluate(received), more);
}

async function layersOf(house) {
  const room = await (await house.api(`/api/rooms/${house.room}`)).json();
  const tracks = room.tracks.filter(({ source, member }) => source === 'camera' && room.members.some(({ id, kind }) => id === member && kind === 'whip'));
  return tracks[0]?.layers ?? 0;
}

async function until(ask, isRight, timeout = WAIT_MS) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`not yet: ${JSON.stringify(answer)}`);
    await sleep(200);
  }
}
