import assert from 'node:assert/strict';
import test from 'node:test';
import { BINARY, CHROMIUM, House, sleep } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';

/** How often the client loses the address that it uses. */
const MOVES = 6;
/** Twice what is aimed at: machines that run tests may be busy. */
const GAP_MAX_MS = 4_000;
const WATCH_MS = 6_000;

test('a member whose network changes is back within moments, peer to peer', { skip: isMissing() }, (t) => roam(t, 'mesh'));

test('a member whose network changes is back within moments, over the node', { skip: isMissing() }, (t) => roam(t, 'sfu'));

async function roam(t, mode) {
  const house = new House(t);
  const network = new Network(t);
  const flags = ['--http-listen', `${NODE}:0`, '--media-ip', NODE, '--topology', mode];
  await house.node(flags, network.wrap('node', BINARY));
  const ada = await house.member(await house.chromium({ executablePath: network.wrap('node', CHROMIUM) }), 'Ada');
  const ben = await house.member(await house.chromium({ executablePath: network.wrap('client', CHROMIUM) }), 'Ben');
  const members = [ada, ben];
  await Promise.all([ada.sees(['Ben']), ben.sees(['Ada'])]);
  const gaps = [];
  for (let move = 0; move < MOVES; move += 1) {
    const link = (move % 2) + 1;
    await sleep(3_000);
    await Promise.all(members.map((member) => member.ask(() => window.recorder.reset())));
    network.leave(link);
    await sleep(WATCH_MS);
    for (const member of members) {
      const gap = await member.ask(() => {
        const others = Object.entries(window.recorder.read()).filter(([id]) => id !== window.motet.you);
        return Math.max(...others.map(([, flaws]) => flaws.gap));
      });
      gaps.push(gap);
    }
    network.enter(link);
  }
  await Promise.all([ada.sees(['Ben']), ben.sees(['Ada'])]);
  // Whichever of the two notices first restarts.
  const each = await Promise.all(members.map((member) => member.ask(() => window.motet.restarts.mesh + window.motet.restarts.node)));
  const restarts = each[0] + each[1];
  gaps.sort((one, other) => one - other);
  const p95 = gaps[Math.ceil(0.95 * gaps.length) - 1];
  t.diagnostic(`${mode}: gaps of ${gaps.join(', ')} ms; p95 ${p95} ms; ${restarts} restarts`);
  assert.ok(restarts > 0, 'ICE was restarted');
  assert.ok(p95 < GAP_MAX_MS, `a picture stood still for ${p95} ms`);
}
