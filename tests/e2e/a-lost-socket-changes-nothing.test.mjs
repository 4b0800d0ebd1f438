import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, sleep } from './harness.mjs';
import { Proxy } from './proxy.mjs';

/** No picture stands still for longer, whatever happens to a WebSocket; calm machines show 100 ms. */
const GAP_MAX_MS = 1_500;
const STALL_MAX_MS = 60_000;

const BROWSERS = { chromium: (house) => house.chromium(), firefox: (house) => house.firefox() };

for (const mode of ['mesh', 'sfu']) {
  for (const [browser, open] of Object.entries(BROWSERS)) {
    test(`${browser}: a WebSocket is lost and comes back, media and words do not miss it, ${mode === 'mesh' ? 'peer to peer' : 'over the node'}`, async (t) => {
      const { proxy, ada, ben, members } = await behindProxy(t, mode, open);
      const you = await ben.ask(() => window.motet.you);
      await all(members, (member) => member.ask(() => window.recorder.reset()));

      proxy.cut();
      await ben.until('says so', () => window.motet.state === 'reconnecting' && /lost/.test(document.querySelector('.status').textContent));
      await ada.until('is told', () => window.motet.members.some(({ name, presence }) => name === 'Ben' && presence === 'reconnecting'));
      await ada.until('shows it', () => document.querySelector('.tile[aria-label^="Ben"]').ariaLabel.includes('reconnecting'));
      for (const text of ['one', 'two', 'three']) await say(ada, text);
      await sleep(2_000);
      await all(members, (member) => member.sees(othersName(member, members)));
      proxy.mend();

      await ben.until('is back', () => window.motet.state === 'joined');
      await ada.until('is told that he is back', () => window.motet.members.some(({ name, presence }) => name === 'Ben' && presence === 'here'));
      await say(ben, 'four');
      await all(members, (member) => member.until('has read everything once, in order', () => window.motet.chat.map(({ text }) => text).join() === 'one,two,three,four'));
      assert.equal(await ben.ask(() => window.motet.you), you, 'the same membership');
      assert.equal(await ada.ask(() => window.motet.members.length), 2, 'no ghosts');
      const gaps = await all(members, (member) => member.ask(() => Object.entries(window.recorder.read()).filter(([id]) => id !== window.motet.you).map(([, { gap }]) => gap)));
      const longest = Math.max(...gaps.flat());
      t.diagnostic(`longest gap between two frames: ${longest} ms`);
      assert.ok(longest < GAP_MAX_MS, `a picture stood still for ${longest} ms`);
    });
  }
}

test('a WebSocket on which nothing passes is given up and replaced', async (t) => {
  const { proxy, ada, ben, members } = await behindProxy(t, 'mesh', BROWSERS.chromium);
  proxy.stall();
  const stalledAt = Date.now();
  // TCP would wait for minutes.
  while (proxy.passed === 0 && Date.now() - stalledAt < STALL_MAX_MS) await sleep(100);
  assert.ok(proxy.passed > 0, 'another one was opened');
  t.diagnostic(`another WebSocket after ${Date.now() - stalledAt} ms`);
  await ben.until('is back', () => window.motet.state === 'joined');
  await say(ada, 'one');
  await ben.until('has read it', () => window.motet.chat.map(({ text }) => text).join() === 'one');
  await ada.until('is told', () => window.motet.members.some(({ name, presence }) => name === 'Ben' && presence === 'here'));
  await all(members, (member) => member.sees(othersName(member, members), { path: 'mesh' }));
});

/** Ada, and Ben behind a proxy. */
async function behindProxy(t, mode, open) {
  const house = new House(t);
  await house.node(['--topology', mode]);
  const direct = house.url;
  const proxy = new Proxy(direct);
  t.after(() => proxy.close());
  const ada = await house.member(await house.chromium(), 'Ada');
  house.url = await proxy.open();
  const ben = await house.member(await open(house), 'Ben');
  const members = [ada, ben];
  await all(members, (member) => member.sees(othersName(member, members)));
  return { proxy, ada, ben, members };
}

function othersName(member, members) {
  return members.filter((other) => other !== member).map(({ name }) => name);
}

function say(member, text) {
  return member.ask(async (text) => {
    if (document.querySelector('.panel [name=text], .say textarea').closest('.panel').hidden) document.querySelector('[data-tool=chat]').click();
    const box = document.querySelector('.say textarea');
    box.value = text;
    box.dispatchEvent(new Event('input', { bubbles: true }));
    box.form.requestSubmit();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }, text);
}
