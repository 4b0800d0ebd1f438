import assert from 'node:assert/strict';
import test from 'node:test';
import { House } from './harness.mjs';

for (const browser of ['chromium', 'firefox']) {
  test(`everything in the room can be done by keys, in ${browser}`, async (t) => {
    const house = new House(t);
    await house.node();
    const made = await house[browser]();
    const ada = await house.member(made, 'Ada');
    const ben = await house.member(made, 'Ben');
    const press = (key) => ada.page.keyboard.press(key);
    await ben.sees(['Ada']);
    await ada.page.bringToFront();
    for (const { page } of [ada, ben]) await page.evaluate(helpers);

    await t.test('single keys switch microphone and camera', async () => {
      await press('m');
      await ben.until('sees that she is muted', () => isMuted('microphone'));
      await press('v');
      await ben.until('sees that her camera is off', () => isMuted('camera'));
      await press('v');
      await ben.until('sees that her camera is on', () => !isMuted('camera'));
    });

    await t.test('the space bar opens a muted microphone while it is held', async () => {
      await ada.page.keyboard.down(' ');
      await ben.until('hears her', () => !isMuted('microphone'));
      await ada.page.keyboard.up(' ');
      await ben.until('hears her no more', () => isMuted('microphone'));
    });

    await t.test('also right after a button was clicked, which the space bar would press otherwise', async () => {
      await ada.page.click('[data-tool=mic]');
      await ada.page.click('[data-tool=mic]');
      await ben.until('sees that she is muted', () => isMuted('microphone'));
      await ada.page.keyboard.down(' ');
      await ben.until('hears her', () => !isMuted('microphone'));
      await ada.page.keyboard.up(' ');
      await ben.until('hears her no more', () => isMuted('microphone'));
    });

    await t.test('letters are text while one types, and Escape closes the panel', async () => {
      await press('c');
      await ada.until('is in the chat', () => document.activeElement?.matches('.say textarea'));
      await ada.page.keyboard.type('map of v');
      assert.equal(await ada.ask(() => document.querySelector('.say textarea').value), 'map of v');
      await press('Escape');
      await ada.until('has closed it', () => !document.querySelector('.panel:not([hidden])'));
      assert.equal(await ben.ask(() => isMuted('camera')), false);
    });

    await t.test('g changes the view, and the page remembers it', async () => {
      await press('g');
      await ada.until('shows Ben large', () => wide('Ben') > 2 * wide('Ada'));
      assert.equal(await ada.ask(() => JSON.parse(localStorage.getItem('motet')).view), 'speaker');
      await press('g');
      await ada.until('shows both alike', () => Math.abs(wide('Ben') - wide('Ada')) < 2);
    });

    await t.test('arrows go from tile to tile, and a menu works by keys alone', async () => {
      await ada.ask(() => document.querySelector('.tile-menu[tabindex="0"]').focus());
      assert.equal(await ada.ask(() => document.querySelectorAll('.tile-menu[tabindex="0"]').length), 1, 'one stop for the Tab key');
      await press('ArrowRight');
      assert.match(await ada.ask(() => document.activeElement.getAttribute('aria-label')), /Ben/);
      await press('Enter');
      await ada.until('has the first item', () => document.activeElement?.matches('.menu .item:first-child'));
      await press('ArrowDown');
      await press('ArrowUp');
      await press('Enter');
      await ada.until('shows Ben large', () => wide('Ben') > 2 * wide('Ada'));
      assert.match(await ada.ask(() => document.activeElement.getAttribute('aria-label')), /Ben/, 'the focus is where it was');
    });

    await t.test('the help says so, and turns the keys off', async () => {
      await press('?');
      await ada.until('shows it', () => Boolean(document.querySelector('dialog[open] .keys')));
      await ada.page.click('dialog input[type=checkbox]');
      await press('Escape');
      await ada.until('has closed it', () => !document.querySelector('dialog'));
      await press('p');
      assert.equal(await ada.ask(() => document.querySelector('.panel:not([hidden])')), null);
    });
  });
}

/** Runs in the page, for the questions above. */
function helpers() {
  window.isMuted = (wanted) => window.motet.members.find(({ name }) => name === 'Ada').published.find(({ source }) => source === wanted).muted;
  window.wide = (name) => document.querySelector(`.tile[aria-label^="${name}"]`).offsetWidth;
}
