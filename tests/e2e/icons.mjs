// Draws the icons that some systems want as PNG, from the drawings: node icons.mjs

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const web = (name) => fileURLToPath(new URL(`../../web/${name}`, import.meta.url));

/** Apple's is cut to shape by the system: the drawing that fills its square. */
const ICONS = [
  { from: 'icon.svg', to: 'icon-192.png', side: 192 },
  { from: 'icon.svg', to: 'icon-512.png', side: 512 },
  { from: 'icon-maskable.svg', to: 'icon-maskable-512.png', side: 512 },
  { from: 'icon-maskable.svg', to: 'icon-180.png', side: 180 },
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
for (const { from, to, side } of ICONS) {
  const page = await browser.newPage({ viewport: { width: side, height: side } });
  const drawing = Buffer.from(readFileSync(web(from))).toString('base64');
  await page.setContent(`<style>body { margin: 0 } img { display: block; width: 100vw }</style><img src="data:image/svg+xml;base64,${drawing}">`);
  await page.screenshot({ path: web(to), omitBackground: true });
  await page.close();
}
await browser.close();
