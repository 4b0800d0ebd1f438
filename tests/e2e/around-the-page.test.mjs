import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, othersOf } from './harness.mjs';

test('full screen, picture in picture, the link and another camera', async (t) => {
  const house = new House(t);
  await house.node();
  const chromium = await house.chromium();
  const members = [await house.member(chromium, 'Ada'), await house.member(chromium, 'Ben')];
  const [ada, ben] = members;
  await all(members, (member) => member.sees(othersOf(members, member)));

  await t.test('the whole screen, and back', async () => {
    await ada.page.keyboard.press('f');
    await ada.until('fills the screen', () => document.fullscreenElement !== null);
    await ada.page.keyboard.press('f');
    await ada.until('does not any more', () => document.fullscreenElement === null);
  });

  await t.test('who speaks, in a window that stays in front', async () => {
    const asked = await ada.ask(() => {
      window.asked = 0;
      const request = HTMLVideoElement.prototype.requestPictureInPicture;
      HTMLVideoElement.prototype.requestPictureInPicture = function () {
        window.asked = this.srcObject.getVideoTracks()[0].id;
        return request.call(this);
      };
      return document.pictureInPictureEnabled;
    });
    if (!asked) return t.diagnostic('this browser has no picture in picture');
    await ada.press('more');
    await ada.page.click('.item:has-text("Picture in picture")');
    await ada.until('asks for it', () => window.asked);
    const shown = await ada.ask(() => [...document.querySelectorAll('.tile video')].map((video) => video.srcObject.getVideoTracks()[0].id).indexOf(window.asked));
    assert.equal(shown, 1, 'the other one');
  });

  await t.test('the link is in the clipboard', async () => {
    await ada.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await ada.page.click('.top .copy');
    assert.equal(await ada.ask(() => navigator.clipboard.readText()), `${house.url}/r/${house.room}`);
  });

  await t.test('another camera is used at once, and seen by the others', async () => {
    const before = await ada.ask(() => document.querySelector('.tile video').srcObject.getVideoTracks()[0].id);
    await ada.page.click('.choose >> nth=1');
    const items = ada.page.locator('[role=menuitemradio]');
    // Listing the devices takes a moment; the click waits for it.
    await items.last().click();
    await ada.until('shows another track', (before) => document.querySelector('.tile video')?.srcObject.getVideoTracks()[0].id !== before, { argument: before });
    await ben.sees(['Ada']);
  });
});

test('the screen stays awake while one is in the room', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium()).newPage();
  await page.addInitScript(() => {
    window.locks = [];
    const request = WakeLock.prototype.request;
    WakeLock.prototype.request = async function (kind) {
      const lock = await request.call(this, kind);
      window.locks.push(lock);
      return lock;
    };
  });
  await page.goto(`${house.url}/r/hall?join&name=Ada&audio=0`);
  await page.waitForFunction(() => window.locks.some(({ released }) => !released));
  await page.click('[data-tool=leave]');
  await page.waitForFunction(() => window.motet.state === 'ended' && window.locks.every(({ released }) => released));
});
