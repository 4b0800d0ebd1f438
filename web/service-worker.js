// Makes the client installable and says something when the node cannot be reached. Everything comes
// from the node, always: no page, module or style sheet is ever answered from a cache, so that a
// client never speaks with a node that is newer than itself. The one thing kept is the page that says
// that there is no connection.

const CACHE = 'motet-offline';
/** The node may be below a path of its own. @param {string} name of a file of its root */
const at = (name) => new URL(name, location.href).pathname;
const OFFLINE_PAGE = at('offline.html');
const OFFLINE = [OFFLINE_PAGE, at('offline.css'), at('offline.js'), at('icon.svg')];

const worker = /** @type {any} */ (globalThis);
/** Whether the page was asked for anew since this worker was started. */
let isFresh = false;

worker.addEventListener('install', (/** @type {any} */ event) => {
  event.waitUntil(keepOfflinePage().then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (/** @type {any} */ event) => {
  event.waitUntil(worker.clients.claim());
});

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  // What is not answered here goes to the network as if there were no service worker.
  if (request.mode === 'navigate') event.respondWith(navigate(event));
  else if (OFFLINE.includes(path)) event.respondWith(fetch(request).catch(() => kept(path)));
});

/** Takes the page as the node has it now. */
async function keepOfflinePage() {
  const cache = await caches.open(CACHE);
  await cache.addAll(OFFLINE.map((path) => new Request(path, { cache: 'no-cache' })));
  isFresh = true;
}

/** @param {any} event */
async function navigate(event) {
  try {
    const page = await fetch(event.request);
    if (!isFresh) event.waitUntil(keepOfflinePage().catch(() => {}));
    return page;
  } catch {
    return kept(OFFLINE_PAGE);
  }
}

/** @param {string} path */
async function kept(path) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? Response.error();
}
