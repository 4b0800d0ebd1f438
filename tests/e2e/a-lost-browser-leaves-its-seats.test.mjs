import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House } from './harness.mjs';

/** A node holds on to a silent member for 30 s. */
const SILENCE_MS = 45_000;
const GRACE_S = 4;

test('a killed browser is said to reconnect for the grace time, then is gone from the room and its seats', async (t) => {
  const { others, victim, browser } = await roomWithVictim(t);
  browser.kill('SIGKILL');
  victim.isGone = true;
  await all(others, (member) =>
    member.until('hears that it may come back', () => window.motet.members.some(({ name, presence }) => name === 'Victor' && presence === 'reconnecting')),
  );
  await all(others, (member) => isGone(member, 10_000));
});

test('a browser whose machine falls silent is gone when the node has waited long enough', async (t) => {
  const { others, victim, browser } = await roomWithVictim(t);
  browser.kill('SIGSTOP');
  victim.isGone = true;
  await all(others, (member) => isGone(member, SILENCE_MS));
});

async function roomWithVictim(t) {
  const house = new House(t);
  await house.node(['--topology', 'sfu', '--resume-grace', String(GRACE_S)]);
  const chromium = await house.chromium();
  const others = [await house.member(chromium, 'Ada'), await house.member(chromium, 'Ben')];
  const browser = await house.mortalChromium();
  const victim = await house.member(browser, 'Victor');
  await all(others, (member) => member.sees(['Victor'], { path: 'node' }));
  return { others, victim, browser };
}

async function isGone(member, timeout) {
  await member.until('is rid of Victor', () => !window.motet.members.some(({ name }) => name === 'Victor'), { timeout });
  await member.until('shows who is left', () => document.querySelectorAll('.tile').length === 2);
  assert.equal(await member.ask(() => window.motet.seats.filter(Boolean).length), 1);
}
