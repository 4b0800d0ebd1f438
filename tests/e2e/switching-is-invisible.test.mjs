import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, othersOf, sleep } from './harness.mjs';

/** How long pictures are watched where nothing happens, for comparison. */
const CALM_MS = 5_000;
/** Beyond twice the longest time that the own picture, which never travels, stood still for meanwhile. */
const GAP_MAX_MS = 500;

test('Chromium moves from a mesh of four to the node and back to three', (t) =>
  thereAndBack(t, { kinds: ['chromium', 'chromium', 'chromium', 'chromium', 'chromium'], meshMax: 4 }));

test('Firefox moves from a mesh of three to the node and back to two', (t) =>
  thereAndBack(t, { kinds: ['firefox', 'firefox', 'firefox', 'firefox'], meshMax: 3 }));

test('Chromium and Firefox move from a mesh of three to the node and back to two', (t) =>
  thereAndBack(t, { kinds: ['chromium', 'firefox', 'chromium', 'firefox'], meshMax: 3 }));

async function thereAndBack(t, { kinds, meshMax }) {
  const house = new House(t);
  await house.node(['--mesh-max', String(meshMax)]);
  const browsers = {};
  for (const kind of new Set(kinds)) browsers[kind] = await house[kind]();
  const join = (index) => house.member(browsers[kinds[index]], ['Ada', 'Ben', 'Cem', 'Dev', 'Eve'][index]);

  const members = [];
  for (let index = 0; index < meshMax; index += 1) members.push(await join(index));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh', timeout: 60_000 }));
  await all(members, (member) => member.isWarm());
  assert.ok(await sendsNothingOverNode(members), 'a warm connection carries no media');
  const founders = [...members];
  const calm = await watch(founders, () => sleep(CALM_MS));
  report(t, 'in the mesh, nothing happens', calm);

  const up = await watch(founders, async () => {
    members.push(await join(meshMax));
    await all(members, (member) => member.isIn('sfu', 60_000));
    await all(members, (member) => member.sees(othersOf(members, member), { path: 'node', timeout: 60_000 }));
  });
  report(t, 'mesh to node', up);
  reportFirstFrames(t, await members.at(-1).ask(() => ({ read: window.recorder.read(), joined: window.recorder.joinedAt, you: window.motet.you })));

  const first = members.pop();
  await first.leave();
  const second = members.pop();
  await second.leave();
  const down = await watch(members, async () => {
    await all(members, (member) => member.isIn('mesh', 60_000));
    await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
    await all(members, (member) => member.isWarm());
  });
  report(t, 'node to mesh', down);

  for (const [way, { gap, own }] of Object.entries({ up, down })) {
    assert.ok(gap < 2 * own + GAP_MAX_MS, `${way}: a picture stood still for ${gap} ms, the own one for ${own} ms`);
  }
}

/** What was seen and heard by these members of each other while something happened. */
async function watch(members, what) {
  await all(members, (member) => member.ask(() => window.recorder.reset()));
  await what();
  const names = members.map(({ name }) => name);
  const read = await all(members, (member) =>
    member.ask((names) => {
      const flaws = window.recorder.read();
      const others = window.motet.members.filter(({ id, name }) => names.includes(name) && id !== window.motet.you);
      return { own: flaws[window.motet.you].gap, others: others.map(({ id }) => flaws[id]) };
    }, names),
  );
  const allOf = (key) => read.flatMap(({ others }) => others.map((flaws) => flaws[key]));
  const gaps = allOf('gap').sort((one, other) => one - other);
  return {
    gap: gaps.at(-1),
    gaps,
    own: Math.max(...read.map(({ own }) => own)),
    concealed: allOf('concealed').reduce((sum, samples) => sum + samples, 0),
    freezes: allOf('freezes').reduce((sum, freezes) => sum + freezes, 0),
  };
}

function report(t, what, { gaps, own, concealed, freezes }) {
  const middle = gaps[Math.floor(gaps.length / 2)];
  t.diagnostic(
    `${what}: longest time between two frames ${gaps.at(-1)} ms (median of ${gaps.length} pictures ${middle} ms; own pictures ${own} ms), ` +
      `${Math.round(concealed / 48)} ms of sound concealed, ${freezes} freezes`,
  );
}

function reportFirstFrames(t, { read, joined, you }) {
  const others = Object.entries(read).filter(([id]) => id !== you);
  const firsts = others.map(([, { first }]) => Math.round(first - joined));
  t.diagnostic(`the newcomer saw the others ${firsts.sort((a, b) => a - b).join(', ')} ms after joining`);
}

async function sendsNothingOverNode(members) {
  const before = await all(members, (member) => member.ask(() => window.motet.sentOverNode()));
  await sleep(1_500);
  const after = await all(members, (member) => member.ask(() => window.motet.sentOverNode()));
  return after.every((bytes, index) => bytes === before[index]);
}
