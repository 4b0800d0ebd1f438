import test from 'node:test';
import { House } from './harness.mjs';

test('the layer that comes follows the size at which it is shown', async (t) => {
  const house = new House(t);
  await house.node(['--topology', 'sfu']);
  const chromium = await house.chromium();
  await house.member(chromium, 'Ada', '&video=640x360x15');
  const viewer = await house.member(chromium, 'Ben');
  await viewer.sees(['Ada'], { path: 'node' });
  await viewer.until('gets the large layer', heightIs, { argument: 360, timeout: 60_000 });
  await viewer.page.setViewportSize({ width: 320, height: 420 });
  await viewer.until('gets the small layer', heightIs, { argument: 180 });
  await viewer.page.setViewportSize({ width: 960, height: 600 });
  await viewer.until('gets the large layer again', heightIs, { argument: 360 });
});

function heightIs(height) {
  return window.motet.quality().Ada.camera.video?.height === height;
}
