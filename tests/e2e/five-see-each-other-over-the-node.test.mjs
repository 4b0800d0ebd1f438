import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, othersOf } from './harness.mjs';

test('five Chromium members decode each other over the node', async (t) => {
  const house = new House(t);
  await house.node(['--topology', 'sfu']);
  const chromium = await house.chromium();
  const members = [];
  for (const name of ['Ada', 'Ben', 'Cem', 'Dev', 'Eve']) members.push(await house.member(chromium, name));
  await haveEachOther(members);
});

test('three Chromium and two Firefox members decode each other over the node', async (t) => {
  const house = new House(t);
  await house.node(['--topology', 'sfu']);
  const [chromium, firefox] = [await house.chromium(), await house.firefox()];
  const members = [];
  for (const name of ['Ada', 'Ben', 'Cem']) members.push(await house.member(chromium, name));
  for (const name of ['Dev', 'Eve']) members.push(await house.member(firefox, name));
  await haveEachOther(members);
});

async function haveEachOther(members) {
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node', timeout: 60_000 }));
  await all(members, async (member) => {
    const seats = await member.ask(() => window.motet.seats.filter(Boolean).map(({ member }) => member));
    const you = await member.ask(() => window.motet.you);
    assert.equal(new Set(seats).size, 4, 'everyone else has one seat');
    assert.ok(!seats.includes(you), 'nobody sees themselves');
    assert.deepEqual(await member.ask(() => window.motet.connections), { mesh: {}, node: 'connected', isWarm: false });
  });
  await all(members, (member) =>
    member.until('shows four moving pictures', () => document.querySelectorAll('.tile:not(.mirrored) video:not(.coming)').length === 4),
  );
}
