import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, House, othersOf } from './harness.mjs';
import { isMissing, NatNetwork, NODE, PUBLIC } from './nats.mjs';
import { browserAt, wayOfTheOther } from './paths.mjs';

const skip = isMissing();

test('without a relay, two behind symmetric NATs are served over the node, and are told', { skip }, async (t) => {
  const members = await twoBehindSymmetricNats(t, { flags: ['--turn', 'off'] });
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
  for (const member of members) {
    const exceptions = await member.ask(() => window.motet.exceptions.map(({ path, reason }) => ({ path, reason })));
    assert.deepEqual(exceptions, [{ path: 'node', reason: 'pairFailed' }]);
    assert.equal(await member.ask(() => window.motet.mode), 'mesh', 'others would still meet directly');
    assert.equal((await member.ask(wayOfTheOther)).connectedAt, 0, 'no direct connection ever came up');
  }
});

test('two Chromium behind symmetric NATs meet at the relay of the node', { skip }, async (t) => {
  await meetAtTheRelay(await twoBehindSymmetricNats(t));
});

test('a Chromium and a Firefox behind symmetric NATs meet at the relay of the node', { skip }, async (t) => {
  await meetAtTheRelay(await twoBehindSymmetricNats(t, { isFirefox: true }));
});

/** A relay of either of them is enough; the other's side of it is a mapping that its NAT made for it. */
async function meetAtTheRelay(members) {
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  const ways = await all(members, (member) => member.ask(wayOfTheOther));
  const types = ways.flatMap(({ type, remote }) => [type, remote]);
  assert.ok(types.includes('relay'), `one of the four candidates is relayed: ${types}`);
  for (const { type, over } of ways) if (type === 'relay') assert.equal(over, 'udp');
  for (const member of members) assert.deepEqual(await member.ask(() => window.motet.exceptions), []);
}

async function twoBehindSymmetricNats(t, { flags = [], isFirefox = false } = {}) {
  const house = new House(t);
  const network = new NatNetwork(t, 'symmetric', 'symmetric');
  assert.deepEqual(await network.probe(), ['symmetric', 'symmetric'], 'the NATs are what they are to be');
  await house.node(['--http-listen', `${NODE}:0`, '--media-ip', NODE, '--relay-allow', PUBLIC, ...flags], network.wrap('node', BINARY));
  return [
    await house.member(await browserAt(house, network, 'a'), 'Ada'),
    await house.member(await browserAt(house, network, 'b', isFirefox), 'Ben'),
  ];
}
