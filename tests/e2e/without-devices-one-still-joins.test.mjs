import assert from 'node:assert/strict';
import test from 'node:test';
import { House } from './harness.mjs';

test('who may not open camera and microphone sees and hears the others', async (t) => {
  const house = new House(t);
  await house.node();
  const ada = await house.member(await house.chromium(), 'Ada');
  const ben = await house.member(await house.chromium({ denied: true }), 'Ben');
  await ben.sees(['Ada'], { path: 'mesh' });
  assert.match(await ben.ask(() => document.querySelector('.notice')?.textContent ?? ''), /not allowed|could be opened/);
  await ada.until('shows Ben without a picture', () => document.querySelector('.tile[aria-label^="Ben"]') && !document.querySelector('.tile[aria-label^="Ben"] video'));
  assert.deepEqual(await ada.ask(() => window.motet.members.find(({ name }) => name === 'Ben').published), []);
});
