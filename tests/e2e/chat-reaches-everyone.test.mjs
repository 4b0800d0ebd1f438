import assert from 'node:assert/strict';
import test from 'node:test';
import { House } from './harness.mjs';

test('what one writes is read by everyone, also by who comes later', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const ada = await house.member(chromium, 'Ada', '&video=0');
  const ben = await house.member(chromium, 'Ben', '&video=0');

  await ada.press('chat');
  await ada.page.fill('.say textarea', 'Hello <b>Ben</b>');
  await ada.page.keyboard.press('Enter');

  await ben.until('has the line', () => window.motet.chat.length === 1);
  await ben.until('shows one unread line', () => document.querySelector('.badge:not([hidden])')?.textContent === '1');
  await ben.press('chat');
  const shown = await ben.until('shows the line', () => document.querySelector('.lines .text')?.textContent);
  assert.equal(shown, 'Hello <b>Ben</b>', 'text is text, never markup');
  assert.equal(await ben.ask(() => document.querySelector('.badge').hidden), true);

  const eve = await house.member(chromium, 'Eve', '&video=0');
  assert.deepEqual(await eve.ask(() => window.motet.chat.map(({ name, text }) => [name, text])), [['Ada', 'Hello <b>Ben</b>']]);
});
