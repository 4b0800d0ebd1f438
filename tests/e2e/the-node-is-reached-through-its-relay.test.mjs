import assert from 'node:assert/strict';
import test from 'node:test';
import { all, House, othersOf } from './harness.mjs';
import { prepared } from './paths.mjs';

// What a browser does whose owner allows relays alone, as some companies do. The node hands such media to
// itself, in memory.
for (const kind of ['chromium', 'firefox']) {
  test(`a ${kind} that may use nothing but a relay sends its media to the node through it`, async (t) => {
    const house = new House(t);
    await house.node(['--topology', 'sfu']);
    const free = await house.chromium();
    const bound = prepared(kind === 'firefox' ? await house.firefox() : free, relayToTheNode);
    const members = [await house.member(free, 'Ada'), await house.member(bound, 'Ben')];
    await all(members, (member) => member.sees(othersOf(members, member), { path: 'node', frames: 45 }));
    const [, ben] = members;
    // The first statistics of a connection may name a candidate that was not chosen.
    await ben.until('goes by the relay alone', () => {
      const locals = Object.values(window.motet.quality()).flatMap(({ camera }) => camera?.connection.local || []);
      return locals.length > 0 && locals.every((type) => type === 'relay');
    });
    const metrics = await (await house.api('/metrics')).text();
    const relayed = Number(/^motet_relay_packets_total (\d+)$/m.exec(metrics)[1]);
    assert.ok(relayed > 100, `${relayed} packets were relayed`);
    t.diagnostic(`${relayed} packets were relayed`);
  });
}

/** In the page: the connection to the node has the relay that is meant for the mesh, and nothing else. */
function relayToTheNode() {
  let iceServers = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...options) {
      super(...options);
      // Before whoever listens to it otherwise.
      this.addEventListener('message', ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'joined') iceServers = overUdp(message.iceServers);
      });
    }
  };
  const overUdp = (servers) =>
    servers.filter(({ credential }) => credential).map((server) => ({ ...server, urls: server.urls.filter((url) => url.endsWith('transport=udp')) }));
  const Connection = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Connection {
    constructor(configuration) {
      super(window.isOfMesh(configuration) ? configuration : { ...configuration, iceServers, iceTransportPolicy: 'relay' });
    }
  };
}
