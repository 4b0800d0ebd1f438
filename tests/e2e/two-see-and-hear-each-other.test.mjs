import assert from 'node:assert/strict';
import test from 'node:test';
import { House } from './harness.mjs';

test('two browsers of one kind meet peer to peer', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  await meet(await house.member(chromium, 'Ada'), await house.member(chromium, 'Ben'));
});

test('Chromium and Firefox meet peer to peer', async (t) => {
  const house = new House(t);
  await house.node();
  const ada = await house.member(await house.chromium(), 'Ada');
  await meet(ada, await house.member(await house.firefox(), 'Ben'));
});

async function meet(ada, ben) {
  await Promise.all([ada.sees(['Ben'], { path: 'mesh' }), ben.sees(['Ada'], { path: 'mesh' })]);
  assert.equal(await ada.ask(() => window.motet.mode), 'mesh');
  await Promise.all([ada.isWarm(), ben.isWarm()]);
  for (const [member, other] of [[ada, 'Ben'], [ben, 'Ada']]) {
    // The fake microphones beep once a second: what is heard is more than silence.
    await member.until(`hears ${other} beep`, (name) => window.motet.quality()[name].camera.audio.energy > 0.001, { argument: other });
  }
}
