import assert from 'node:assert/strict';
import test from 'node:test';
import jsqr from 'jsqr';
import { qr } from '../../web/ui/qr.js';

/** What level M holds in byte mode, by version (ISO/IEC 18004, table 7). */
const CAPACITY = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213];

test('another decoder reads every version, filled to the last byte and just begun', () => {
  CAPACITY.forEach((bytes, index) => {
    for (const length of [bytes, (CAPACITY[index - 1] ?? 0) + 1]) {
      const text = sample(length);
      const matrix = qr(text);
      assert.equal(matrix?.length, 21 + 4 * index, `${length} bytes fit version ${index + 1}`);
      assert.equal(read(matrix), text);
    }
  });
});

test('links with letters of any script are read back', () => {
  for (const text of ['', 'https://meet.example/r/Chœur%20de%20nuit', 'https://meet.example/r/合唱団-🎶?x=1&y=2']) {
    assert.equal(read(qr(text)), text);
  }
});

test('a text that is too long has no code', () => {
  assert.equal(qr(sample(214)), null);
});

test('the format says level M, and a known mask', () => {
  // The format bits of level M with mask 0 to 7 (ISO/IEC 18004, table C.1).
  const formats = [0x5412, 0x5125, 0x5e7c, 0x5b4b, 0x45f9, 0x40ce, 0x4f97, 0x4aa0];
  for (const length of [3, 30, 100, 200]) {
    const matrix = qr(sample(length));
    const size = matrix.length;
    const rows = [0, 1, 2, 3, 4, 5, 7, 8].map((row) => matrix[row][8]);
    const rest = Array.from({ length: 7 }, (_, at) => matrix[size - 7 + at][8]);
    const bits = [...rows, ...rest].reduce((sum, dark, at) => sum + (dark ? 2 ** at : 0), 0);
    assert.ok(formats.includes(bits), bits.toString(16));
  }
});

function sample(length) {
  return Array.from({ length }, (_, at) => String.fromCharCode(33 + ((at * 37) % 90))).join('');
}

function read(matrix) {
  const scale = 4;
  const quiet = 4;
  const side = (matrix.length + 2 * quiet) * scale;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      if (!matrix[Math.floor(y / scale) - quiet]?.[Math.floor(x / scale) - quiet]) continue;
      pixels.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return jsqr.default?.(pixels, side, side)?.data ?? jsqr(pixels, side, side)?.data;
}
