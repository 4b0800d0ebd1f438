import assert from 'node:assert/strict';
import test from 'node:test';
import { House } from './harness.mjs';

// The flag that answers permission questions also picks a made-up screen of 1280x720.
for (const [where, flags, path] of [['in a mesh', [], 'mesh'], ['over the node', ['--topology', 'sfu'], 'node']]) {
  test(`a screen is shared beside the camera ${where}`, async (t) => {
    const house = new House(t);
    await house.node(flags);
    const chromium = await house.chromium();
    const ada = await house.member(chromium, 'Ada');
    const ben = await house.member(chromium, 'Ben');
    await ben.sees(['Ada'], { path });

    await ada.press('screen');
    await ben.until('decodes the screen', (path) => {
      const { screen } = window.motet.quality().Ada;
      return screen?.path === path && screen.video?.framesDecoded > 5;
    }, { argument: path });
    await ben.until('shows it large', () => document.querySelector('.tile.screen video:not(.coming)'));
    await ben.sees(['Ada'], { path });
    await house.photograph();

    await ada.press('screen');
    await ben.until('has its tile no longer', () => !document.querySelector('.tile.screen'));
    assert.equal(await ben.ask(() => window.motet.members.find(({ name }) => name === 'Ada').published.length), 2);
  });
}
