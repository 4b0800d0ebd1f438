import assert from 'node:assert/strict';
import test from 'node:test';
import { House } from './harness.mjs';

test('a viewer with two seats sees whom they pin', async (t) => {
  const house = new House(t);
  await house.node(['--topology', 'sfu']);
  const chromium = await house.chromium();
  const names = ['Ada', 'Ben', 'Cem', 'Dev'];
  // They watch one seat each: what is measured is the viewer, not five pages on two cores.
  for (const name of names) await house.member(chromium, name, '&seats=1');
  const viewer = await house.member(chromium, 'Eve', '&seats=2');
  await viewer.until('has both seats taken', () => window.motet.seats.filter(Boolean).length === 2);

  for (const name of [...names, ...names]) {
    await viewer.ask((name) => document.querySelector(`.tile[aria-label^="${name}"] .pin[aria-pressed=false]`)?.click(), name);
    const seated = await viewer.until(
      `seats ${name}`,
      (name) => {
        const { id } = window.motet.members.find((member) => member.name === name);
        return window.motet.seats.some((seat) => seat?.member === id);
      },
      { argument: name, timeout: 10_000 },
    );
    assert.ok(seated);
    await viewer.sees([name], { path: 'node', frames: 15, timeout: 15_000 });
    await viewer.until('shows their picture', (name) => document.querySelector(`.tile[aria-label^="${name}"] video:not(.coming)`), { argument: name });
  }

  const freezes = await viewer.ask(() =>
    Object.values(window.motet.quality()).map(({ camera }) => camera?.video?.freezeCount ?? 0),
  );
  assert.deepEqual(freezes, [0, 0, 0, 0], 'no seat froze');
  assert.equal(await viewer.ask(() => window.motet.seats.length), 2, 'no seats were added');
});
