import assert from 'node:assert/strict';
import test from 'node:test';
import { all, BINARY, CHROMIUM, House, othersOf } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';

test('two Chromium that do not reach each other meet at the relay of the node', { skip: isMissing() }, async (t) => {
  const house = new House(t);
  const network = new Network(t, { other: true });
  await house.node(['--http-listen', `${NODE}:0`, '--media-ip', NODE], network.wrap('node', BINARY));
  network.separate();
  const open = async (side, name) => house.member(await house.chromium({ executablePath: network.wrap(side, CHROMIUM) }), name);
  await meetAtTheRelay([await open('other', 'Ada'), await open('client', 'Ben')]);
});

// It cannot be led from outside of a namespace, so here its pages are forbidden the direct way.
test('two Firefox that may use nothing else meet at the relay of the node', async (t) => {
  const house = new House(t);
  await house.node();
  const firefox = await house.firefox();
  const browser = {
    newPage: async () => {
      const page = await firefox.newPage();
      await page.evaluateOnNewDocument(relayOnly);
      return page;
    },
  };
  await meetAtTheRelay([await house.member(browser, 'Ada'), await house.member(browser, 'Ben')]);
});

async function meetAtTheRelay(members) {
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  for (const member of members) {
    await member.until('knows its way', wayOfTheOther);
    assert.equal(await member.ask(wayOfTheOther), 'relay');
    // On a busy machine the pair may have been given up meanwhile.
    await member.until('has no exception', () => window.motet.exceptions.length === 0);
  }
}

/** In the page: whatever has servers uses their relays alone. */
function relayOnly() {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      super(configuration?.iceServers ? { ...configuration, iceTransportPolicy: 'relay' } : configuration);
    }
  };
}

/** In the page: the type of our own candidate towards the other member; nothing while it is not known. */
function wayOfTheOther() {
  const others = Object.values(window.motet.quality()).filter(({ id }) => id !== window.motet.you);
  return others[0]?.camera?.connection.local ?? '';
}
