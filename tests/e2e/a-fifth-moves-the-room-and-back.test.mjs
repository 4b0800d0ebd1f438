import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, othersOf } from './harness.mjs';

/** Longer than any picture may stand still at a switch, on a machine that is short of breath. */
const STALL_MAX_MS = 2_500;

test('a fifth member moves the room over the node, and without two it is a mesh again', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const members = [];
  for (const name of ['Ada', 'Ben', 'Cem', 'Dev']) members.push(await house.member(chromium, name));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh', timeout: 60_000 }));
  const founders = [...members];

  await all(founders, watchForStalls);
  members.push(await house.member(chromium, 'Eve'));
  await all(members, (member) => member.isIn('sfu', 60_000));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node', timeout: 60_000 }));
  await all(members, async (member) => {
    assert.deepEqual(await member.ask(() => window.motet.connections), { mesh: {}, node: 'connected', isWarm: false });
  });
  await reportStalls(t, founders, 'to the node');

  await members.pop().leave();
  await members.pop().leave();
  await all(members, watchForStalls);
  await all(members, (member) => member.isIn('mesh', 60_000));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  await all(members, async (member) => {
    assert.equal(await member.ask(() => window.motet.connections.node), null, 'the connection to the node is closed');
  });
  await reportStalls(t, members, 'to the mesh');
});

/** Notes in the page for how long the picture of anyone who is there now stood still at most. */
function watchForStalls(member) {
  return member.ask(() => {
    const names = Object.keys(window.motet.quality());
    const last = new Map();
    window.stalls = Object.fromEntries(names.map((name) => [name, 0]));
    window.clearInterval(window.stallTimer);
    window.stallTimer = window.setInterval(() => {
      const now = performance.now();
      for (const name of names) {
        const video = document.querySelector(`.tile[aria-label^="${name}"] video:not(.coming)`);
        const frames = video?.getVideoPlaybackQuality().totalVideoFrames;
        const before = last.get(name);
        if (!before || before.video !== video || before.frames !== frames) {
          last.set(name, { video, frames, at: now });
        } else {
          window.stalls[name] = Math.max(window.stalls[name], now - before.at);
        }
      }
    }, 50);
  });
}

async function reportStalls(t, members, where) {
  const stalls = await all(members, (member) => member.ask(() => window.stalls));
  const longest = Math.max(...stalls.flatMap((by) => Object.values(by)));
  t.diagnostic(`longest standstill of a picture on the way ${where}: ${Math.round(longest)} ms`);
  assert.ok(longest > 0, 'pictures were watched');
  assert.ok(longest < STALL_MAX_MS, `a picture stood still for ${longest} ms`);
}
