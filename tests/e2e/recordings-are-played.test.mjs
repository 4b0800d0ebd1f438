import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { recordingWords } from '../../web/strings/recordings.js';
import { ADMIN_TOKEN, all, House, othersOf, sleep, WAIT_MS } from './harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const OUT = fileURLToPath(new URL('out', import.meta.url));
const RECORDED_MS = 7_000;
/** Pictures of a busy machine come in bursts: the last one may be a while ago when the recording ends. */
const PLAYED_S_MIN = RECORDED_MS / 1_000 - 0.5;

/** Waits until the page answers with something true. */
async function until(page, what, question, argument) {
  for (const deadline = Date.now() + WAIT_MS; ; await sleep(150)) {
    const answer = await page.evaluate(question, argument);
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `not within ${WAIT_MS} ms: ${what}: ${await page.evaluate(() => document.body.innerText)}`);
  }
}

async function photograph(page, name) {
  mkdirSync(OUT, { recursive: true });
  await page.screenshot({ path: `${OUT}/recordings-${name}.png`, fullPage: true });
}

async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations', 'passes'] }));
  assert.ok(found.passes.length > 10, 'axe looked at the page');
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

/** People in a room of whom everything is recorded for a while. */
async function recordedRoom(t, flags = [], people = ['Ada', 'Ben']) {
  const house = new House(t);
  const data = mkdtempSync(join(tmpdir(), 'motet-'));
  house.atEnd(() => rmSync(data, { recursive: true, force: true }));
  await house.node(['--data-dir', data, ...flags]);
  const chromium = await house.chromium();
  const members = [];
  for (const name of people) members.push(await house.member(chromium, name));
  const recordings = `${house.url}/api/rooms/${house.room}/recordings`;
  const begun = await house.api(recordings, { method: 'POST' });
  assert.equal(begun.status, 201);
  const { id } = await begun.json();
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
  const folder = join(data, 'recordings', id);
  for (const deadline = Date.now() + WAIT_MS; !isWritten(folder, 2 * people.length); await sleep(200)) assert.ok(Date.now() < deadline, 'every track is written');
  await sleep(RECORDED_MS);
  return { house, chromium, members, recordings, folder };
}

/** Whether so many tracks have begun their files. */
function isWritten(folder, count) {
  const { tracks } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  return tracks.filter(({ files }) => files.length > 0).length === count;
}

async function leave(members) {
  for (const member of members) {
    await member.page.close();
    member.isGone = true;
  }
}

/** Shows the page who manages the node. */
async function unlock(page) {
  await page.waitForSelector('input[type=password]');
  await page.focus('input[type=password]');
  await page.keyboard.type(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
}

/** Opens the player of the first recording. */
async function open(page) {
  await until(page, 'can be played', () => Boolean(document.querySelector('.recording [data-tool=play]')));
  await page.evaluate(() => document.querySelector('.recording [data-tool=play]').click());
  return until(page, 'knows how long it is', () => {
    const video = document.querySelector('.stage > video');
    return video?.readyState >= 1 && Number.isFinite(video.duration) && video.duration;
  });
}

/**
 * Plays what is chosen from its middle, until something was seen for a second and a half or it has ended, and
 * says what was decoded: a slow machine does not draw all of it.
 */
function playFromMiddle(page) {
  return page.evaluate(async () => {
    const video = document.querySelector('.stage > video');
    const happens = (name) => new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener('error', () => reject(new Error(video.error?.message)), { once: true });
    });
    if (video.readyState < 1) await happens('loadedmetadata');
    video.muted = true;
    video.currentTime = video.duration / 2;
    await happens('seeked');
    const from = video.currentTime;
    const decoded = () => video.getVideoPlaybackQuality().totalVideoFrames;
    const before = decoded();
    await video.play();
    while (video.currentTime < from + 1.5 && !video.ended) await new Promise((resolve) => setTimeout(resolve, 50));
    const others = [...document.querySelectorAll('.followers figure:not([hidden]) video')].map((other) => other.currentTime);
    const at = video.currentTime;
    video.pause();
    return { from, at, frames: decoded() - before, width: video.videoWidth, duration: video.duration, others };
  });
}

