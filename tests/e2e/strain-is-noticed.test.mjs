import assert from 'node:assert/strict';
import test, { mock } from 'node:test';
import { StrainGauge } from '../../web/strain.js';

globalThis.window = globalThis;
const { Pulse } = await import('../../web/pulse.js');

const SOUND = { kind: 'audio', width: 0, bitrateTarget: 0, bitrateMax: 0, limited: '' };

function picture(changes = {}) {
  return { kind: 'video', width: 640, bitrateTarget: 600_000, bitrateMax: 600_000, limited: 'none', ...changes };
}

const FINE = [SOUND, picture()];
const NARROW = [SOUND, picture({ bitrateTarget: 100_000 })];
const HOT = [SOUND, picture({ limited: 'cpu' })];

/** What is said after so many samples of this, a second apart or as many as told. */
function judge(stretches, apartMs = 1_000) {
  const gauge = new StrainGauge();
  let said = null;
  let now = 0;
  for (const [count, pairs] of stretches) for (let at = 0; at < count; at += 1) said = gauge.add(pairs, (now += apartMs));
  return said;
}

test('strain is what most pictures suffer from for ten seconds', () => {
  const cases = [
    ['nothing is wrong', [[20, [FINE, FINE, FINE]]], null],
    ['too short', [[10, [NARROW, NARROW]]], null],
    ['the uplink', [[11, [NARROW, NARROW]]], 'uplink'],
    ['the processor', [[11, [HOT, HOT]]], 'cpu'],
    ['one pair of two has a bad path of its own', [[20, [NARROW, FINE]]], null],
    ['two of three', [[11, [NARROW, NARROW, FINE]]], 'uplink'],
    ['with one other there is nothing to gain', [[20, [NARROW]]], null],
    ['it was better in between', [[10, [NARROW, NARROW]], [1, [FINE, FINE]], [10, [NARROW, NARROW]]], null],
    ['the processor, which delays what is sent', [[6, [NARROW, NARROW]], [6, [HOT, HOT]]], 'cpu'],
    ['the uplink, and once the processor', [[6, [NARROW, NARROW]], [1, [HOT, HOT]], [4, [NARROW, NARROW]]], 'uplink'],
    ['it is over', [[11, [HOT, HOT]], [1, [FINE, FINE]]], null],
    ['no picture is sent', [[20, [[SOUND], [SOUND]]]], null],
    ['a browser that tells neither', [[20, [[picture({ bitrateTarget: 0, limited: '' })], [picture({ bitrateTarget: 0, limited: '' })]]]], null],
  ];
  for (const [what, stretches, expected] of cases) assert.equal(judge(stretches), expected, what);
});

test('a page that hardly runs is judged by the few samples that it takes', () => {
  assert.equal(judge([[4, [HOT, HOT]]], 4_000), 'cpu');
  assert.equal(judge([[3, [HOT, HOT]]], 6_000), null);
});

test('a path that falls silent is doubted, then lost, and looked for again with more patience', () => {
  const { connection, events, run, close } = pulse({ expects: () => true });
  run(3_000, { flows: true });
  assert.deepEqual(events, []);
  run(6_900, { flows: false });
  assert.deepEqual(events.map(({ what }) => what), ['doubt', 'lost', 'lost', 'lost']);
  const [doubt, ...lost] = events.map(({ at }) => at);
  assert.ok(doubt < 500 && lost[0] < 1_000, 'within a second');
  assert.ok(lost[1] - lost[0] >= 1_500 && lost[2] - lost[1] >= 3_000);
  run(2_000, { flows: true });
  run(1_200, { flows: false });
  assert.equal(events.length, 6, 'anew, after it flowed again');
  connection.connectionState = 'closed';
  run(5_000, { flows: false });
  assert.equal(events.length, 6);
  close();
});

test('while the other side looks for a path this one waits', () => {
  const { watched, events, run, close } = pulse({ expects: () => true });
  run(3_000, { flows: true });
  run(600, { flows: false });
  watched.tried();
  run(1_400, { flows: false });
  assert.deepEqual(events.map(({ what }) => what), ['doubt']);
  run(200, { flows: false });
  assert.deepEqual(events.map(({ what }) => what), ['doubt', 'lost']);
  close();
});

test('a path that came up in the first moments of a page is watched too', () => {
  const { events, run, close } = pulse({ expects: () => true, start: 0 });
  run(3_000, { flows: true });
  run(1_200, { flows: false });
  assert.deepEqual(events.map(({ what }) => what), ['doubt', 'lost']);
  close();
});

test('a path on which nobody sends, or that never flowed, is not doubted', () => {
  let isSending = false;
  const quiet = pulse({ expects: () => isSending });
  quiet.run(3_000, { flows: true });
  quiet.run(10_000, { flows: false });
  assert.deepEqual(quiet.events, []);
  quiet.close();
  isSending = true;
  const unborn = pulse({ expects: () => true });
  unborn.run(10_000, { flows: false });
  assert.deepEqual(unborn.events, []);
  assert.ok(unborn.looks() <= 75, `it is looked at ${unborn.looks()} times in ten seconds`);
  unborn.close();
});

/** A pulse over a connection whose packets a test lets flow. */
function pulse({ expects, start = 10_000 }) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let now = start;
  let silentSince = 0;
  let timestamp = 1;
  let looks = 0;
  mock.method(performance, 'now', () => now);
  const connection = { connectionState: 'connected', getReceivers: () => (looks += 1) && [{ track: { muted: false }, getSynchronizationSources: () => [{ timestamp }] }] };
  const events = [];
  const note = (what) => () => events.push({ what, at: now - silentSince });
  const watched = new Pulse(connection, { patience: 800, expects, doubt: note('doubt'), lost: note('lost') });
  const run = (milliseconds, { flows }) => {
    silentSince = now;
    for (let passed = 0; passed < milliseconds; passed += 50) {
      now += 50;
      if (flows) timestamp = now;
      mock.timers.tick(50);
    }
  };
  const close = () => {
    watched.stop();
    mock.reset();
    mock.timers.reset();
  };
  return { watched, connection, events, run, close, looks: () => looks };
}
