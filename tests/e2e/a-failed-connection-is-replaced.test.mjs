// In Firefox a connection whose ICE has failed comes up after a restart of ICE, and carries nothing.

import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, CHROMIUM, House, othersOf } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';
import { firefoxIn } from './paths.mjs';

/** A STUN message behind its length (RFC 4571), as ICE over TCP begins. */
const ICE_OVER_TCP = 'meta l4proto tcp @ih,48,32 0x2112a442';

for (const other of ['Chromium', 'Firefox']) {
  test(`a Firefox and a ${other} whose direct connection failed meet by the node, and directly once they can`, { skip: isMissing() }, async (t) => {
    const house = new House(t);
    const network = new Network(t, { other: true });
    await house.node(['--http-listen', `${NODE}:0`, '--media-ip', NODE, '--turn', 'off'], network.wrap('node', BINARY));
    network.separate();
    const chromium = () => house.chromium({ executablePath: network.wrap('other', CHROMIUM) });
    const ada = await house.member(await (other === 'Firefox' ? firefoxIn(house, network, 'other') : chromium()), 'Ada');
    const ben = await house.member(await firefoxIn(house, network, 'client'), 'Ben');
    const members = [ada, ben];
    await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
    for (const member of members) {
      const exceptions = await member.ask(() => window.motet.exceptions.map(({ path, reason }) => ({ path, reason })));
      assert.deepEqual(exceptions, [{ path: 'node', reason: 'pairFailed' }]);
    }
    await ben.until('gives the direct connection up', () => Object.values(window.motet.connections.mesh).includes('failed'));

    network.unite();
    // What a browser says when it has a network again; without a word it is tried from time to time.
    await all(members, (member) => member.ask(() => window.dispatchEvent(new Event('online'))));
    await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
    await all(members, (member) => member.until('has no exception', () => window.motet.exceptions.length === 0));
  });
}

test('a Firefox that did not reach the node does so once it can, and is seen', { skip: isMissing() }, async (t) => {
  const house = new House(t);
  const network = new Network(t, { other: true });
  await house.node(['--http-listen', `${NODE}:0`, '--media-ip', NODE, '--turn', 'off', '--topology', 'sfu'], network.wrap('node', BINARY));
  network.block('meta l4proto udp', ICE_OVER_TCP);
  const ada = await house.member(await house.chromium({ executablePath: network.wrap('other', CHROMIUM) }), 'Ada');
  const ben = await house.member(await firefoxIn(house, network, 'client'), 'Ben');
  await ada.until('knows that Ben does not reach the node', (name) => window.motet.members.find((member) => member.name === name)?.node === 'noIce', { argument: 'Ben' });
  await ben.until('gives the connection up', () => window.motet.connections.node === 'failed');

  network.unblock();
  const members = [ada, ben];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
  await all(members, (member) => member.until('has no exception', () => window.motet.exceptions.length === 0));
});
