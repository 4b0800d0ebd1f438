import assert from 'node:assert/strict';
import test from 'node:test';
import { layout } from '../../web/ui/layout.js';

const screens = [
  { width: 1280, height: 640 },
  { width: 390, height: 640 },
  { width: 800, height: 800 },
];

test('tiles never overlap or leave the stage, and are as large as the room allows', () => {
  for (const { width, height } of screens) {
    for (let count = 1; count <= 25; count += 1) {
      for (const staged of [0, 1]) {
        const tiles = layout(count, staged, width, height);
        const where = `${count} tiles, ${staged} staged, ${width}x${height}`;
        assert.equal(tiles.length, count, where);
        for (const tile of tiles) assert.ok(isInside(tile, width, height), `inside: ${where}`);
        for (const [one, other] of pairs(tiles)) assert.ok(!overlap(one, other), `apart: ${where}`);
        const used = tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0) / (width * height);
        if (staged === 0) assert.ok(used > 0.4, `${Math.round(used * 100)} % used: ${where}`);
      }
    }
  }
});

test('a stage of no size takes no tiles into negative sizes', () => {
  for (const tile of layout(3, 1, 0, 0)) assert.ok(tile.width >= 0 && tile.height >= 0);
});

function isInside({ left, top, width, height }, right, bottom) {
  const slack = 0.01;
  return left >= -slack && top >= -slack && left + width <= right + slack && top + height <= bottom + slack;
}

function overlap(one, other) {
  const apart = 1;
  return (
    one.left + apart < other.left + other.width &&
    other.left + apart < one.left + one.width &&
    one.top + apart < other.top + other.height &&
    other.top + apart < one.top + one.height
  );
}

function pairs(tiles) {
  return tiles.flatMap((one, index) => tiles.slice(index + 1).map((other) => [one, other]));
}
