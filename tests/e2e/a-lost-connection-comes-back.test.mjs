import test from 'node:test';
import { all, House, othersOf } from './harness.mjs';

test('when the node comes back, so does everyone', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const members = [await house.member(chromium, 'Ada'), await house.member(chromium, 'Ben')];
  await all(members, (member) => member.sees(othersOf(members, member)));

  await house.stopNode();
  await all(members, (member) => member.until('knows', () => window.motet.state === 'reconnecting'));
  await all(members, (member) => member.until('says so', () => /lost/.test(document.querySelector('.status').textContent)));
  await house.node(['--http-listen', new URL(house.url).host]);
  await all(members, (member) => member.until('is back', () => window.motet.state === 'joined' && window.motet.members.length === 2));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
});
