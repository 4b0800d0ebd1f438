// Draws the icons that some systems want as PNG, from the drawings: node icons.mjs

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const web = (name) => fileURLToPath(new URL(`../../web/${name}`, import.meta.url));

/** Apple's is cut to shape by the system: the drawing that fills its square. */
const ICONS = [
  { from: 'icon.svg', to: 'icon-192.png', side: 192 },
  { from: 'icon.svg', to: 'icon-512.png', side: 512 },
  { from: 'icon-maskable.svg', to: 'icon-maskable-512.png', side: 512 },
  { from: 'icon-maskable.svg', to: 'icon-180.png', side: 180 },
  { from: 'icon.svg', to: 'favicon.ico', side: 48 },
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
for (const { from, to, side } of ICONS) {
  const page = await browser.newPage({ viewport: { width: side, height: side } });
  const drawing = Buffer.from(readFileSync(web(from))).toString('base64');
  await page.setContent(`<style>body { margin: 0 } img { display: block; width: 100vw }</style><img src="data:image/svg+xml;base64,${drawing}">`);
  const drawn = await page.screenshot({ omitBackground: true });
  writeFileSync(web(to), to.endsWith('.ico') ? ico(drawn, side) : drawn);
  await page.close();
}
await browser.close();

/** A file of one icon, which may be a PNG. */
function ico(png, side) {
  const head = Buffer.alloc(22);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(1, 4);
  head.writeUInt8(side, 6);
  head.writeUInt8(side, 7);
  head.writeUInt16LE(1, 10);
  head.writeUInt16LE(32, 12);
  head.writeUInt32LE(png.length, 14);
  head.writeUInt32LE(head.length, 18);
  return Buffer.concat([head, png]);
}
