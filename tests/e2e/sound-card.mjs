// A sound card that plays to nobody. Without any, Firefox does not start an `AudioContext`.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from './harness.mjs';

/** Why there can be none here, or false. */
export function isMissing() {
  try {
    execFileSync('pulseaudio', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs the command pulseaudio';
  }
}

/**
 * Browsers that are started from now on have one.
 *
 * @param {{after: (callback: () => unknown) => void}} test
 */
export async function addSoundCard(test) {
  const folder = mkdtempSync(join(tmpdir(), 'motet-'));
  const socket = join(folder, 'sound');
  const modules = ['module-null-sink', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`].map((module) => `--load=${module}`);
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder };
  const server = spawn('pulseaudio', ['-n', '--exit-idle-time=-1', '--daemonize=no', ...modules], { env, stdio: 'ignore' });
  test.after(() => {
    server.kill();
    delete process.env.PULSE_SERVER;
  });
  for (let tries = 0; !existsSync(socket); tries += 1) {
    if (tries > 100) throw new Error('pulseaudio does not start');
    await sleep(100);
  }
  process.env.PULSE_SERVER = `unix:${socket}`;
}
