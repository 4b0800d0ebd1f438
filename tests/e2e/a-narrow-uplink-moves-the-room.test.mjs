import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, CHROMIUM, House, othersOf } from './harness.mjs';
import { isMissing, MEDIA, Network, NODE } from './network.mjs';

/** Enough for the sound to two others and for one picture, not for two. */
const UPLINK_KBIT = 230;
/** A switch that nobody could follow would show nothing for ten seconds. */
const GAP_MAX_MS = 3_000;

test('a member whose uplink cannot carry the mesh moves the room over the node, and is named', { skip: isMissing() }, async (t) => {
  const { network, ada, members } = await narrowRoom(t);
  network.narrow(UPLINK_KBIT);
  const narrowedAt = Date.now();
  await all(members, (member) => member.isIn('sfu', 90_000));
  t.diagnostic(`over the node ${Date.now() - narrowedAt} ms after the uplink became narrow`);
  const why = await ada.ask(() => ({ ...window.motet.why, name: window.motet.members.find(({ id }) => id === window.motet.why.member)?.name }));
  assert.deepEqual([why.cause, why.name], ['uplink', 'Ben']);
  assert.match(await ada.ask(() => document.querySelector('.status').textContent), /Ben/);
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
});

test('a switch that somebody cannot follow is taken back, and the pictures go on', { skip: isMissing() }, async (t) => {
  const { network, ada, members } = await narrowRoom(t);
  await all(members, (member) => member.isWarm());
  const epoch = await ada.ask(() => window.motet.epoch);
  network.narrow(UPLINK_KBIT);
  await ada.until('begins to switch', () => window.motet.switching, { timeout: 90_000 });
  network.swallow(MEDIA);
  await ada.ask(() => window.recorder.reset());
  await all(members, (member) => member.isIn('mesh', 30_000));
  assert.ok((await ada.ask(() => window.motet.epoch)) >= epoch + 2, 'there and back');
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  // Ben's own stands still now and then, for the narrow uplink's sake.
  const gap = await ada.ask(() => window.recorder.read()[window.motet.members.find(({ name }) => name === 'Cem').id].gap);
  t.diagnostic(`Cem's picture stood still for ${gap} ms at Ada's`);
  assert.ok(gap < GAP_MAX_MS, 'it went on all the while');
});

/** Ada and Cem beside the node, Ben where the uplink can become narrow, peer to peer. */
async function narrowRoom(t) {
  const house = new House(t);
  const network = new Network(t);
  await house.node(['--http-listen', `${NODE}:0`, '--media-ip', MEDIA, '--turn', 'off'], network.wrap('node', BINARY));
  const near = await house.chromium({ executablePath: network.wrap('node', CHROMIUM) });
  const far = await house.chromium({ executablePath: network.wrap('client', CHROMIUM) });
  const [ada, ben, cem] = [await house.member(near, 'Ada'), await house.member(far, 'Ben'), await house.member(near, 'Cem')];
  const members = [ada, ben, cem];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  return { network, ada, members };
}
