import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { all, House, othersOf, sleep } from './harness.mjs';

const RECORDED_MS = 8_000;
/** What the beginning and the end of a track may lack. */
const SLACK_MS = 2_500;

test('what browsers send is recorded, everyone is told, and the files play and seek', async (t) => {
  const house = new House(t);
  const data = mkdtempSync(join(tmpdir(), 'motet-'));
  await house.node(['--data-dir', data]);
  const [chromium, firefox] = [await house.chromium(), await house.firefox()];
  const members = [await house.member(chromium, 'Ada'), await house.member(firefox, 'Ben')];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));

  const recordings = `${house.url}/api/rooms/${house.room}/recordings`;
  const begun = await house.api(recordings, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"layout": "both"}' });
  assert.equal(begun.status, 201);
  const { id } = await begun.json();
  await all(members, (member) => member.isIn('sfu'));
  const cem = await house.member(chromium, 'Cem');
  members.push(cem);
  await all(members, (member) => member.until('is told', () => document.querySelector('.recording-sign:not([hidden])')?.textContent));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
  await sleep(RECORDED_MS);
  assert.equal((await house.api(recordings, { method: 'DELETE' })).status, 204);
  await all(members, (member) => member.until('is told of the end', () => document.querySelector('.recording-sign').hidden));

  const folder = join(data, 'recordings', id);
  const manifest = await finished(join(folder, 'manifest.json'));
  assert.equal(manifest.ended, 'stopped');
  const named = manifest.tracks.map(({ member, source }) => `${manifest.members.find((one) => one.member === member).name} ${source}`).sort();
  assert.deepEqual(named, ['Ada camera', 'Ada microphone', 'Ben camera', 'Ben microphone', 'Cem camera', 'Cem microphone']);
  const page = await chromium.newPage();
  for (const { files } of manifest.tracks) {
    assert.equal(files.length, 1, 'one file for each');
    await plays(page, join(folder, files[0].name), files[0].durationMs, files[0].width);
  }
  await plays(page, join(folder, manifest.roomFile), manifest.durationMs, 320);
});

/** The manifest, once the file of all tracks is written. */
async function finished(path) {
  for (const deadline = Date.now() + 20_000; ; await sleep(200)) {
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    if (manifest.roomFile) return manifest;
    assert.ok(Date.now() < deadline, `no file of all tracks: ${JSON.stringify(manifest)}`);
  }
}

/** A browser knows how long it is, and shows what is in its middle and near its end. */
async function plays(page, path, durationMs, width = 0) {
  assert.ok(durationMs > RECORDED_MS - SLACK_MS, `${path}: ${durationMs} ms`);
  const server = serve(path);
  await page.goto(`http://127.0.0.1:${await server.port}/`);
  const seen = await page.evaluate(async () => {
    const video = document.querySelector('video');
    const happens = (name) => new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
    });
    if (video.readyState < 1) await happens('loadedmetadata');
    const { duration, videoWidth } = video;
    for (const at of [0.9 * duration, duration / 2]) {
      video.currentTime = at;
      await happens('seeked');
    }
    video.muted = true;
    await video.play();
    if (!(video.currentTime > duration / 2 + 0.5)) await new Promise((resolve) => (video.ontimeupdate = () => video.currentTime > duration / 2 + 0.5 && resolve()));
    return { durationMs: 1_000 * duration, videoWidth };
  });
  server.close();
  assert.ok(Math.abs(seen.durationMs - durationMs) < 100, `${path}: ${seen.durationMs} ms instead of ${durationMs} ms`);
  assert.equal(seen.videoWidth, width);
}

/** A page with the file, by ranges. */
function serve(path) {
  const file = readFileSync(path);
  const server = createServer((request, response) => {
    if (request.url === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end('<video src="/file" preload="auto"></video>');
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? 'bytes=0-');
    const last = to ? Number(to) : file.length - 1;
    const range = { 'content-type': 'video/webm', 'accept-ranges': 'bytes', 'content-range': `bytes ${from}-${last}/${file.length}` };
    response.writeHead(206, range).end(file.subarray(Number(from), last + 1));
  });
  const port = new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
  return { port, close: () => server.close() };
}
