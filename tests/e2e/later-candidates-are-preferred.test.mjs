import assert from 'node:assert/strict';
import test from 'node:test';
import { withRaisedPriority } from '../../web/candidates.js';

// As Chromium gives them.
const CANDIDATES = {
  host: 'candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host',
  hostOfAnotherNetwork: 'candidate:1 1 udp 2122129151 198.51.100.1 50000 typ host',
  reflexive: 'candidate:2 1 udp 1685921535 203.0.113.1 50000 typ srflx raddr 192.0.2.1 rport 50000',
  relayed: 'candidate:3 1 udp 58531839 203.0.113.2 50000 typ relay raddr 203.0.113.1 rport 50000',
};

const priority = (candidate, restarts) => Number(withRaisedPriority(candidate, restarts).split(' ')[3]);

test('the same kind of candidate is preferred from restart to restart, over any network', () => {
  for (let restarts = 0; restarts < 208; restarts += 1) {
    for (const candidate of Object.values(CANDIDATES)) assert.ok(priority(candidate, restarts + 1) > priority(candidate, restarts));
    assert.ok(priority(CANDIDATES.hostOfAnotherNetwork, restarts + 1) > priority(CANDIDATES.host, restarts));
  }
});

test('among those of one restart the order stays', () => {
  for (let restarts = 0; restarts < 300; restarts += 1) {
    const priorities = Object.values(CANDIDATES).map((candidate) => priority(candidate, restarts));
    assert.deepEqual(priorities, priorities.toSorted((one, other) => other - one));
    assert.ok(priorities.every((value) => value >= 1 && value < 2 ** 31));
  }
});

test('in a whole description too, and nothing else changes', () => {
  const sdp = `v=0\r\na=${CANDIDATES.host}\r\na=${CANDIDATES.relayed}\r\na=end-of-candidates\r\n`;
  assert.equal(withRaisedPriority(sdp, 208), sdp);
  const raised = withRaisedPriority(sdp, 3);
  assert.equal(raised.split('\r\n').length, sdp.split('\r\n').length);
  assert.ok(raised.includes(withRaisedPriority(CANDIDATES.relayed, 3)));
});
