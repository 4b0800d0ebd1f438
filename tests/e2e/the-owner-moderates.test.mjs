import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, sleep, WAIT_MS } from './harness.mjs';

const KEY = 'a-key-that-only-the-owner-has-0001';
/** Longer than a page takes to look at its statistics again. */
const SILENT_MS = 3_000;

for (const mode of ['mesh', 'sfu']) {
  test(`who is silenced is not heard until the owner lets them speak, ${mode === 'mesh' ? 'peer to peer' : 'over the node'}`, async (t) => {
    const { owner, guest, other } = await ownedRoom(t, mode);
    await choose(owner, 'Ben', 'Hold microphone muted');
    await guest.until('is held', () => document.querySelector('[data-tool=mic]').getAttribute('aria-pressed') !== 'true' && window.motet.members.find(({ id }) => id === window.motet.you).silenced.includes('microphone'));
    await all([owner, other], (member) => isSilent(member, 'Ben'));
    await guest.press('mic');
    await guest.until('is told why', () => /holds your microphone muted/.test(document.querySelector('.notices').textContent));
    assert.equal(await guest.ask(() => window.motet.members.find(({ id }) => id === window.motet.you).published.find(({ source }) => source === 'microphone').muted), true);

    await choose(owner, 'Ben', 'Let them speak again');
    await guest.until('may speak', () => window.motet.members.find(({ id }) => id === window.motet.you).silenced.length === 0);
    await guest.press('mic');
    await all([owner, other], (member) => member.sees(['Ben']));
  });
}

test('hands are raised in order and lowered, reactions are seen, and guests own nothing', async (t) => {
  const { owner, guest, other } = await ownedRoom(t, 'mesh');
  await guest.page.keyboard.press('h');
  await other.until('sees the first hand', () => document.querySelectorAll('.tile > .hand:not([hidden])').length === 1);
  await other.press('hand');
  await owner.until('sees both, numbered', () => [...document.querySelectorAll('.tile > .hand:not([hidden]) b')].map((place) => place.textContent).sort().join() === '1,2');
  await choose(owner, 'Ben', 'Lower the hand');
  await guest.until('has no hand up', () => window.motet.members.find(({ id }) => id === window.motet.you).handMs === undefined);
  await guest.page.keyboard.press('4');
  await all([owner, other], (member) => member.until('sees the reaction', () => document.querySelector('.floating')));
  await guest.page.hover('.tile >> nth=1');
  await guest.page.click('.tile >> nth=1 >> .tile-menu');
  const items = await guest.ask(() => [...document.querySelectorAll('[role=menuitem]')].map(({ textContent }) => textContent.trim()));
  assert.deepEqual(items, ['Show large', 'Details']);
});

test('who is removed is out, a locked room lets nobody in, a lobby asks the owner, and the end is for all', async (t) => {
  const { house, chromium, owner, guest, other } = await ownedRoom(t, 'mesh');
  await choose(owner, 'Ben', 'Remove from the room');
  await owner.page.click('dialog button:has-text("Remove from the room")');
  await guest.until('knows why', () => /sent you away/.test(document.querySelector('.notice-card')?.textContent ?? ''));
  await all([owner, other], (member) => member.until('is rid of Ben', () => window.motet.members.length === 2));

  await owner.page.keyboard.press('p');
  await owner.page.click('[role=switch]:has-text("Let nobody new in")');
  await owner.until('is locked', () => document.querySelector('[role=switch]').getAttribute('aria-checked') === 'true');
  const late = await house.visitor(chromium, 'Late');
  await late.until('is refused', () => /lets nobody new in/.test(document.querySelector('.notice-card')?.textContent ?? ''));

  await owner.page.click('[role=switch]:has-text("Let nobody new in")');
  await owner.page.click('[role=switch]:has-text("Newcomers wait for you")');
  await sleep(300);
  const [welcome, unwelcome] = [await house.visitor(chromium, 'Welcome'), await house.visitor(chromium, 'Unwelcome')];
  await all([welcome, unwelcome], (member) => member.until('waits', () => window.motet?.state === 'waiting' && /wait/.test(document.querySelector('.notice-card').textContent)));
  await owner.until('is asked twice', () => document.querySelectorAll('.knocking').length === 2);
  assert.equal(await other.ask(() => document.querySelectorAll('.knocking').length), 0, 'guests are not asked');
  await owner.page.click('[aria-label="Let Welcome in"]');
  await owner.page.click('[aria-label="Turn Unwelcome away"]');
  await welcome.until('is in', () => window.motet.state === 'joined');
  await unwelcome.until('is turned away', () => window.motet.state === 'ended');
  await owner.sees(['Welcome', 'Cem']);

  await owner.press('leave');
  await owner.page.click('[role=menuitem]:has-text("End for everyone")');
  await all([owner, other, welcome], (member) => member.until('is out', () => window.motet.state === 'ended' && document.querySelector('.notice-card')));
});

/** Waits until somebody's picture goes on for a while without any of their sound; what was on its way still arrives. */
async function isSilent(member, name) {
  const arrived = async () => (await member.counts([name]))[name];
  const deadline = Date.now() + WAIT_MS;
  for (let [before, now] = [await arrived(), null]; ; before = now) {
    await sleep(SILENT_MS);
    now = await arrived();
    if (now.packets === before.packets && now.frames > before.frames) return;
    assert.ok(Date.now() < deadline, `${member.name} still hears ${name}: ${JSON.stringify([before, now])}`);
  }
}

/** Ada, who owns the room, Ben and Cem. */
async function ownedRoom(t, mode) {
  const house = new House(t);
  await house.node(['--topology', mode]);
  const chromium = await house.chromium();
  const owner = await house.member(chromium, 'Ada', '', KEY);
  assert.equal(await owner.ask(() => window.motet.role), 'owner');
  const guest = await house.member(chromium, 'Ben');
  const other = await house.member(chromium, 'Cem');
  await owner.sees(['Ben', 'Cem']);
  await other.sees(['Ada', 'Ben']);
  return { house, chromium, owner, guest, other };
}

/** What the owner picks in the menu of a tile. */
async function choose({ page }, name, item) {
  const tile = `.tile[aria-label^="${name}"]`;
  await page.hover(tile);
  await page.click(`${tile} .tile-menu`);
  await page.click(`[role=menuitem]:has-text("${item}")`);
}
