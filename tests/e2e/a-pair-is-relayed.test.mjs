import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, CHROMIUM, House, othersOf } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';

for (const browser of /** @type {const} */ (['chromium', 'firefox'])) {
  test(`two ${browser} that do not reach each other meet at the node's relay`, { skip: isMissing() }, async (t) => {
    const house = new House(t);
    const network = new Network(t, { other: true });
    await house.node(['--http-listen', `${NODE}:0`, '--media-ip', NODE], network.wrap('node', BINARY));
    network.separate();
    const open = async (side, name) => house.member(await launch(house, network, browser, side), name);
    const members = [await open('other', 'Ada'), await open('client', 'Ben')];
    await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
    for (const member of members) {
      await member.until('knows its way', wayOfTheOther);
      assert.deepEqual(await member.ask(wayOfTheOther), { local: 'relay', protocol: 'udp' });
      assert.deepEqual(await member.ask(() => window.motet.exceptions), []);
    }
  });
}

function launch(house, network, browser, side) {
  if (browser === 'chromium') return house.chromium({ executablePath: network.wrap(side, CHROMIUM) });
  return house.firefox(network.wrap(side, process.env.FIREFOX ?? '/usr/bin/firefox-esr'));
}

/** In the page: how what comes of the other member travels; nothing while that is not known. */
function wayOfTheOther() {
  const others = Object.values(window.motet.quality()).filter(({ id }) => id !== window.motet.you);
  const { local, protocol } = others[0]?.camera?.connection ?? {};
  return local ? { local, protocol } : null;
}
