import { exposeForTests } from './hook.js';
import { LocalMedia } from './media.js';
import { Room } from './motet.js';
import { readQuery } from './query.js';
import { errors, reasons, strings } from './strings.js';
import { Call, deviceProblem } from './ui/call.js';
import { endedPage, homePage } from './ui/home.js';

/**
 * @import { Entry } from './ui/home.js'
 */

const app = /** @type {HTMLElement} */ (document.getElementById('app'));
const query = readQuery(location.search);

/** @returns {string} the room that the address names, or nothing */
function roomInAddress() {
  const match = /^\/r\/([^/]+)\/?$/.exec(location.pathname);
  try {
    return match?.[1] ? decodeURIComponent(match[1]) : '';
  } catch {
    return '';
  }
}

function start() {
  const room = roomInAddress();
  if (room && query.join) {
    enter({ room, name: query.name || strings.guest, microphone: query.audio, camera: query.video !== null });
  } else {
    showHome('');
  }
}

/** @param {string} problem */
function showHome(problem) {
  document.title = strings.product;
  app.replaceChildren(homePage({ room: roomInAddress(), problem, enter }));
}

/** @param {Entry} entry */
async function enter(entry) {
  const path = `/r/${encodeURIComponent(entry.room)}`;
  if (decodeURIComponent(location.pathname) !== decodeURIComponent(path)) history.pushState(null, '', path);
  document.title = `${entry.room} · ${strings.product}`;
  const media = new LocalMedia(query.video ?? undefined);
  const url = new URL('/ws', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const room = new Room({ url, room: entry.room, name: entry.name, media, seats: query.seats, sfuOnly: query.sfuOnly });
  exposeForTests(room);
  const call = new Call(room, entry.room);
  app.replaceChildren(call.element);
  room.on('ended', ({ reason, error }) => {
    media.close();
    const title = error ? strings.couldNotJoin : strings.ended;
    const text = error ? errors[error.code] : reason ? reasons[reason] : '';
    app.replaceChildren(endedPage({ title: reason === 'left' || error ? title : text, text, again: () => enter(entry) }));
  });
  const missing = await media.open(entry);
  if (missing.microphone && missing.camera) call.notice(deviceProblem('both', missing.camera));
  else if (missing.microphone) call.notice(deviceProblem('microphone', missing.microphone));
  else if (missing.camera) call.notice(deviceProblem('camera', missing.camera));
  await room.join();
}

window.addEventListener('popstate', () => location.reload());
start();
