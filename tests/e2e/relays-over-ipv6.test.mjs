import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, House, othersOf } from './harness.mjs';
import { Namespaces } from './namespaces.mjs';
import { isMissing } from './network.mjs';
import { browserAt, wayOfTheOther } from './paths.mjs';

const NODE = '2001:db8::1';

test('two who have IPv6 alone, and do not reach each other, meet at the relay', { skip: isMissing() }, async (t) => {
  const house = new House(t);
  const network = onlyIpv6(t);
  // Without it the relays of both would reach each other in the node's memory alone.
  const flags = ['--http-listen', `[${NODE}]:0`, '--media-ip', NODE, '--relay-allow', '2001:db8::/32'];
  await house.node(flags, network.wrap('node', BINARY));
  const members = [
    await house.member(await browserAt(house, network, 'a'), 'Ada'),
    await house.member(await browserAt(house, network, 'b'), 'Ben'),
  ];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  const ways = await all(members, (member) => member.ask(wayOfTheOther));
  const types = ways.flatMap(({ type, remote }) => [type, remote]);
  assert.ok(types.includes('relay'), `one of the four candidates is relayed: ${types}`);
  t.diagnostic(`candidates: ${types}`);
});

/** The node with a client on either side, which it does not forward between. */
function onlyIpv6(t) {
  const network = new Namespaces(t, ['a', 'b', 'node']);
  network.address('node', 'lo', `${NODE}/128`);
  for (const client of ['a', 'b']) {
    network.link('node', `to-${client}`, client, 'eth');
    network.address('node', `to-${client}`, `2001:db8:${client}::1/64`);
    network.address(client, 'eth', `2001:db8:${client}::2/64`);
    network.gateway(client, `2001:db8:${client}::1`);
  }
  return network;
}
