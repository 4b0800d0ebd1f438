import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, othersOf } from './harness.mjs';
import { prepared } from './paths.mjs';

test('the next credentials are handed to the connections that are there, and open a relay', async (t) => {
  const house = new House(t);
  await house.node();
  const browser = prepared(await house.chromium(), relayAlone, expire);
  const members = [await house.member(browser, 'Ada'), await house.member(browser, 'Ben')];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
  for (const member of members) {
    assert.deepEqual(await member.ask(() => window.configurations), [], 'nothing was changed so far');
    await member.ask(() => window.hear({ type: 'iceServers', iceServers: window.nextServers }));
    const { known, told } = await member.ask(() => ({ known: window.configurations.at(-1)?.iceServers, told: window.nextServers }));
    assert.deepEqual(known, told);
    assert.ok(known.some(({ username, credential }) => username && credential !== 'expired'), 'there are credentials');
  }
  // What a browser says when it has a network again: a direct way is looked for at once.
  await all(members, (member) => member.ask(() => window.dispatchEvent(new Event('online'))));
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));
  for (const member of members) {
    await member.until('is relayed', () => Object.values(window.motet.quality()).some(({ camera }) => camera?.connection.local === 'relay'));
  }
});

/** In the page: the mesh may use relays alone, and what it is configured to later is noted. */
function relayAlone() {
  window.configurations = [];
  const Original = window.RTCPeerConnection;
  const alone = (configuration) => ({ ...configuration, iceTransportPolicy: 'relay' });
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      super(window.isOfMesh(configuration) ? alone(configuration) : configuration);
    }
    setConfiguration(configuration) {
      if (!window.isOfMesh(configuration)) return super.setConfiguration(configuration);
      window.configurations.push(configuration);
      super.setConfiguration(alone(configuration));
    }
  };
}

/** In the page: the first credentials are not valid any more; those that are, are kept for later. */
function expire() {
  const Original = window.WebSocket;
  window.WebSocket = class extends Original {
    get onmessage() {
      return super.onmessage;
    }
    set onmessage(listener) {
      super.onmessage = listener && ((event) => listener(new MessageEvent('message', { data: expired(event.data) })));
      window.hear = (message) => listener(new MessageEvent('message', { data: JSON.stringify(message) }));
    }
  };

  function expired(text) {
    const message = JSON.parse(text);
    if (message.type !== 'joined') return text;
    window.nextServers = message.iceServers;
    const iceServers = message.iceServers.map((server) => (server.credential ? { ...server, credential: 'expired' } : server));
    return JSON.stringify({ ...message, iceServers });
  }
}
