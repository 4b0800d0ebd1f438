import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DESKTOP = { width: 1100, height: 700 };
const PHONE = { width: 390, height: 760 };

/** What is open, and how it is opened. */
const STATES = [
  ['nothing open', async () => {}],
  ['the chat', (page) => page.keyboard.press('c')],
  ['the people, with figures', async (page) => {
    await page.keyboard.press('p');
    await page.click('.row .who >> nth=1');
  }],
  ['a menu', (page) => page.click('[data-tool=more]')],
  ['a tile’s menu', async (page) => {
    await page.hover('.tile >> nth=0');
    await page.click('.tile-menu >> nth=0');
  }],
  ['the help', (page) => page.keyboard.press('?')],
  ['the speaker view', (page) => page.keyboard.press('g')],
];

for (const colorScheme of ['light', 'dark']) {
  test(`nothing in the room keeps anyone out, ${colorScheme}`, async (t) => {
    const house = new House(t);
    await house.node();
    const chromium = await house.chromium();
    const ada = await house.member(chromium, 'Ada');
    const ben = await house.member(chromium, 'Ben', '&video=0&audio=0');
    await ada.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await ben.page.keyboard.press('c');
    await ben.page.fill('.say textarea', 'See https://motet.example/ for more');
    await ben.page.keyboard.press('Enter');
    await ada.until('was written to', () => window.motet.chat.length === 1);
    for (const viewport of [DESKTOP, PHONE]) {
      await ada.page.setViewportSize(viewport);
      for (const [what, open] of STATES) {
        await open(ada.page);
        await sleep(300);
        assert.deepEqual(await violations(ada.page), [], `${what}, ${viewport.width} wide`);
        await close(ada.page);
      }
    }
  });
}

async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`);
}

/** Menus and dialogs close by Escape, and then the panel does. */
async function close(page) {
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.mouse.move(0, 0);
}
