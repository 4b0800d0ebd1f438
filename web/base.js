// Where the node is: at the root, or below a path of its own (`--base-path`). A module knows by its own address.

const base = new URL('.', import.meta.url);

/**
 * @param {string} path below the node's own, without a slash in front
 * @returns {string} the same from the root
 */
export function at(path) {
  const url = new URL(path, base);
  return url.pathname + url.search + url.hash;
}

/** @returns {string} the path of this page, below the node's own */
export function ownPath() {
  return location.pathname.slice(base.pathname.length);
}

/** @returns {URL} of the node's WebSocket */
export function webSocketUrl() {
  const url = new URL('ws', base);
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}
