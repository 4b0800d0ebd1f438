// Photographs every page before and after a room, in both themes, on a desktop and a phone, into out/:
//
//   node screenshots.mjs            all of them
//   node screenshots.mjs prejoin    only those whose name contains it

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { PAGES, visitor } from './pages.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const OUT = here('out');
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const wanted = process.argv[2] ?? '';

const { MOTET_BIN, MOTET_URL, ...env } = process.env;
const node = spawn(MOTET_BIN ?? here('../../target/debug/motet'), ['--http-listen', '127.0.0.1:0', '--media-port', '0'], { env: { RUST_LOG: 'info', ...env } });
const url = await new Promise((resolve) => {
  let log = '';
  const read = (chunk) => {
    log += chunk;
    const address = /listening http=(\S+) media=/.exec(log)?.[1];
    if (address) resolve(`http://${address}`);
  };
  node.stdout.on('data', read);
  node.stderr.on('data', read);
});

const args = ['--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
mkdirSync(OUT, { recursive: true });
for (const colorScheme of ['light', 'dark']) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const [name, show] of Object.entries(PAGES)) {
      if (!name.includes(wanted)) continue;
      const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB' });
      const page = await visitor(await context.newPage());
      await show(page, url);
      await page.waitForTimeout(600);
      await page.screenshot({ path: `${OUT}/page-${name}-${colorScheme}-${size}.png`, fullPage: size === 'phone' && name !== 'settings' });
      await context.close();
    }
  }
}
await browser.close();
node.kill('SIGTERM');