test('what was recorded is listed, played, sought in and removed', async (t) => {
  const { house, chromium, members, folder } = await recordedRoom(t);
  const page = await chromium.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${house.url}/recordings`);
  await unlock(page);
  await until(page, 'is there, and goes on', () => Boolean(document.querySelector('.recording .live')));
  assert.equal(await page.textContent('.recording h2'), house.room);
  await photograph(page, 'live');
  await page.click('.recording [data-tool=end]');
  await leave(members);
  await until(page, 'is over', () => Boolean(document.querySelector('.recording[data-state=over]')));
  for (const deadline = Date.now() + WAIT_MS; !existsSync(join(folder, 'room.webm')); await sleep(200)) assert.ok(Date.now() < deadline, 'tracks are merged');
  await page.reload();

  const { files } = (await (await house.api('/api/recordings')).json()).recordings[0];
  const firefox = await (await house.firefox()).newPage();
  await firefox.goto(`${house.url}/recordings`);
  await unlock(firefox);
  for (const [name, one] of Object.entries({ chromium: page, firefox })) {
    const duration = await open(one);
    assert.ok(duration > PLAYED_S_MIN, `${name}: ${duration} s`);
    const options = await one.evaluate(() => [...document.querySelectorAll('.player select option')].map(({ value, text }) => [value, text]));
    const { everyone, sources } = recordingWords.en;
    const titles = options.map(([, text]) => text).sort();
    assert.deepEqual(titles, [everyone, `Ada, ${sources.camera}`, `Ada, ${sources.microphone}`, `Ben, ${sources.camera}`, `Ben, ${sources.microphone}`].sort());
    for (const [value, text] of options) {
      await one.select?.('.player select', value) ?? (await one.selectOption('.player select', value));
      const seen = await playFromMiddle(one);
      assert.ok(seen.at >= seen.from + 1.5, `${name}: ${text}: ${JSON.stringify(seen)}`);
      if (text.includes(sources.microphone)) assert.equal(seen.width, 0);
      else {
        assert.equal(seen.width, 320, `${name}: ${text}`);
        assert.ok(seen.frames >= 8, `${name}: ${text}: ${seen.frames} frames in 1.5 s`);
      }
      if (text === everyone) {
        assert.equal(seen.others.length, 1, 'the other one is beside');
        const [first, beside] = files.filter(({ source }) => source === 'camera');
        assert.deepEqual(await one.evaluate(() => [...document.querySelectorAll('.stage > .name, figcaption')].map(({ textContent }) => textContent)), [first.member, beside.member]);
        const apart = seen.at - seen.others[0] - beside.atMs / 1_000;
        assert.ok(Math.abs(apart) < 0.2, `${name}: ${apart} s apart`);
        t.diagnostic(`${name}: pictures are ${apart.toFixed(3)} s apart, ${seen.frames} frames in 1.5 s`);
      }
    }
    await one.select?.('.player select', 'everyone') ?? (await one.selectOption('.player select', 'everyone'));
    const end = await one.evaluate(async () => {
      const video = document.querySelector('.stage > video');
      const happens = (name) => new Promise((resolve) => video.addEventListener(name, resolve, { once: true }));
      if (video.readyState < 1) await happens('loadedmetadata');
      video.muted = true;
      video.currentTime = video.duration - 2;
      await happens('seeked');
      const ended = happens('ended');
      await video.play();
      await ended;
      const { cues } = video.textTracks[0];
      return { at: video.currentTime, duration: video.duration, cues: [...cues].map(({ text }) => text) };
    });
    assert.ok(Math.abs(end.at - end.duration) < 0.2, `${name}: ${JSON.stringify(end)}`);
    assert.ok(end.cues.length > 0 && end.cues.every((text) => /<v (Ada|Ben)>/.test(text)), `${name}: who spoke: ${end.cues}`);
  }
  await playFromMiddle(page);
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.evaluate(() => (document.querySelector('.downloads').open = true));
    for (const [size, width] of Object.entries({ desktop: 1_280, phone: 390 })) {
      await page.setViewportSize({ width, height: 844 });
      await page.waitForTimeout(250);
      assert.deepEqual(await violations(page), [], `${theme}, ${size}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `nothing is cut off on a ${size}`);
      await photograph(page, `${size}-${theme}`);
    }
  }
  const links = await page.evaluate(() => [...document.querySelectorAll('.downloads a')].map((link) => link.href));
  assert.equal(links.length, 7);
  const saved = await house.api(links[0]);
  assert.match(saved.headers.get('content-disposition'), /^attachment; filename="what-was-recorded.*\.webm"/);
  assert.equal((await saved.arrayBuffer()).byteLength, Number(saved.headers.get('content-length')));

  await page.focus('.recording [data-tool=remove]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel', 'nothing is removed by a second Enter');
  await photograph(page, 'question');
  await page.keyboard.press('Escape');
  assert.ok(existsSync(folder));
  await page.click('.recording [data-tool=remove]');
  await page.click('dialog .dangerous');
  await until(page, 'is gone', (words) => document.querySelector('.library').textContent.includes(words), recordingWords.en.none);
  assert.ok(!existsSync(folder));
  assert.deepEqual(complaints, []);
});

test('without the admin token nothing is shown, and with it the player plays too', async (t) => {
  const { house, members, recordings } = await recordedRoom(t, ['--turn', 'off'], ['Ada']);
  await house.api(recordings, { method: 'DELETE' });
  await leave(members);
  const page = await (await house.chromium()).newPage();
  await page.goto(`${house.url}/recordings`);
  await page.waitForSelector('input[type=password]');
  assert.equal(await page.evaluate(() => document.activeElement.name), 'token');
  assert.deepEqual(await violations(page), []);
  await page.keyboard.type('not the token');
  await page.keyboard.press('Enter');
  await until(page, 'is refused', (words) => document.querySelector('[role=alert]')?.textContent === words, recordingWords.en.wrongToken);
  await photograph(page, 'token');
  await page.keyboard.type(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  assert.ok((await open(page)) > PLAYED_S_MIN);
  const seen = await playFromMiddle(page);
  assert.ok(seen.frames >= 8, JSON.stringify(seen));
  await page.reload();
  await page.waitForSelector('.recording', { timeout: WAIT_MS });
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies.map(({ name, httpOnly, sameSite, path }) => ({ name, httpOnly, sameSite, path })), [{ name: 'motet-recordings', httpOnly: true, sameSite: 'Strict', path: '/api/rooms' }]);
  await page.click('.recordings-foot button');
  await page.waitForSelector('input[type=password]');
  assert.deepEqual(await page.context().cookies(), []);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('every language has the same words', () => {
  const shape = (value) => (value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)])) : typeof value);
  for (const language of ['de', 'fr']) assert.deepEqual(shape(recordingWords[language]), shape(recordingWords.en), language);
});
