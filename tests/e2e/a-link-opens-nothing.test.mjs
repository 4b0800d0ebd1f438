// Any page can hold a link into a room: it opens no device and takes no key.

import assert from 'node:assert/strict';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

const OWN_KEY = 'a-key-of-whoever-sits-here-000001';
const OTHER_KEY = 'a-key-that-a-link-brought-0000002';
const NO_KIOSK = ['--kiosk=off'];

test('a link that goes into a room opens microphone and camera only where the browser chose so', async (t) => {
  const { house, page, until } = await visitor(t);
  const link = `${house.url}/r/${house.room}?join&name=Ada`;
  const on = () => ['mic', 'camera'].map((tool) => document.querySelector(`[data-tool=${tool}]`)?.getAttribute('aria-pressed') === 'true');
  await page.goto(link);
  await until('is in the room', () => window.motet?.state === 'joined');
  await until('is told why', () => /A link brought you here/.test(document.querySelector('.notices').textContent));
  await sleep(500);
  assert.deepEqual(await page.evaluate(on), [false, false]);
  assert.deepEqual(await page.evaluate(() => window.motet.members.flatMap(({ published }) => published)), []);

  await page.goto(`${house.url}/`);
  await page.click('[data-tool=settings]');
  await page.click('label:has-text("Links may turn on")');
  await page.goto(link);
  await until('both are on', () => window.motet?.state === 'joined' && window.motet.members[0].published.length === 2);
  assert.deepEqual(await page.evaluate(on), [true, true]);
});

test('a key that a link brought is kept once the node has said that it makes owners, and takes no other’s place', async (t) => {
  const { house, page, until } = await visitor(t);
  const stored = () => JSON.parse(localStorage.getItem('motet-keys') ?? '[]');
  const enter = async (room, key) => {
    // Another fragment alone would load no page.
    await page.goto('about:blank');
    await page.goto(`${house.url}/r/${room}?join&name=Ada&audio=0&video=0#key=${key}`);
    await until('is in the room', () => window.motet?.state === 'joined');
  };
  const prejoin = `${house.url}/r/mine#key=${OWN_KEY}`;
  await page.goto(prejoin);
  await until('the key is off the address', () => location.hash === '');
  assert.deepEqual(await page.evaluate(stored), [], 'nobody has said yet that it is one');

  await enter('mine', OWN_KEY);
  await until('owns it', () => window.motet.role === 'owner');
  assert.deepEqual(await page.evaluate(stored), [['mine', OWN_KEY]]);

  await enter('mine', OTHER_KEY);
  await until('owns it still', () => window.motet.role === 'owner');
  assert.deepEqual(await page.evaluate(stored), [['mine', OWN_KEY]]);

  // The room of somebody else, and a key of theirs that they handed on: first another's, then the right one.
  const other = await (await house.chromium()).newPage();
  await other.goto(`${house.url}/r/theirs?join&name=Eve&audio=0&video=0#key=${OTHER_KEY}`);
  for (let tries = 0; !(await other.evaluate(() => window.motet?.role === 'owner')) && tries < 100; tries++) await sleep(100);
  await enter('theirs', OWN_KEY);
  await until('is a guest', () => window.motet.role === 'guest');
  assert.deepEqual(await page.evaluate(stored), [['mine', OWN_KEY]]);
  await enter('theirs', OTHER_KEY);
  await until('owns theirs too', () => window.motet.role === 'owner');
  assert.deepEqual(await page.evaluate(stored), [['mine', OWN_KEY], ['theirs', OTHER_KEY]]);
});

async function visitor(t) {
  const house = new House(t);
  await house.node(NO_KIOSK);
  const page = await (await house.chromium()).newPage();
  const until = async (what, question) => {
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(150)) {
      if (await page.evaluate(question).catch(() => false)) return;
    }
    assert.fail(`not yet: ${what}: ${await page.evaluate(() => document.body.innerText)}`);
  };
  return { house, page, until };
}
