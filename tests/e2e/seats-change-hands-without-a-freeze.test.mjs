import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House } from './harness.mjs';

/** Who sees their own picture, which never travels, stand still for so long has a machine that stands still. */
const STANDSTILL_MS = 150;

test('a viewer with two seats sees whom they pin', async (t) => {
  const house = new House(t);
  await house.node(['--topology', 'sfu']);
  const chromium = await house.chromium();
  const names = ['Ada', 'Ben', 'Cem', 'Dev'];
  // They watch one seat each: what is measured is the viewer, not five pages on two cores.
  const members = [];
  for (const name of names) members.push(await house.member(chromium, name, '&seats=1'));
  const viewer = await house.member(chromium, 'Eve', '&seats=2');
  members.push(viewer);
  await viewer.until('has both seats taken', () => window.motet.seats.filter(Boolean).length === 2);

  for (const name of [...names, ...names]) {
    await all(members, (member) => member.ask(() => window.recorder.reset()));
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
    const own = Math.max(...(await all(members, (member) => member.ask(() => window.recorder.read()[window.motet.you].gap))));
    const seats = await viewer.ask(() => Object.values(window.recorder.read()));
    const freezes = seats.reduce((sum, seat) => sum + seat.freezes, 0);
    t.diagnostic(`${name}: ${freezes} freezes, own pictures stood still for up to ${own} ms`);
    assert.ok(freezes === 0 || own > STANDSTILL_MS, `a seat froze while ${name} came`);
  }

  assert.equal(await viewer.ask(() => window.motet.seats.length), 2, 'no seats were added');
});
