// A network that lets no UDP through, and one that lets nothing through but TLS to the node's one port:
// media takes TURN over TCP, or over TLS, to other members and to the node.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bridge } from './bridge.mjs';
import { all, BINARY, CHROMIUM, FIREFOX, House, othersOf } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';
import { prepared } from './paths.mjs';

/** The node's, in its certificate and nowhere else: Firefox does TLS for TURN by name alone. */
const NAME = 'node.test';
/** The fifth to the eighth byte of a STUN message, and so of a TURN allocation outside of TLS. */
const TURN_IN_THE_CLEAR = 'meta l4proto tcp @ih,32,32 0x2112a442';
/** The same behind a length, as ICE over TCP begins. */
const ICE_IN_THE_CLEAR = 'meta l4proto tcp @ih,48,32 0x2112a442';

/** By which Ben sees Ada, in statistics and in the words of the page. */
const RELAYED_OVER_TCP = { way: /^relay .* by tcp$/, words: /relayed over TCP/ };
const RELAYED_OVER_TLS = { way: /^relay .* by tls$/, words: /relayed over TLS/ };
const ICE_OVER_TCP = { way: /^(host|prflx) tcp by no relay$/, words: /direct.* · TCP/ };

const BROWSERS = { Chromium: { open: openChromium }, Firefox: { open: openFirefox } };
const MODES = { mesh: 'another member', sfu: 'the node' };

for (const [browser, { open }] of Object.entries(BROWSERS)) {
  for (const [mode, whom] of Object.entries(MODES)) {
    test(`without UDP ${browser} reaches ${whom} by TCP`, { skip: isMissing() }, async (t) => {
      const { house, network } = await begin(t, mode, ['--http-listen', `${NODE}:0`]);
      network.block('meta l4proto udp', ICE_IN_THE_CLEAR);
      await meet(house, network, { open, mode, way: RELAYED_OVER_TCP });
    });

    test(`with nothing but TLS ${browser} reaches ${whom}`, { skip: isMissing() }, async (t) => {
      const { house, network, authority } = await beginWithTlsAlone(t, mode);
      await meet(house, network, { open, mode, way: RELAYED_OVER_TLS, authority });
    });
  }

  test(`without UDP and without a relay ${browser} reaches the node by ICE over TCP`, { skip: isMissing() }, async (t) => {
    const { house, network } = await begin(t, 'sfu', ['--http-listen', `${NODE}:0`, '--turn', 'off']);
    network.block('meta l4proto udp');
    await meet(house, network, { open, mode: 'sfu', way: ICE_OVER_TCP });
  });
}

test('with nothing but TLS Firefox is served over the node where no relay leads to the other', { skip: isMissing() }, async (t) => {
  const { house, network, authority } = await beginWithTlsAlone(t, 'auto');
  const test = { after: (closer) => house.atEnd(closer) };
  const chromium = await openChromium(house, network, 'other', { authority });
  const ada = await house.member(prepared(chromium, withoutServers), 'Ada');
  const ben = await house.member(await openFirefox(house, network, 'client', { authority, test }), 'Ben');
  const members = [ada, ben];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
  await knowsItsWay(ben, RELAYED_OVER_TLS);
  for (const member of members) {
    const exceptions = await member.ask(() => window.motet.exceptions.map(({ path, reason }) => ({ path, reason })));
    assert.deepEqual(exceptions, [{ path: 'node', reason: 'pairFailed' }]);
  }
});

/** In the page: there is no relay towards other members. */
function withoutServers() {
  const Original = window.RTCPeerConnection;
  const bare = (configuration) => (window.isOfMesh(configuration) ? { ...configuration, iceServers: [] } : configuration);
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      super(bare(configuration));
    }
    setConfiguration(configuration) {
      super.setConfiguration(bare(configuration));
    }
  };
}

async function beginWithTlsAlone(t, mode) {
  const authority = makeAuthority();
  const files = ['--tls', 'files', '--tls-cert', authority.cert, '--tls-key', authority.key, '--domain', NAME];
  const { house, network } = await begin(t, mode, ['--http-listen', `${NODE}:443`, ...files]);
  house.url = `https://${NAME}`;
  network.block('meta l4proto udp', 'tcp dport != 443', TURN_IN_THE_CLEAR, ICE_IN_THE_CLEAR);
  return { house, network, authority };
}

async function begin(t, mode, flags) {
  const house = new House(t);
  const network = new Network(t, { other: true });
  await house.node([...flags, '--media-ip', NODE, '--topology', mode], network.wrap('node', BINARY));
  return { house, network };
}

