import assert from 'node:assert/strict';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

async function until(what, question, timeout = 20_000) {
  for (const deadline = Date.now() + timeout; Date.now() < deadline; await sleep(150)) {
    const answer = await question();
    if (answer) return answer;
  }
  assert.fail(`not yet: ${what}`);
}

const BROWSERS = {
  chromium: async (house) => (await house.chromium()).newPage(),
  firefox: async (house) => (await house.firefox()).newPage(),
};

for (const [browser, open] of Object.entries(BROWSERS)) {
  test(`${browser}: who makes a room sees themselves, enters by Enter, and owns it`, async (t) => {
    const house = new House(t);
    await house.node();
    const page = await open(house);
    const ask = (question, argument) => page.evaluate(question, argument);
    await page.goto(`${house.url}/`);
    await until('the first page', () => ask(() => document.activeElement?.matches('.home .primary')));
    await page.keyboard.press('Enter');
    const room = await until('the page before joining', () => ask(() => document.querySelector('.room-name')?.textContent));
    assert.match(room, /^[a-z]+-[a-z]+-[a-z0-9]{5}$/);

    await until('the picture moves', () => ask(() => document.querySelector('.preview video')?.currentTime > 0.3));
    await until('devices are listed', () => ask(() => Boolean(document.querySelector('[data-device=microphone]') && document.querySelector('[data-device=camera]'))));
    // Without a sound card Firefox keeps its sound graph suspended, and the meter stays away.
    if (browser === 'chromium') await until('the microphone is heard', () => ask(() => Number(document.querySelector('[role=meter]').getAttribute('aria-valuenow')) > 0));
    else assert.equal(await ask(() => document.querySelector('[role=meter]').parentElement.hidden), true);
    assert.equal(await ask(() => getComputedStyle(document.querySelector('.preview video')).transform), 'matrix(-1, 0, 0, 1, 0, 0)');

    const { address, keys } = await ask(() => ({ address: location.href, keys: JSON.parse(localStorage.getItem('motet-keys')) }));
    assert.equal(address, `${house.url}/r/${room}`, 'the address can be handed on: no key is in it');
    assert.equal(keys[0][0], room);
    assert.match(keys[0][1], /^[A-Za-z0-9_-]{32,}$/);

    const join = await ask(() => {
      window.sent = [];
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (text) {
        window.sent.push(JSON.parse(text));
        return send.call(this, text);
      };
      return document.activeElement.name;
    });
    assert.equal(join, 'name', 'who is new says their name first');
    await page.keyboard.press('Enter');
    assert.equal(await ask(() => document.querySelector('#name-problem').textContent), 'Please say who you are.');
    await page.keyboard.type('Ada');
    await page.keyboard.press('Enter');
    await until('in the room', () => ask(() => window.motet?.state === 'joined'));
    const members = await ask(() => window.motet.members);
    assert.deepEqual(members.map(({ name, published }) => [name, published.map(({ source }) => source)]), [['Ada', ['microphone', 'camera']]]);

    await page.click('[data-tool=leave]');
    await page.keyboard.press("Enter");
    await until('the page after', () => ask(() => document.querySelector('.notice-card h1')?.textContent === 'You left the room.'));
    await page.keyboard.press('Enter');
    await until('in the room again', () => ask(() => window.motet?.state === 'joined' && document.querySelector('.call') !== null));
  });
}

test('the owner’s link makes an owner of who opens it, the other one does not', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const key = 'k'.repeat(40);
  const owner = await chromium.newPage();
  await owner.goto(`${house.url}/r/hall#key=${key}`);
  await owner.waitForSelector('.ownership');
  assert.equal(await owner.evaluate(() => location.hash), '');
  await owner.reload();
  await owner.waitForSelector('.ownership');
  await owner.evaluate(() => {
    window.copied = [];
    Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => void window.copied.push(text) } });
  });
  for (const button of await owner.$$('.ownership button')) await button.click();
  await until('both are copied', () => owner.evaluate(() => window.copied.length === 2));
  assert.deepEqual(await owner.evaluate(() => window.copied), [`${house.url}/r/hall`, `${house.url}/r/hall#key=${key}`]);

  const guest = await chromium.newPage();
  await guest.goto(`${house.url}/r/hall`);
  await guest.waitForSelector('.preview');
  assert.equal(await guest.$('.ownership'), null);
});

test('the voice is treated and played as was chosen before joining', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const page = await chromium.newPage();
  await page.addInitScript(() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.opened = [];
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await open(constraints);
      window.opened.push(...stream.getTracks());
      return stream;
    };
  });
  await page.goto(`${house.url}/r/${house.room}`);
  await page.waitForSelector('[data-device=speaker]');
  const speaker = await page.evaluate(() => [...document.querySelectorAll('[data-device=speaker] option')].at(-1).value);
  assert.ok(speaker, 'there is a loudspeaker to choose');
  await page.selectOption('[data-device=speaker]', speaker);
  await page.click('[data-device=test]');
  await page.click('summary');
  await page.click('text=Reduce background noise');
  const live = () => page.evaluate(() => window.opened.filter(({ kind, readyState }) => kind === 'audio' && readyState === 'live').map((track) => track.getSettings().noiseSuppression));
  await until('the microphone is open without noise suppression, once', async () => (await live()).join() === 'false');
  await page.fill('[name=name]', 'Ada');
  await page.keyboard.press('Enter');
  await until('in the room', () => page.evaluate(() => window.motet?.state === 'joined'));
  assert.deepEqual(await live(), [false]);

  const ben = await house.member(chromium, 'Ben');
  await ben.sees(['Ada']);
  await until('Ben is played on that loudspeaker', () => page.evaluate((speaker) => document.querySelector('audio')?.sinkId === speaker, speaker));
});

test('what was switched off stays off, and one can join without devices', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const page = await chromium.newPage();
  await page.goto(`${house.url}/r/hall`);
  await page.waitForSelector('.preview video:not([hidden])');
  await page.click('.preview [data-tool=camera]');
  await page.waitForSelector('.preview video', { state: 'hidden' });
  await page.fill('[name=name]', 'Ada');
  await page.reload();
  await until('only the microphone is open', () =>
    page.evaluate(() => document.querySelector('.preview [data-tool=mic]')?.ariaPressed === 'true' && document.querySelector('.preview [data-tool=camera]').ariaPressed === 'false'),
  );
  assert.equal(await page.inputValue('[name=name]'), 'Ada');
  await page.click('text=Join without camera and microphone');
  await until('in the room', () => page.evaluate(() => window.motet?.state === 'joined'));
  assert.deepEqual(await page.evaluate(() => window.motet.members[0].published), []);
});

test('who did not allow the devices is told how to, and joins anyway', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium({ denied: true })).newPage();
  await page.goto(`${house.url}/r/hall`);
  await page.waitForSelector('.help');
  assert.match(await page.textContent('.help'), /to the left of the address/);
  await page.fill('[name=name]', 'Ada');
  await page.keyboard.press('Enter');
  await until('in the room', () => page.evaluate(() => window.motet?.state === 'joined'));
});

test('a node that cannot be reached is waited for', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium()).newPage();
  await page.goto(`${house.url}/r/hall`);
  await page.waitForSelector('.preview');
  await page.fill('[name=name]', 'Ada');
  await house.stopNode();
  await page.keyboard.press('Enter');
  await until('says so', () => page.evaluate(() => document.querySelector('.notice-card h1')?.textContent === 'The node cannot be reached'));
  await house.node(['--http-listen', new URL(house.url).host]);
  await until('in the room', () => page.evaluate(() => window.motet?.state === 'joined' && document.querySelector('.call')));
});
