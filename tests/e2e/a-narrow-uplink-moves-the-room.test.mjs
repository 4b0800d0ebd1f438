import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, CHROMIUM, House, othersOf } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';

/** Enough for the sound to two others and for one picture, not for two. */
const UPLINK_KBIT = 230;

test('a member whose uplink cannot carry the mesh moves the room over the node, and is named', { skip: isMissing() }, async (t) => {
  const house = new House(t);
  const network = new Network(t);
  await house.node(['--http-listen', `${NODE}:0`, '--media-ip', NODE], network.wrap('node', BINARY));
  const near = await house.chromium({ executablePath: network.wrap('node', CHROMIUM) });
  const far = await house.chromium({ executablePath: network.wrap('client', CHROMIUM) });
  const [ada, ben, cem] = [await house.member(near, 'Ada'), await house.member(far, 'Ben'), await house.member(near, 'Cem')];
  const members = [ada, ben, cem];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));

  network.narrow(UPLINK_KBIT);
  const narrowedAt = Date.now();
  await all(members, (member) => member.isIn('sfu', 90_000));
  t.diagnostic(`over the node ${Date.now() - narrowedAt} ms after the uplink became narrow`);
  const why = await ada.ask(() => ({ ...window.motet.why, name: window.motet.members.find(({ id }) => id === window.motet.why.member)?.name }));
  assert.deepEqual([why.cause, why.name], ['uplink', 'Ben']);
  assert.match(await ada.ask(() => document.querySelector('.status').textContent), /Ben/);
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
});
