import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { all, House } from './harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** `cargo build --workspace --examples` builds it. */
const PUBLISH_FILE = here('../../target/debug/examples/publish_file');
const PICTURE = here('../fixtures/recording/picture.ivf');

test('files that are sent into a room are seen and heard in browsers', async (t) => {
  const house = new House(t);
  await house.node();
  const members = [await house.member(await house.chromium(), 'Ada'), await house.member(await house.firefox(), 'Ben')];
  const sound = join(mkdtempSync(join(tmpdir(), 'motet-')), 'sound.ogg');
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'sine=440:duration=4', '-c:a', 'libopus', sound]);
  const film = spawn(PUBLISH_FILE, [`${house.url.replace('http', 'ws')}/ws`, house.room, PICTURE, sound, '--loop'], { stdio: 'inherit' });
  t.after(() => film.kill('SIGKILL'));
  await all(members, (member) => member.sees(['film'], { path: 'node', frames: 60 }));
  await all(members, (member) => member.until('hears the tone', () => window.motet.quality().film.camera.audio.energy > 0.001));
  film.kill('SIGINT');
  await all(members, (member) => member.until('sees it leave', () => !window.motet.quality().film));
});
