// Who presses a button again and again sees no error, and what holds in the end is what they pressed last.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

globalThis.window = globalThis;
const { Announcer } = await import('../../web/announcer.js');

/** An announcer, what it says, and the media that it looks at. */
function announcing() {
  const media = { own: [{ source: 'microphone', stream: 's', muted: false }], published: () => media.own };
  const said = [];
  const announcer = new Announcer(media, (message) => said.push(message));
  announcer.sync(null);
  return { media, said, announcer };
}

test('a source that is muted again and again is muted a few times a second', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const clock = mock.method(performance, 'now', () => at);
  let at = 0;
  const { media, said, announcer } = announcing();
  for (; at < 2_000; at += 20) {
    media.own[0].muted = !media.own[0].muted;
    announcer.sync(null);
    mock.timers.tick(20);
  }
  media.own[0].muted = true;
  announcer.sync(null);
  at += 500;
  mock.timers.tick(500);
  const mutes = said.filter(({ type }) => type === 'mute');
  assert.ok(mutes.length <= 10, `${mutes.length}`);
  assert.equal(mutes.at(-1).muted, true);
  clock.mock.restore();
  mock.timers.reset();
});

test('what was refused as too much at once is said again, all of it', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { media, said, announcer } = announcing();
  media.own = [];
  announcer.sync(null);
  announcer.pause();
  announcer.pause();
  said.length = 0;
  media.own = [{ source: 'camera', stream: 's', muted: true }];
  announcer.sync(null);
  assert.deepEqual(said, []);
  mock.timers.tick(1_000);
  assert.deepEqual(said[0], { type: 'publish', source: 'camera', stream: 's', muted: true });
  const over = said.filter(({ type }) => type === 'unpublish').map(({ source }) => source);
  assert.deepEqual(over.sort(), ['microphone', 'screen', 'screenAudio']);
  mock.timers.reset();
});
