import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, CHROMIUM, House, othersOf } from './harness.mjs';
import { isMissing, MEDIA, Network, NODE, OTHER } from './network.mjs';

test('a pair that does not reach each other is served over the node, alone, until it does', { skip: isMissing() }, async (t) => {
  const { network, ada, ben, cem, members } = await threeHosts(t, ['--turn', 'off'], (network) => network.cut(OTHER));
  await ada.until('knows of the exception', exceptionIs, { argument: { name: 'Ben', path: 'node', reason: 'pairFailed' }, timeout: 40_000 });
  await ben.until('knows of the exception', exceptionIs, { argument: { name: 'Ada', path: 'node', reason: 'pairFailed' } });
  await all([ada, ben], (member) => member.sees(othersOf([ada, ben], member), { path: 'node' }));
  await all([ada, ben], (member) => member.sees(['Cem'], { path: 'mesh' }));
  await cem.sees(['Ada', 'Ben'], { path: 'mesh' });
  assert.equal(await cem.ask(() => window.motet.mode), 'mesh');
  await ben.until('says so', () => /with Ada over the node because your browsers do not reach each other/.test(document.querySelector('.status').textContent));

  network.mend(OTHER);
  // What a browser says when it has a network again; without a word it is tried every half a minute.
  await all([ada, ben], (member) => member.ask(() => window.dispatchEvent(new Event('online'))));
  await all(members, (member) => member.until('has no exception', () => window.motet.exceptions.length === 0, { timeout: 60_000 }));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
});

test('who does not reach the node is served by each of the others, and named', { skip: isMissing() }, async (t) => {
  const { ada, ben, cem, members } = await threeHosts(t, ['--mesh-max', '2', '--media-ip', MEDIA, '--turn', 'off'], (network) => network.cut(MEDIA));
  await all([ada, cem], (member) => member.isIn('sfu', 60_000));
  await ben.until('knows of the exceptions', () => window.motet.exceptions.filter(({ path, reason }) => path === 'direct' && reason === 'nodeUnreachable').length === 2, { timeout: 40_000 });
  await ben.sees(['Ada', 'Cem'], { path: 'mesh' });
  await all([ada, cem], (member) => member.sees(['Ben'], { path: 'mesh' }));
  await ada.sees(['Cem'], { path: 'node' });
  await cem.sees(['Ada'], { path: 'node' });
  const reach = await ada.ask(() => window.motet.members.find(({ name }) => name === 'Ben').node);
  assert.equal(reach, 'noIce');
  await all(members, (member) => member.sees(othersOf(members, member)));
});

/** Ada, Ben and Cem, each on a host of their own; the network is cut before they come. */
async function threeHosts(t, flags, cut) {
  const house = new House(t);
  const network = new Network(t, { other: true });
  const media = flags.includes('--media-ip') ? [] : ['--media-ip', NODE];
  await house.node(['--http-listen', `${NODE}:0`, ...media, ...flags], network.wrap('node', BINARY));
  cut(network);
  const open = async (side, name) => house.member(await house.chromium({ executablePath: network.wrap(side, CHROMIUM) }), name);
  const [ada, ben, cem] = [await open('other', 'Ada'), await open('client', 'Ben'), await open('node', 'Cem')];
  return { network, ada, ben, cem, members: [ada, ben, cem] };
}

/** In the page: whether there is this exception. */
function exceptionIs({ name, path, reason }) {
  const { members, exceptions } = window.motet;
  const member = members.find((member) => member.name === name)?.id;
  return exceptions.some((exception) => exception.member === member && exception.path === path && exception.reason === reason);
}
