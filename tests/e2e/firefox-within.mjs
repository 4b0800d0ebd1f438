// A Firefox in a network namespace. It is led over a WebSocket on its own loopback, which cannot be reached
// from outside: this process starts it in there, and passes on what is said between it and the test.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Both come with puppeteer-core.
import { Browser, createProfile } from '@puppeteer/browsers';
import WebSocket from 'ws';

const [, , executable, preferences] = process.argv;
const path = mkdtempSync(join(tmpdir(), 'motet-firefox-'));
await createProfile(Browser.FIREFOX, { path, preferences: JSON.parse(preferences) });
const firefox = spawn(executable, ['--headless', '--remote-debugging-port=0', '--profile', path, 'about:blank'], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
firefox.on('exit', () => {
  rmSync(path, { recursive: true, force: true });
  process.exit();
});
process.on('disconnect', () => firefox.kill('SIGKILL'));

const socket = new WebSocket(`${await endpoint()}/session`, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });
socket.on('open', () => process.send(''));
socket.on('message', (text) => process.send(String(text)));
socket.on('close', () => firefox.kill('SIGKILL'));
process.on('message', (text) => socket.send(text));

function endpoint() {
  return new Promise((resolve) => {
    let text = '';
    firefox.stderr.on('data', (chunk) => {
      text += chunk;
      const url = /WebDriver BiDi listening on (ws:\S+)/.exec(text)?.[1];
      if (url) resolve(url);
    });
  });
}