/** Ada is free to use UDP, Ben is not. */
async function meet(house, network, { open, mode, way, authority }) {
  const test = { after: (closer) => house.atEnd(closer) };
  const ada = await house.member(await openChromium(house, network, 'other', { authority, test }), 'Ada');
  const ben = await house.member(await open(house, network, 'client', { authority, test }), 'Ben');
  const members = [ada, ben];
  await all(members, (member) => member.sees(othersOf(members, member), { path: mode === 'sfu' ? 'node' : 'mesh' }));
  await knowsItsWay(ben, way);
  // In a mesh the connection to the node is up as well, so that the room can move there.
  await all(members, (member) => member.until('reaches the node', () => window.motet.connections.node === 'connected'));
  assert.deepEqual(await ben.ask(() => window.motet.exceptions), []);
  assert.ok(network.blocked()[0] > 0, 'UDP was tried');
}

/** By statistics, and in the panel with what there is to know of the other. */
async function knowsItsWay(member, { way, words }) {
  assert.match(await member.until('knows its way', () => window.wayOfTheOther()), way);
  await member.ask(() => document.querySelector('[data-tool=people]').click());
  await member.until('lists the other', () => document.querySelectorAll('.panel .who').length === 2);
  await member.ask(() => [...document.querySelectorAll('.panel .who')].find((who) => who.textContent.includes('Ada')).click());
  const shown = () => document.querySelector('.panel dl')?.innerText;
  assert.match(await member.until('shows how they are connected', shown), words);
}

/** In the page: our end of the connection by which the other member is seen; nothing while it is not known. */
function help() {
  window.wayOfTheOther = () => {
    const others = Object.values(window.motet.quality()).filter(({ id }) => id !== window.motet.you);
    const { local, protocol, relayProtocol } = others[0]?.camera?.connection ?? {};
    return local && `${local} ${protocol} by ${relayProtocol || 'no relay'}`;
  };
}

async function openChromium(house, network, side, { authority }) {
  // For a relay it asks with a dot at the end, and waits eight seconds for a name server that is not there.
  const names = [NAME, `${NAME}.`].map((name) => `MAP ${name} ${NODE}`);
  const args = authority ? ['--ignore-certificate-errors', `--host-resolver-rules=${names}`] : [];
  const browser = await house.chromium({ executablePath: network.wrap(side, CHROMIUM), args });
  return helped(browser, 'addInitScript');
}

/** What leads it listens in its own namespace. */
async function openFirefox(house, network, side, { authority, test }) {
  const debuggingPort = await bridge(test, network.entry(side));
  const profile = mkdtempSync(join(tmpdir(), 'motet-'));
  if (authority) trust(profile, authority.root);
  const executablePath = network.wrap(side, FIREFOX);
  const extraPrefsFirefox = authority ? { 'network.dns.forceResolve': NODE } : insecurely(house.url);
  const browser = await house.firefox({ executablePath, debuggingPort, userDataDir: profile, extraPrefsFirefox });
  return helped(browser, 'evaluateOnNewDocument');
}

/** Cameras open on https and on localhost alone. */
function insecurely(url) {
  return { 'media.devices.insecure.enabled': true, 'media.getusermedia.insecure.enabled': true, 'dom.securecontext.allowlist': new URL(url).hostname };
}

function helped(browser, method) {
  const newPage = async () => {
    const page = await browser.newPage();
    await page[method](help);
    return page;
  };
  return { newPage };
}

/** A certificate authority of the test's own, and a certificate of it for the node's address. */
function makeAuthority() {
  const folder = mkdtempSync(join(tmpdir(), 'motet-'));
  const [root, rootKey, cert, key, request, extensions] = ['root.pem', 'root.key', 'cert.pem', 'key.pem', 'request.pem', 'extensions'].map((name) =>
    join(folder, name),
  );
  const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', rootKey, '-out', root, '-days', '2', '-subj', '/CN=Test root');
  openssl('req', ...curve, '-keyout', key, '-out', request, '-subj', '/CN=node');
  writeFileSync(extensions, `subjectAltName=DNS:${NAME}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`);
  openssl('x509', '-req', '-in', request, '-CA', root, '-CAkey', rootKey, '-CAcreateserial', '-out', cert, '-days', '2', '-extfile', extensions);
  return { root, cert, key };
}

/** Firefox keeps whom it trusts in its profile; `certutil` is in Debian's libnss3-tools. */
function trust(profile, root) {
  mkdirSync(profile, { recursive: true });
  const certutil = (...args) => execFileSync('certutil', ['-d', `sql:${profile}`, ...args], { stdio: 'ignore' });
  certutil('-N', '--empty-password');
  certutil('-A', '-n', 'Test root', '-t', 'C,,', '-i', root);
}
