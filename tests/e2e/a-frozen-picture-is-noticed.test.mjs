import assert from 'node:assert/strict';
import test from 'node:test';
import { StuckWatch } from '../../web/ui/stuck.js';

/** Looks so often while these many frames more are drawn and decoded each time; how often it stuck. */
function watch(watched, count, { drawn, decoded, isVisible = true }) {
  let times = 0;
  for (let look = 0; look < count; look += 1) {
    watched.total.drawn += drawn;
    watched.total.decoded += decoded;
    if (watched.gauge.look({ ...watched.total, isVisible })) times += 1;
  }
  return times;
}

const watched = () => ({ gauge: new StuckWatch(), total: { drawn: 100, decoded: 100 } });

test('what is decoded and not drawn is noticed once for every twenty frames, and only that', () => {
  const cases = [
    ['it plays', { drawn: 5, decoded: 5 }, 0],
    ['nothing comes', { drawn: 0, decoded: 0 }, 0],
    ['few are drawn', { drawn: 1, decoded: 15 }, 0],
    ['none is drawn', { drawn: 0, decoded: 5 }, 5],
    ['none is drawn in a page that nobody sees', { drawn: 0, decoded: 5, isVisible: false }, 0],
    ['what is decoded is not known', { drawn: 5, decoded: 0 }, 0],
  ];
  for (const [what, figures, expected] of cases) {
    const one = watched();
    watch(one, 3, { drawn: 5, decoded: 5 });
    assert.equal(watch(one, 20, figures), expected, what);
  }
});

test('an element that never drew is not stuck, and another connection counts from its own beginning', () => {
  const fresh = { gauge: new StuckWatch(), total: { drawn: 0, decoded: 0 } };
  assert.equal(watch(fresh, 20, { drawn: 0, decoded: 5 }), 0);
  const other = watched();
  watch(other, 3, { drawn: 5, decoded: 5 });
  other.total.decoded = 0;
  assert.equal(watch(other, 3, { drawn: 0, decoded: 5 }), 0);
});
