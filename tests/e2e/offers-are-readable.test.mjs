import assert from 'node:assert/strict';
import test from 'node:test';
import { bitrateFor, cameraLayers, withoutStrayFeedback } from '../../web/codecs.js';

test('feedback lines of codecs that are not on the m-line go, all others stay', () => {
  const lines = [
    'v=0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 109',
    'a=rtcp-fb:109 transport-cc',
    'm=video 9 UDP/TLS/RTP/SAVPF 120 124',
    'a=rtcp-fb:120 nack pli',
    'a=rtcp-fb:* ccm fir',
    'a=rtcp-fb:123 nack',
    'a=rtcp-fb:12 nack',
    'a=rtpmap:120 VP8/90000',
    '',
  ];
  const kept = lines.filter((line) => !/:123 |:12 /.test(line));
  assert.equal(withoutStrayFeedback(lines.join('\r\n')), kept.join('\r\n'));
});

test('the full picture is always among the layers', () => {
  const cases = [
    { height: 180, rids: ['f'] },
    { height: 360, rids: ['h', 'f'] },
    { height: 720, rids: ['q', 'h', 'f'] },
    { height: 1080, rids: ['q', 'h', 'f'] },
  ];
  for (const { height, rids } of cases) {
    const layers = cameraLayers(height);
    assert.deepEqual(layers.map(({ rid }) => rid), rids, `${height}`);
    assert.equal(layers.at(-1).scaleResolutionDownBy, 1);
    const bitrates = layers.map(({ maxBitrate }) => maxBitrate);
    assert.deepEqual(bitrates, [...bitrates].sort((one, other) => one - other), 'lower layers cost less');
  }
  assert.ok(bitrateFor(1) > 0);
});
