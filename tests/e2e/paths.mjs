// Which way the media of two members take who are behind NATs.

import { bridge } from './bridge.mjs';
import { CHROMIUM, FIREFOX } from './harness.mjs';

/**
 * A browser at a place of a network, whose pages can be asked for the way of the other.
 *
 * @param {import('./harness.mjs').House} house
 * @param {import('./namespaces.mjs').Namespaces} network
 * @param {string} place
 * @param {boolean} isFirefox rather than Chromium
 */
export async function browserAt(house, network, place, isFirefox = false) {
  const browser = await (isFirefox ? firefoxIn : chromiumAt)(house, network, place);
  return prepared(browser, watchConnections);
}

function chromiumAt(house, network, place) {
  return house.chromium({ executablePath: network.wrap(place, CHROMIUM) });
}

/** What leads it listens in its own namespace. Cameras open on https and on localhost alone, or not. */
export async function firefoxIn(house, network, place) {
  const debuggingPort = await bridge({ after: (closer) => house.atEnd(closer) }, network.entry(place));
  const extraPrefsFirefox = {
    'media.devices.insecure.enabled': true,
    'media.getusermedia.insecure.enabled': true,
    'dom.securecontext.allowlist': new URL(house.url).hostname,
  };
  return house.firefox({ executablePath: network.wrap(place, FIREFOX), debuggingPort, extraPrefsFirefox });
}

/**
 * A browser in whose pages these run before anything else; they may ask `window.isOfMesh`.
 *
 * @param {{newPage: () => Promise<any>}} browser
 * @param {(() => void)[]} scripts
 */
export function prepared(browser, ...scripts) {
  return {
    newPage: async () => {
      const page = await browser.newPage();
      for (const script of [discern, ...scripts]) await (page.addInitScript ? page.addInitScript(script) : page.evaluateOnNewDocument(script));
      return page;
    },
  };
}

/** In the page: tells the connections of the mesh from the one to the node, which asks no server over UDP. */
function discern() {
  window.isOfMesh = (configuration) =>
    (configuration?.iceServers ?? []).flatMap(({ urls }) => urls).some((url) => !url.endsWith('transport=tcp'));
}

/** In the page: notes the connections of the mesh. */
function watchConnections() {
  const Original = window.RTCPeerConnection;
  window.meshConnections = [];
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      super(configuration);
      if (!window.isOfMesh(configuration)) return;
      const entry = { connection: this, madeAt: Date.now(), connectedAt: 0 };
      window.meshConnections.push(entry);
      this.addEventListener('iceconnectionstatechange', () => {
        if (['connected', 'completed'].includes(this.iceConnectionState)) entry.connectedAt ||= Date.now();
      });
    }
  };
}

/**
 * In the page: what is known about the one other member. `type` is that of our own candidate towards the other, or
 * towards the node where the node serves us; `over` by which protocol we reach our relay if it is one, or `tcp` for ICE over TCP.
 */
export async function wayOfTheOther() {
  const other = Object.values(window.motet.quality()).find(({ id, camera }) => id !== window.motet.you && camera);
  const { first = 0 } = Object.entries(window.recorder.read()).find(([id]) => id !== window.motet.you)?.[1] ?? {};
  const way = {
    path: other?.camera.path ?? '',
    frames: other?.camera.video?.framesDecoded ?? 0,
    shownAt: first && performance.timeOrigin + first,
    madeAt: window.meshConnections[0]?.madeAt ?? 0,
    connectedAt: 0,
    type: '',
    remote: '',
    over: '',
  };
  if (way.path === 'node') {
    const { local, remote, protocol, relayProtocol } = other.camera.connection;
    return { ...way, type: local, remote, over: relayProtocol || (protocol === 'tcp' ? 'tcp' : '') };
  }
  const entry = window.meshConnections.find(({ connection, connectedAt }) => connectedAt && connection.connectionState !== 'closed');
  if (!entry) return way;
  const report = await entry.connection.getStats();
  const entries = [...report.values()];
  const transport = entries.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  // Firefox has no transport entry.
  const pair = transport ? report.get(transport.selectedCandidatePairId) : entries.find(({ type, selected }) => type === 'candidate-pair' && selected);
  const local = report.get(pair?.localCandidateId);
  way.connectedAt = entry.connectedAt;
  way.type = local?.candidateType ?? '';
  way.remote = report.get(pair?.remoteCandidateId)?.candidateType ?? '';
  if (way.type === 'relay') way.over = local.relayProtocol ?? '';
  return way;
}
