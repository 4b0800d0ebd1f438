import { followAppearance } from './appearance.js';
import { at, ownPath } from './base.js';
import { LocalMedia } from './media.js';
import { keepOwnerKey, keyInFragment, linkTo, newOwnerKey, offerOwnerKey, ownerKeysFor } from './owner.js';
import { devicesFor, readQuery } from './query.js';
import { settings } from './settings.js';
import { strings, usePreferredLanguage } from './strings.js';
import { endedPage } from './ui/ended.js';
import { homePage, newRoomName } from './ui/home.js';
import { PrejoinPage } from './ui/prejoin.js';
import { titleOf, Visit } from './visit.js';

/**
 * @import { Ending } from './ui/ended.js'
 *
 * @typedef {object} Entry how one goes into a room
 * @property {string} room
 * @property {string} name
 * @property {LocalMedia} media
 * @property {{microphone: boolean, camera: boolean}} [wanted] devices that are not open yet
 * @property {boolean} [isByLink] a link brought them here, without a click
 * @property {string[]} [ownerKeys] what may make them the owner, in the order in which it is tried
 */

const app = /** @type {HTMLElement} */ (document.getElementById('app'));
const query = readQuery(location.search);
/** Owner's keys that the browser did not keep. @type {Map<string, string>} */
const keys = new Map();
/** Draws what is shown once more, in another language; nothing for the page of a room. @type {(() => void) | null} */
let redraw = null;

/** @returns {string} the room that the address names, or nothing */
function roomInAddress() {
  const match = /^r\/([^/]+)\/?$/.exec(ownPath());
  try {
    return match?.[1] ? decodeURIComponent(match[1]) : '';
  } catch {
    return '';
  }
}

function start() {
  const room = roomInAddress();
  if (!room) return new URLSearchParams(location.search).has('new') ? create() : showHome();
  takeKey(room);
  if (!query.join) return showPrejoin(room, ownMedia());
  const mayOpen = 'kiosk' in document.documentElement.dataset || settings.get('openByLink');
  enter({ room, name: query.name || strings.guest, media: ownMedia(), wanted: devicesFor(query, mayOpen), isByLink: !mayOpen && (query.audio || query.video !== null) });
}

/**
 * Takes the owner's key out of the address, so that nobody hands it on with the address by mistake; it
 * stays there where the browser keeps nothing, or a reload would lose it.
 *
 * @param {string} room
 * @param {(room: string, key: string) => boolean} [keep] anybody can make a link: what it holds is only tried
 */
function takeKey(room, keep = offerOwnerKey) {
  const key = keyInFragment(location.hash);
  if (!key) return;
  keys.set(room, key);
  if (keep(room, key)) history.replaceState(null, '', location.pathname + location.search);
}

function showHome() {
  document.title = titleOf('');
  redraw = showHome;
  app.replaceChildren(homePage({ create, go }));
}

function create() {
  const room = newRoomName();
  const key = newOwnerKey();
  history.pushState(null, '', linkTo(room, key));
  takeKey(room, keepOwnerKey);
  showPrejoin(room, ownMedia());
}

/** @param {string} room */
function go(room) {
  history.pushState(null, '', linkTo(room));
  showPrejoin(room, ownMedia());
}

/**
 * @param {string} room
 * @param {LocalMedia} media
 */
function showPrejoin(room, media) {
  document.title = titleOf(room);
  const join = (/** @type {string} */ name, /** @type {boolean} */ withDevices) => {
    page.close();
    if (!withDevices) media.close();
    enter({ room, name, media: withDevices ? media : ownMedia() });
  };
  const page = new PrejoinPage({ room, ownerKey: keysOf(room)[0] ?? '', media, join });
  redraw = () => {
    page.close();
    showPrejoin(room, media);
  };
  app.replaceChildren(page.element);
  page.open();
}

/** @param {Entry} entry */
function enter({ room, name, media, wanted, isByLink = false, ownerKeys = keysOf(room) }) {
  document.title = titleOf(room);
  const visit = new Visit({
    room,
    name,
    ownerKeys,
    owned: (key) => keepOwnerKey(room, key),
    media,
    query,
    show: (page, again) => {
      redraw = again;
      app.replaceChildren(page);
    },
    ended: (ending) => showEnded(ending, { room, name, media }),
    retry: (ownerKeys) => enter({ room, name, media, ownerKeys }),
  });
  visit.begin({ wanted, isByLink });
}

/**
 * @param {Ending} ending
 * @param {Entry} entry
 */
function showEnded(ending, { room, name, media }) {
  const wanted = { microphone: media.isOn('microphone'), camera: media.isOn('camera') };
  media.close();
  const again = () => {
    if (ending.error?.code === 'badName') showPrejoin(room, ownMedia());
    else enter({ room, name, media: ownMedia(), wanted });
  };
  const draw = () => app.replaceChildren(endedPage(ending, again));
  redraw = draw;
  // What was chosen in the room holds from here on.
  usePreferredLanguage();
  draw();
}

/** @param {string} room */
function keysOf(room) {
  return [...new Set([...ownerKeysFor(room), keys.get(room) ?? ''])].filter(Boolean);
}

/** The own devices, as they were chosen. */
function ownMedia() {
  const media = new LocalMedia(query.video ?? undefined);
  media.preferDevice('microphone', settings.get('microphoneId'));
  media.preferDevice('camera', settings.get('cameraId'));
  const [echoCancellation, noiseSuppression, autoGainControl] = [settings.get('echoCancellation'), settings.get('noiseSuppression'), settings.get('autoGainControl')];
  media.process({ echoCancellation, noiseSuppression, autoGainControl });
  return media;
}

/** Only on secure pages; nothing depends on it. */
function registerServiceWorker() {
  if (globalThis.isSecureContext) navigator.serviceWorker?.register(at('service-worker.js')).catch(() => {});
}

settings.on('change', ({ language }) => {
  if (language === undefined || !redraw) return;
  usePreferredLanguage();
  redraw();
});
window.addEventListener('popstate', () => location.reload());
followAppearance();
start();
registerServiceWorker();
