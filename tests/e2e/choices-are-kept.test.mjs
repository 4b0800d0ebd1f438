import assert from 'node:assert/strict';
import test from 'node:test';
import { keyInFragment, newOwnerKey } from '../../web/owner.js';
import { Settings } from '../../web/settings.js';
import { languageFor, languages, setLanguage, strings } from '../../web/strings.js';
import { browserOf } from '../../web/ui/help.js';
import { newRoomName, roomIn } from '../../web/ui/home.js';
import { levelOf } from '../../web/ui/meter.js';
import { testSound } from '../../web/ui/test-sound.js';

function storage(content = {}) {
  const kept = new Map(Object.entries(content));
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
}

const broken = {
  getItem: () => { throw new DOMException('no', 'SecurityError'); },
  setItem: () => { throw new DOMException('full', 'QuotaExceededError'); },
};

test('choices are kept, and listeners hear what is different', () => {
  const kept = storage();
  const settings = new Settings(kept);
  const heard = [];
  settings.on('change', (change) => heard.push(change));
  settings.set({ name: 'Ada', theme: 'system' });
  settings.set({ name: 'Ada' });
  assert.deepEqual(heard, [{ name: 'Ada' }]);
  assert.equal(new Settings(kept).get('name'), 'Ada');
});

test('whatever the storage holds, and without one, there are choices', () => {
  const cases = [null, broken, ...['', '{', 'null', '3', '[]', '{"name":7,"other":1,"mirror":"no"}'].map((text) => storage({ motet: text }))];
  for (const one of cases) {
    const settings = new Settings(one);
    assert.deepEqual([settings.get('name'), settings.get('mirror')], ['', true]);
    settings.set({ name: 'Ada' });
    assert.equal(settings.get('name'), 'Ada');
  }
});

test('the language is the chosen one, else the first known of the browser, else English', () => {
  const cases = [
    ['', ['de-AT', 'en'], 'de'],
    ['', ['pt-BR', 'fr', 'de'], 'fr'],
    ['', ['ja'], 'en'],
    ['', [], 'en'],
    ['fr', ['de'], 'fr'],
    ['toString', ['DE'], 'de'],
  ];
  for (const [chosen, preferred, language] of cases) assert.equal(languageFor(chosen, preferred), language, `${chosen} ${preferred}`);
});

test('every language says everything', () => {
  const shapeOf = (texts) => Object.entries(texts).map(([name, text]) => (typeof text === 'object' ? [name, shapeOf(text)] : [name, typeof text]));
  setLanguage('en');
  const english = shapeOf(strings);
  for (const language of Object.keys(languages)) {
    setLanguage(language);
    assert.deepEqual(shapeOf(strings).sort(), english.sort(), language);
    assert.equal(strings.bitrate(1_250_000).includes(','), language !== 'en');
  }
  setLanguage('en');
});

test('names of rooms are read off links, and new ones are new', () => {
  const cases = [
    ['hall', 'hall'],
    ['https://motet.example/r/Caf%C3%A9', 'Café'],
    ['http://localhost:8080/r/hall?join#key=secret', 'hall'],
    ['https://motet.example/r/%E0%A4%A', 'https:--motet.example-r-%E0%A4%A'],
    ['a/b', 'a-b'],
    ['', ''],
    ['.', ''],
    ['..', ''],
    ['a\\b', 'a-b'],
    ['https://motet.example/r/a%2Fb', 'a-b'],
    ['https://motet.example/r/%2e%2e', ''],
  ];
  for (const [text, room] of cases) assert.equal(roomIn(text), room);
  const names = new Set(Array.from({ length: 500 }, newRoomName));
  assert.equal(names.size, 500);
  for (const name of names) assert.match(name, /^[a-z]+-[a-z]+-[a-hjkmnp-z2-9]{5}$/);
});

test('an owner’s key is long, random, and read from a fragment only if it is one', () => {
  const keys = new Set(Array.from({ length: 100 }, newOwnerKey));
  assert.equal(keys.size, 100);
  for (const key of keys) {
    assert.match(key, /^[A-Za-z0-9_-]{32}$/);
    assert.equal(keyInFragment(`#key=${key}`), key);
  }
  for (const fragment of ['', '#', '#key=', '#key=short', `#key=${'x'.repeat(129)}`, '#key=%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00', '#other']) {
    assert.equal(keyInFragment(fragment), '', fragment);
  }
});

test('help is given in the words of the browser', () => {
  const cases = [
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', 'chromium'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'firefox'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15', 'safari'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'ios'],
    ['Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36', 'android'],
    ['something else', 'other'],
  ];
  for (const [agent, browser] of cases) assert.equal(browserOf(agent), browser);
});

test('the meter follows loudness', () => {
  const tone = (amplitude) => Float32Array.from({ length: 1024 }, (_, at) => amplitude * Math.sin(at / 5));
  assert.equal(levelOf(new Float32Array(1024)), 0);
  const levels = [0.001, 0.01, 0.1, 1].map((amplitude) => levelOf(tone(amplitude)));
  assert.deepEqual(levels, [...levels].sort());
  assert.ok(levels[0] < 0.05 && levels[3] > 0.9 && levels[3] <= 1, `${levels}`);
});

test('the test sound is a WAV file that begins and ends in silence', () => {
  const bytes = testSound();
  const view = new DataView(bytes);
  assert.equal(view.getUint32(4, true), bytes.byteLength - 8);
  assert.equal(view.getUint32(40, true), bytes.byteLength - 44);
  const samples = Array.from({ length: (bytes.byteLength - 44) / 2 }, (_, at) => view.getInt16(44 + 2 * at, true));
  assert.ok(Math.abs(samples[0]) < 100 && Math.abs(samples.at(-1)) < 100);
  const peak = Math.max(...samples.map(Math.abs));
  assert.ok(peak > 3_000 && peak < 32_767, `${peak}`);
});
