import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { ForeignPages } from './foreign-pages.mjs';
import { all, House, sleep } from './harness.mjs';

const WHIP_TOKEN = 'those-who-publish-show-this';
const WHEP_TOKEN = 'those-who-watch-show-this';
const WAIT_MS = 60_000;
const POLL_MS = 200;
const FRAMES = 20;
/** The fake microphones beep once a second: what is heard is more than silence. */
const ENERGY_MIN = 0.001;

const FFMPEG_OPTIONS = [
  ...['-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=15'],
  ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000,volume=4'],
  ...['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '30', '-pix_fmt', 'yuv420p'],
  ...['-c:a', 'libopus', '-ac', '2', '-f', 'whip', '-whip_flags', 'dtls_active'],
];

test('a page publishes by @eyevinn/whip-web-client; a member, @eyevinn/webrtc-player and plain pages watch', async (t) => {
  const house = new House(t);
  const pages = await open(house);
  await house.node(['--whip-token', WHIP_TOKEN, '--whep-token', WHEP_TOKEN]);
  const chromium = await house.chromium();
  const firefox = await house.firefox();
  const ben = await house.member(firefox, 'Ben');

  const studio = await visit(chromium, pages);
  await publish(studio, `${house.url}/whip/${house.room}?name=Studio`, WHIP_TOKEN);
  await ben.isIn('sfu', WAIT_MS);
  await ben.sees(['Studio'], { path: 'node', timeout: WAIT_MS });
  await ben.until('hears Studio beep', (min) => window.motet.quality().Studio.camera.audio.energy > min, { argument: ENERGY_MIN });

  const endpoint = `${house.url}/whep/${house.room}?member=Studio`;
  await t.test('@eyevinn/webrtc-player in Chromium', async () => {
    const page = await visit(chromium, pages);
    await play(page, endpoint, WHEP_TOKEN);
    await watches(page);
    await page.evaluate(() => window.player.unload());
    assert.deepEqual(await page.evaluate(() => window.said), [['POST', 201], ['DELETE', 200]]);
    await page.close();
  });
  for (const [name, browser] of [['Chromium', chromium], ['Firefox', firefox]]) {
    await t.test(`a plain page in ${name}`, async () => {
      const page = await visit(browser, pages);
      await watchPlainly(page, endpoint);
      await page.close();
    });
  }

  await studio.evaluate(() => window.client.destroy());
  const said = await studio.evaluate(() => window.said);
  t.diagnostic(`the publisher's requests: ${said.map((one) => one.join(' ')).join(', ')}`);
  assert.deepEqual(said.filter(([method]) => !['OPTIONS', 'PATCH'].includes(method)), [['POST', 201], ['DELETE', 200]]);
  // It tells candidates with the tag in another header than RFC 9725's, hears so, and goes on without.
  assert.deepEqual([...new Set(said.filter(([method]) => method === 'PATCH').map(([, status]) => status))], [428]);
  assert.ok(!said.some(([, status]) => status === 'unreachable'), 'every answer may be read by the page');
  await ben.until('has nobody but itself', () => Object.keys(window.motet.quality()).length === 0);
  assert.deepEqual(ben.complaints, []);
});

test('a publisher moves a mesh of two over the node, and without them it is a mesh again', async (t) => {
  const house = new House(t);
  const pages = await open(house);
  await house.node(['--allow-origin', pages.url]);
  const chromium = await house.chromium();
  const members = [await house.member(chromium, 'Ada'), await house.member(chromium, 'Ben')];
  const [ada, ben] = members;
  await Promise.all([ada.sees(['Ben'], { path: 'mesh', timeout: WAIT_MS }), ben.sees(['Ada'], { path: 'mesh', timeout: WAIT_MS })]);

  const studio = await visit(chromium, pages);
  await publish(studio, `${house.url}/whip/${house.room}?name=Studio`);
  await all(members, (member) => member.isIn('sfu', WAIT_MS));
  await ada.sees(['Ben', 'Studio'], { path: 'node', timeout: WAIT_MS });
  await ben.sees(['Ada', 'Studio'], { path: 'node', timeout: WAIT_MS });

  await studio.evaluate(() => window.client.destroy());
  await all(members, (member) => member.isIn('mesh', WAIT_MS));
  await ada.sees(['Ben'], { path: 'mesh', timeout: WAIT_MS });
  await ben.sees(['Ada'], { path: 'mesh', timeout: WAIT_MS });
  await all(members, async (member) => {
    const { quality, connections } = await member.ask(() => ({ quality: Object.keys(window.motet.quality()), connections: window.motet.connections }));
    assert.equal(quality.length, 1, 'nothing is left of the publisher');
    assert.deepEqual(Object.values(connections.mesh), ['connected']);
  });
});

test('a viewer by HTTP moves a mesh of two over the node and sees who speaks, or both', async (t) => {
  const house = new House(t);
  const pages = await open(house);
  await house.node(['--whep-token', WHEP_TOKEN]);
  const chromium = await house.chromium();
  const members = [await house.member(chromium, 'Ada'), await house.member(chromium, 'Ben')];
  const [ada, ben] = members;
  await Promise.all([ada.sees(['Ben'], { path: 'mesh', timeout: WAIT_MS }), ben.sees(['Ada'], { path: 'mesh', timeout: WAIT_MS })]);

  const page = await visit(chromium, pages);
  const endpoint = `${house.url}/whep/${house.room}`;
  await view(page, endpoint);
  await watches(page);
  await all(members, (member) => member.isIn('sfu', WAIT_MS));
  await page.evaluate(() => window.session.end());

  await view(page, endpoint, 3);
  await until('sees and hears two', page, () =>
    page.evaluate(async (frames) => {
      const { receivedByEach } = await import('/http-session.js');
      const [pictures, sounds] = await Promise.all(['video', 'audio'].map((kind) => receivedByEach(window.peer(), kind)));
      return [pictures, sounds].every((each) => each.slice(0, 2).every((count) => count >= frames) && each[2] === 0);
    }, FRAMES),
  );
  await page.evaluate(() => window.session.end());
  await all(members, (member) => member.isIn('mesh', WAIT_MS));
});

test('a publisher sends two sizes, and everybody gets the one that fits', async (t) => {
  const house = new House(t);
  const pages = await open(house);
  await house.node(['--allow-origin', pages.url]);
  const chromium = await house.chromium();
  const studio = await visit(chromium, pages);
  await studio.evaluate(
    async (endpoint) => (window.session = await (await import('/http-session.js')).publishLayers(endpoint, '')) && null,
    `${house.url}/whip/${house.room}?name=Studio`,
  );
  const page = await visit(chromium, pages);
  await view(page, `${house.url}/whep/${house.room}`, 1, '');
  const ben = await house.member(chromium, 'Ben');
  await ben.page.setViewportSize({ width: 320, height: 420 });
  await until('gets the large one', page, async () => (await received(page)).frameHeight === 360);
  await ben.until('gets the small one', () => window.motet.quality().Studio?.camera?.video?.height === 180, { timeout: WAIT_MS });
  await watches(page);
  // A busy encoder leaves the large one out at times.
  await until('has the large one', page, async () => (await received(page)).frameHeight === 360);
  await studio.evaluate(() => window.session.end());
});

const ffmpeg = newFfmpeg();
test('ffmpeg publishes; a member and @eyevinn/webrtc-player in Chromium watch', { skip: ffmpeg ? false : 'needs ffmpeg 9, which tests/foreign/whip.sh installs' }, async (t) => {
  const house = new House(t);
  const pages = await open(house);
  await house.node(['--whip-token', WHIP_TOKEN, '--whep-token', WHEP_TOKEN]);
  const publisher = spawn(ffmpeg, [...FFMPEG_OPTIONS, '-authorization', WHIP_TOKEN, `${house.url}/whip/${house.room}?name=Studio`], { stdio: 'ignore' });
  house.atEnd(() => publisher.kill('SIGKILL'));
  const chromium = await house.chromium();
  const ben = await house.member(chromium, 'Ben');
  await ben.sees(['Studio'], { path: 'node', timeout: WAIT_MS });
  const page = await visit(chromium, pages);
  await play(page, `${house.url}/whep/${house.room}?member=Studio`, WHEP_TOKEN);
  await watches(page);
  publisher.kill();
  await ben.until('sees that Studio has left', () => !window.motet.quality().Studio);
});

async function open(house) {
  const pages = new ForeignPages();
  house.atEnd(() => pages.close());
  return pages.open();
}

/** A page of the other origin, which notes its requests and what became of them. */
async function visit(browser, pages) {
  const page = await browser.newPage();
  await page.goto(pages.url);
  await page.evaluate(() => {
    const ask = window.fetch;
    window.said = [];
    window.fetch = async (url, options = {}) => {
      const one = [options.method ?? 'GET', 'unreachable'];
      window.said.push(one);
      const response = await ask(url, options);
      one[1] = response.status;
      return response;
    };
  });
  return page;
}

/** As the README of @eyevinn/whip-web-client says; without a token it does not ask for ICE servers. */
function publish(page, endpoint, authkey = '') {
  return page.evaluate(
    async ({ endpoint, authkey }) => {
      const { WHIPClient } = (await import('/packages/@eyevinn/whip-web-client')).default;
      window.client = new WHIPClient({ endpoint, opts: { authkey, iceServers: [] } });
      if (authkey) await window.client.setIceServersFromEndpoint();
      const video = { width: 320, height: 180, frameRate: 15 };
      await window.client.ingest(await navigator.mediaDevices.getUserMedia({ video, audio: true }));
    },
    { endpoint, authkey },
  );
}

/** As the README of @eyevinn/webrtc-player says; its `authKey` is the whole header. */
function play(page, endpoint, token) {
  return page.evaluate(
    async ({ endpoint, token }) => {
      const { WebRTCPlayer } = (await import('/packages/@eyevinn/webrtc-player')).default;
      window.player = new WebRTCPlayer({ video: document.querySelector('video'), type: 'whep', iceServers: [] });
      await window.player.load(new URL(endpoint), `Bearer ${token}`);
      window.peer = () => window.player.adapter.getPeer();
    },
    { endpoint, token },
  );
}

/** A plain page's viewer, with that many pairs of audio and video. */
function view(page, endpoint, pairs = 1, token = WHEP_TOKEN) {
  return page.evaluate(
    async ({ endpoint, pairs, token }) => {
      const { view } = await import('/http-session.js');
      window.session = await view(endpoint, token, pairs);
      window.peer = () => window.session.peer;
    },
    { endpoint, pairs, token },
  );
}

/** Offers at once, trickles, watches, restarts ICE, watches on, and ends. */
async function watchPlainly(page, endpoint) {
  await view(page, endpoint);
  await watches(page);
  assert.equal(await page.evaluate(() => window.session.patchStale()), 412);
  const before = await pathOf(page);
  assert.ok(before);
  await page.evaluate(() => window.session.restart());
  await until('goes another way', page, async () => ![before, undefined].includes(await pathOf(page)));
  await watches(page);
  await page.evaluate(() => window.session.end());
  const said = await page.evaluate(() => window.said);
  const of = (wanted) => said.filter(([method]) => method === wanted).map(([, status]) => status);
  assert.deepEqual([of('POST'), of('DELETE')], [[201], [200, 404]]);
  assert.deepEqual([...new Set(of('PATCH'))].sort(), [200, 204, 412]);
}

/** The pair of candidates that carries the media. */
function pathOf(page) {
  return page.evaluate(async () => {
    const reports = [...(await window.peer().getStats()).values()];
    const transport = reports.find(({ type }) => type === 'transport');
    // Firefox has no report of transports, and marks the pair.
    const chosen = reports.find(({ type, selected }) => type === 'candidate-pair' && selected);
    return transport?.selectedCandidatePairId ?? chosen?.id;
  });
}

/** Waits until pictures are decoded and sound is heard, from now on. */
async function watches(page) {
  const before = await received(page);
  await until('sees and hears', page, async () => {
    const now = await received(page);
    return now.framesDecoded >= before.framesDecoded + FRAMES && now.totalAudioEnergy > before.totalAudioEnergy + ENERGY_MIN;
  });
  assert.equal((await received(page)).state, 'connected');
}

function received(page) {
  return page.evaluate(async () => (await import('/http-session.js')).received(window.peer()));
}

async function until(what, page, question) {
  const deadline = Date.now() + WAIT_MS;
  while (!(await question())) {
    if (Date.now() > deadline) throw new Error(`not yet: ${what}\n${JSON.stringify([await received(page), await page.evaluate(() => window.said)])}`);
    await sleep(POLL_MS);
  }
}

/** ffmpeg 9 has WHIP; a system's own is older. */
function newFfmpeg() {
  const folder = `${process.env.TMPDIR ?? tmpdir()}/motet-foreign-whip/lib`;
  const found = existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];
  const path = found.find((name) => /imageio_ffmpeg\/binaries\/ffmpeg-[^/]*$/.test(name));
  return process.env.FFMPEG_WITH_WHIP ?? (path && `${folder}/${path}`);
}
