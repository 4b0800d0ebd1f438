import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { House } from './harness.mjs';
import { PAGES, visitor } from './pages.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong, in a line each. */
async function violations(page) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations', 'passes'] }));
  assert.ok(passes.length > 10, 'axe looked at the page');
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

test('axe finds nothing wrong with any page before and after a room, in both themes', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  for (const theme of ['light', 'dark']) {
    for (const [name, show] of Object.entries(PAGES)) {
      const page = await visitor(await chromium.newPage());
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      await show(page, house.url);
      await page.waitForTimeout(200);
      assert.deepEqual(await violations(page), [], `${name}, ${theme}`);
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
      await page.context().close();
    }
  }
});

test('the way through the page before joining is in order, and seen', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await visitor(await (await house.chromium()).newPage());
  await PAGES.prejoin(page, house.url);
  const focused = () => page.evaluate(() => document.activeElement.dataset.tool ?? document.activeElement.dataset.device ?? document.activeElement.name ?? document.activeElement.type);
  const label = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.getAttribute('aria-label'));
  assert.equal(await label(), 'Join', 'who said their name before only presses Enter');
  await page.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => document.body.focus());
  await page.click('.masthead', { position: { x: 400, y: 10 } });
  const seen = [];
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press('Tab');
    seen.push((await focused()) || (await label()));
    const { outline } = await page.evaluate(() => ({ outline: getComputedStyle(document.activeElement).outlineStyle }));
    if (await page.evaluate(() => document.activeElement !== document.body)) assert.equal(outline, 'solid', `${seen.at(-1)} shows that it is in focus`);
  }
  const order = ['mic', 'camera', 'name', 'microphone', 'speaker'];
  const places = order.map((name) => seen.indexOf(name));
  assert.ok(places.every((place) => place >= 0), `all are reached: ${seen}`);
  assert.deepEqual(places, [...places].sort((one, other) => one - other), `${seen}`);
});

test('a language and a theme that were chosen hold from then on', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium()).newPage();
  await page.goto(`${house.url}/`);
  await page.click('[data-tool=settings]');
  await page.selectOption('[data-setting=language]', 'de');
  await page.selectOption('[data-setting=theme]', 'dark');
  assert.equal(await page.textContent('dialog h2'), 'Einstellungen');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  for (const again of [false, true]) {
    if (again) await page.reload();
    await page.waitForSelector('.home');
    assert.equal(await page.textContent('.home .primary'), 'Neuer Raum');
    const { lang, theme } = await page.evaluate(() => ({ lang: document.documentElement.lang, theme: document.documentElement.dataset.theme }));
    assert.deepEqual([lang, theme], ['de', 'dark']);
  }
});
