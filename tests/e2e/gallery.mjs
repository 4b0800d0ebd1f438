// Pictures of the room with made-up members: phone and desktop, light and dark.
//
//   node gallery.mjs [part of a picture's name]
//
// They are written to out/gallery/.

import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { House, sleep } from './harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const OUT = here('out/gallery');
const DESKTOP = { width: 1280, height: 760 };
const PHONE = { width: 390, height: 780 };
const SMALL = { width: 320, height: 568 };

const press = (tool) => (page) => page.click(`[data-tool=${tool}]`);
const CHAT = [
  { from: 'm1', name: 'Ben', text: 'Good morning! The scores are at https://scores.example/motets/spem-in-alium.pdf.', atMs: 1000 },
  { from: 'm1', name: 'Ben', text: 'Page 4 is missing its last line.', atMs: 9000 },
  { from: 'm2', name: 'Chiara', text: 'Thank you.\nI will bring a printed one for everybody who sings the second voice.', atMs: 20000 },
  { from: 'm0', name: 'You', text: 'See you there', atMs: 30000 },
];
const KNOCKS = [{ member: 'k1', name: 'Greta' }, { member: 'k2', name: 'Anton' }];
const owner = { role: 'owner', waiting: KNOCKS };
const busy = { speakers: ['m1'], hands: [2, 1], lost: [3], weak: [1] };

/** @type {Record<string, {room: object, size?: object, theme?: string, then?: (page: any) => Promise<unknown>}>} */
const PICTURES = {
  'one': { room: { count: 1 } },
  'two': { room: { count: 2, speakers: ['m1'] } },
  'four': { room: { count: 4, ...busy } },
  'nine': { room: { count: 9, ...busy } },
  'twenty-five': { room: { count: 25, ...busy } },
  'thirty-two': { room: { count: 32, ...busy } },
  'screen': { room: { count: 6, screen: true, speakers: ['m2'] } },
  'speaker': { room: { count: 9, speakers: ['m2'] }, then: (page) => page.keyboard.press('g') },
  'chat': { room: { count: 4, chat: CHAT }, then: async (page) => {
    await page.click('[data-tool=chat]');
    await page.fill('.say textarea', 'One more: http://a.example/x');
    await page.keyboard.press('Enter');
  } },
  'people': { room: { count: 12, ...busy, ...owner, held: [5], why: { cause: 'many' } }, then: async (page) => {
    await page.keyboard.press('p');
    await page.click('.row .who >> nth=2');
  } },
  'knocks': { room: { count: 4, ...owner }, then: (page) => page.click('[data-tool=leave]') },
  'tile-menu': { room: { count: 4, ...owner, hands: [1] }, then: async (page) => {
    await page.hover('.tile >> nth=1');
    await page.click('.tile-menu >> nth=1');
  } },
  'reactions': { room: { count: 4 }, then: async (page) => {
    await page.evaluate(() => ['thumbsUp', 'heart', 'party', 'laugh', 'clap', 'surprise', 'thumbsDown'].forEach((reaction, at) => window.room.emit('reaction', { from: `m${at % 4}`, reaction })));
    if (await page.isVisible('[data-tool=react]')) await page.click('[data-tool=react]');
    await sleep(700);
  } },
  'more': { room: { count: 2 }, then: press('more') },
  'code': { room: { count: 2 }, then: async (page) => {
    await page.click('[data-tool=more]');
    await page.click('.item:has-text("QR")');
  } },
  'help': { room: { count: 2 }, then: (page) => page.keyboard.press('?') },
  'exception': { room: { count: 4, why: { cause: 'few' }, exceptions: [{ member: 'm1', path: 'node', reason: 'pairFailed' }, { member: 'm2', path: 'none', reason: 'nothing' }] } },
  'german': { room: { count: 3, lang: 'de', ...owner }, then: (page) => page.keyboard.press('p') },
};

const house = new House({ name: 'gallery', after: () => {} });
await house.node();
const browser = await house.chromium();
mkdirSync(OUT, { recursive: true });
const wanted = process.argv[2] ?? '';
for (const [name, picture] of Object.entries(PICTURES)) {
  for (const [where, viewport] of [['desktop', DESKTOP], ['phone', PHONE], ['small', SMALL]]) {
    for (const theme of ['light', 'dark']) {
      const file = `${name}-${where}-${theme}`;
      const isUsual = where !== 'small' || ['four', 'people'].includes(name);
      if (file.includes(wanted) && isUsual) await take(file, viewport, theme, picture);
    }
  }
}
await house.close();

async function take(file, viewport, theme, { room, then }) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.log(file, String(error)));
  page.on('console', (message) => message.type() === 'error' && console.log(file, message.text()));
  page.setDefaultTimeout(5_000);
  page.on('response', (response) => response.status() >= 400 && console.log(file, response.status(), response.url()));
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme: theme });
  const html = readFileSync(here('../../web/index.html'), 'utf8').replace('/main.js', '/gallery-page.js');
  await page.route('**/r/quiet-choir-1204', (route) => route.fulfill({ contentType: 'text/html', body: html }));
  for (const file of ['gallery-page.js', 'portraits.js']) await page.route(`**/${file}`, (route) => route.fulfill({ path: here(file) }));
  await page.goto(`${house.url}/r/quiet-choir-1204`);
  await page.waitForFunction(() => window.gallery);
  await page.evaluate((room) => window.gallery(room), room);
  await sleep(1_300);
  await then?.(page).catch((error) => console.log(file, String(error).slice(0, 200)));
  await sleep(500);
  await page.screenshot({ path: `${OUT}/${file}.png` });
  await page.context().close();
}
