// On a local network there is no localhost: with a certificate of the node's own, a page from an
// address opens a camera once its reader has said yes to the certificate.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { chromium } from 'playwright-core';
import { CHROMIUM, House } from './harness.mjs';

const CAMERA_MS = 15_000;

test('https opens a camera', async (t) => {
  const house = new House(t);
  const data = mkdtempSync(join(tmpdir(), 'motet-'));
  t.after(() => rmSync(data, { recursive: true }));
  await house.node(['--http-listen', '0.0.0.0:0', '--tls', 'self-signed', '--data', data]);
  const authority = `${lanAddress()}:${new URL(house.url).port}`;

  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
  });
  t.after(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  // Plain http leads there.
  await page.goto(`http://${authority}/r/${house.room}`);
  assert.equal(page.url(), `https://${authority}/r/${house.room}`);
  const width = await page.evaluate(async (patience) => {
    const late = new Promise((_, no) => setTimeout(() => no(new Error('no camera')), patience));
    const stream = await Promise.race([navigator.mediaDevices.getUserMedia({ video: true }), late]);
    return stream.getVideoTracks()[0].getSettings().width;
  }, CAMERA_MS);
  assert.ok(width > 0, `a picture ${width} pixels wide`);
});

function lanAddress() {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find((one) => one.family === 'IPv4' && !one.internal);
  assert.ok(found, 'an address that is not loopback');
  return found.address;
}
