// A TCP proxy before the node that can lose its connections, as networks do. Media go past it.

import { connect, createServer } from 'node:net';

export class Proxy {
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();
  #isCut = false;
  #server;
  url = '';
  /** Bytes that passed towards the browser since the connections were stalled last. */
  passed = 0;

  /** @param {string} url of the node */
  constructor(url) {
    const { hostname, port } = new URL(url);
    this.#server = createServer((near) => {
      if (this.#isCut) return near.destroy();
      const far = connect(Number(port), hostname);
      far.on('data', ({ length }) => (this.passed += length));
      for (const [one, other] of [[near, far], [far, near]]) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  /** @returns {Promise<string>} where it listens */
  async open() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(null)));
    this.url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (this.#server.address()).port}`;
    return this.url;
  }

  /** Loses every connection, and lets none in until it is mended. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend() {
    this.#isCut = false;
  }

  /** Connections stay, but nothing passes any more. */
  stall() {
    this.passed = 0;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
