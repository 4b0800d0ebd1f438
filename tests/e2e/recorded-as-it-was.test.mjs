// A known picture and a known sound are recorded, over a good network and over a bad one: both are in the file,
// and they are in step.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { BadLink } from './bad-link.mjs';
import { beeps, complaints, edges, flashes, isMissing as hasNoDecoder, loudness, median } from './decoded.mjs';
import { flashAndBeep } from './flash-and-beep.js';
import { BINARY, House, sleep } from './harness.mjs';
import { Namespaces } from './namespaces.mjs';
import { isMissing as hasNoNamespaces } from './network.mjs';
import { browserAt, prepared } from './paths.mjs';
import { addSoundCard, isMissing as hasNoSound } from './sound-card.mjs';

const NODE = '10.78.0.1';
const TOKEN = 'a-secret-of-the-test';
/** The beep's, and one that it has not. */
const [BEEP_HZ, OTHER_HZ] = [1_000, 1_300];
const RECORDED_MS = 12_000;
/** By how much sound and picture may be apart (ITU-R BT.1359 finds 45 ms to be noticed at the earliest). */
const APART_MAX_MS = 40;
/** A browser that gets too little of the machine leaves out sound, and tells the node with its next sender report only. */
const TRIES = 2;
const GOOD = { delayMs: 1 };
const BAD = { loss: 5, delayMs: 40, jitterMs: 20 };
/** What is sent, by which browser, over which network; and what runs in its page before. */
const CASES = [
  ['what Chromium sends over a good network', 'Chromium', GOOD],
  ['what Chromium sends over a network that loses 5 % and jitters', 'Chromium', BAD],
  ['what Chromium sends and says when it captured it', 'Chromium', GOOD, tellCaptureTime],
  ['what Firefox sends over a good network', 'Firefox', GOOD],
  ['what Firefox sends over a network that loses 5 % and jitters', 'Firefox', BAD],
];
const skip = hasNoNamespaces() || hasNoDecoder() || hasNoSound();

for (const [what, browser, flaws, ...scripts] of CASES) {
  test(`${what} is recorded as it was`, { skip }, async (t) => {
    for (let tries = 1; ; tries += 1) {
      const { folder, roomFile, link } = await recorded(t, browser, flaws, scripts);
      t.diagnostic(`lost ${link.map(({ came, lost }) => `${lost} of ${came}`).join(', ')} packets`);
      try {
        if (flaws.loss) assert.ok(link[1].lost > 0.02 * link[1].came, 'the network was bad');
        judge(t, join(folder, roomFile));
        const films = readdirSync(folder).filter((name) => /\.(webm|mkv)$/.test(name));
        assert.ok(films.length >= 3, `${films}`);
        for (const film of films) assert.equal(complaints(join(folder, film)), '', film);
        return;
      } catch (error) {
        if (tries === TRIES) throw error;
        t.diagnostic(`once more: ${error.message}`);
      }
    }
  });
}

/** In the page: every packet stream carries abs-capture-time where the other side takes it. */
function tellCaptureTime() {
  const { addTransceiver } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (...what) {
    const transceiver = addTransceiver.apply(this, what);
    const extensions = transceiver.getHeaderExtensionsToNegotiate();
    const isMeant = ({ uri }) => uri.endsWith('/abs-capture-time');
    transceiver.setHeaderExtensionsToNegotiate(extensions.map((one) => (isMeant(one) ? { ...one, direction: 'sendrecv' } : one)));
    return transceiver;
  };
}

/** Looks at the pictures of a file, hears its sound, and compares when they were. */
function judge(t, roomFile) {
  const [left, right] = edges(roomFile, RECORDED_MS / 2_000);
  assert.ok(left[0] > 180 && left[2] < 80, `red is on the left: ${left}`);
  assert.ok(right[2] > 180 && right[0] < 80, `blue is on the right: ${right}`);
  const [seen, heard] = [flashes(roomFile), beeps(roomFile, BEEP_HZ)];
  const [beep, other] = [loudness(roomFile, BEEP_HZ), loudness(roomFile, OTHER_HZ)];
  assert.ok(beep > 0.1 && beep > 3 * other, `the beep is heard, ${beep} loud, and no other, ${other} loud`);
  const apart = seen.flatMap((flash) => heard.filter((beep) => Math.abs(beep - flash) < 0.4).map((beep) => 1_000 * (flash - beep)));
  t.diagnostic(`pictures after their sound by ${apart.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  assert.ok(apart.length >= RECORDED_MS / 1_000 - 3, `${seen.length} flashes, ${heard.length} beeps`);
  const middle = median(apart);
  assert.ok(Math.abs(middle) <= APART_MAX_MS, `pictures and sound are ${middle} ms apart`);
}

/** The folder of a recording of one member, its file of all tracks, and what became of the packets from and to the node. */
async function recorded(t, browser, flaws, scripts) {
  // Chromium has sound without one, and sooner.
  if (browser === 'Firefox') await addSoundCard(t);
  const house = new House(t);
  const network = new Namespaces(t, ['node', 'client']);
  const link = new BadLink(t, network, [['node', 'out'], ['client', 'out']], flaws);
  network.address('node', 'out', `${NODE}/24`);
  network.address('client', 'out', '10.78.0.2/24');
  network.gateway('client', NODE);
  const data = mkdtempSync(join(tmpdir(), 'motet-'));
  const flags = ['--http-listen', `${NODE}:0`, '--media-ip', NODE, '--data-dir', data, '--topology', 'sfu', '--admin-token', TOKEN];
  await house.node(flags, network.wrap('node', BINARY));
  const ada = await house.member(prepared(await browserAt(house, network, 'client', browser === 'Firefox'), flashAndBeep, ...scripts), 'Ada');
  await ada.until('sends', () => window.motet.connections.node === 'connected');
  const { id } = JSON.parse(ask(network, house, 'POST'));
  await sleep(RECORDED_MS);
  ask(network, house, 'DELETE');
  const folder = join(data, 'recordings', id);
  const made = { folder, roomFile: await roomFileOf(folder), link: await link.end() };
  await house.close();
  return made;
}

/** Says something about the recordings of the room, from beside the node. */
function ask(network, house, method) {
  const url = `${house.url}/api/rooms/${house.room}/recordings`;
  return String(network.run('node', ['curl', '-sSf', '-X', method, '-H', `authorization: Bearer ${TOKEN}`, url]));
}

/** The name of the file of all tracks, once it is written. */
async function roomFileOf(folder) {
  for (const deadline = Date.now() + 20_000; ; await sleep(200)) {
    const { roomFile } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    if (roomFile) return roomFile;
    assert.ok(Date.now() < deadline, 'no file of all tracks');
  }
}
