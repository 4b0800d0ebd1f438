// Contact sheets of every page and of the room, from the pictures that screenshots.mjs and gallery.mjs
// left in out/, written to docs/pages/:
//
//   node screenshots.mjs && node gallery.mjs && node sheets.mjs

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const OUT = here('../../docs/pages');
const WIDTHS = { desktop: 420, phone: 200 };

const pictures = [here('out'), here('out/gallery')].flatMap((folder) => readdirSync(folder).map((file) => `${folder}/${file}`));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
mkdirSync(OUT, { recursive: true });
for (const [size, width] of Object.entries(WIDTHS)) {
  for (const theme of ['light', 'dark']) {
    const chosen = pictures.filter((file) => file.endsWith('.png') && file.includes(`-${size}`) && file.includes(`-${theme}`)).sort();
    const figures = chosen.map((file) => `<figure><img width="${width}" src="data:image/png;base64,${readFileSync(file, 'base64')}"><figcaption>${nameOf(file)}</figcaption></figure>`);
    const page = await browser.newPage({ viewport: { width: 1320, height: 800 } });
    await page.setContent(`<style>body{margin:12px;display:flex;flex-wrap:wrap;gap:14px;align-items:start;font:12px sans-serif;background:#888}figure{margin:0}img{display:block}</style>${figures.join('')}`);
    await page.screenshot({ path: `${OUT}/${size}-${theme}.jpg`, type: 'jpeg', quality: 68, fullPage: true });
    await page.close();
  }
}
await browser.close();

function nameOf(file) {
  return basename(file, '.png').replace(/^page-/, '').replace(/-(desktop|phone|light|dark)/g, '');
}
