import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

const WEB = new URL('../../web/', import.meta.url);

test('the page in the library’s manual shows others, and takes nothing of ours but the library', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const manual = readFileSync(new URL('README.md', WEB), 'utf8');
  const [, html, script] = /```html\n(.*?)<script type="module">(.*?)<\/script>\n```/s.exec(manual);
  const pages = [];
  for (const name of ['Ada', 'Ben', 'Cem']) {
    const page = await chromium.newPage();
    page.on('pageerror', (error) => assert.fail(String(error)));
    // In the place of one of the node's own pages, so that it is of the node's origin; those run no
    // scripts but from files.
    await page.route('**/own.js', (route) => route.fulfill({ contentType: 'text/javascript', body: script.replace("name: 'Ada'", `name: '${name}'`) }));
    await page.goto(`${house.url}/offline.html`);
    await page.evaluate((html) => {
      document.body.innerHTML = html;
      document.body.append(Object.assign(document.createElement('script'), { type: 'module', src: '/own.js' }));
    }, html);
    pages.push(page);
  }
  for (const page of pages) {
    await until(() => page.evaluate(() => [...document.querySelectorAll('video')].filter((video) => video.currentTime > 0.5 && video.videoHeight > 0).length === 2));
    assert.equal(await page.textContent('p'), 'joined');
  }
  await pages.pop().close();
  for (const page of pages) await until(() => page.evaluate(() => document.querySelectorAll('video').length === 1));
});

test('the library does not know the page on top of it', () => {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const code = readFileSync(new URL(file, WEB), 'utf8');
    for (const [, imported] of code.matchAll(/^(?:import|export) .*from '\.\/(.+)';$/gm)) visit(imported);
  };
  visit('motet.js');
  const page = ['strings.js', 'settings.js', 'owner.js', 'main.js', 'visit.js'];
  assert.deepEqual([...seen].filter((file) => file.startsWith('ui/') || page.includes(file)), []);
  assert.ok(seen.size > 10);
});

async function until(question) {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(150)) if (await question()) return;
  assert.fail(`not yet: ${question}`);
}
