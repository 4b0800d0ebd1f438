import assert from 'node:assert/strict';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

for (const [where, flags] of [['in a mesh', []], ['over the node', ['--topology', 'sfu']]]) {
  test(`microphone and camera go off and on ${where}`, async (t) => {
    const house = new House(t);
    await house.node(flags);
    const chromium = await house.chromium();
    const ada = await house.member(chromium, 'Ada');
    const ben = await house.member(chromium, 'Ben');
    await ben.sees(['Ada']);

    await ada.press('mic');
    await ben.until('sees the sign on her tile', () => document.querySelector('.tile[aria-label^="Ada"] .mute:not([hidden])'));
    await sleep(1_500);
    const before = await energy(ben);
    await sleep(2_500);
    assert.ok((await energy(ben)) - before < 1e-4, 'nothing is heard of a muted microphone');
    await ada.press('mic');
    await ben.until('hears her again', (before) => window.motet.quality().Ada.camera.audio.energy > before + 1e-3, { argument: before });

    await ada.press('camera');
    await ben.until('shows her initials', () => document.querySelector('.tile[aria-label^="Ada"]') && !document.querySelector('.tile[aria-label^="Ada"] video'));
    await ada.press('camera');
    await ben.sees(['Ada']);
    await ben.until('shows her picture', () => document.querySelector('.tile[aria-label^="Ada"] video:not(.coming)'));
  });
}

function energy(member) {
  return member.ask(() => window.motet.quality().Ada.camera.audio.energy);
}
