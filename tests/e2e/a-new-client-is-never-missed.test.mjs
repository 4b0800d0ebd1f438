import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

/** Where each browser finds the node: at the root, and below a path that the proxy takes away. */
const BELOW = { chromium: '/motet', firefox: '' };
const CHANGED = '/strings/en.js';

/**
 * The node under an address at which its files can be changed, and which can be shut.
 */
class Front {
  word = 'New room';
  #node;
  #below;
  #server;

  constructor(node, below) {
    this.#node = node;
    this.#below = below;
  }

  async open(port = 0) {
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}${this.#below}`;
  }

  shut() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request, response) {
    const known = request.headers['if-none-match'];
    if (!request.url.startsWith(`${this.#below}/`)) return response.writeHead(404).end();
    const path = request.url.slice(this.#below.length);
    const isChanged = path === CHANGED;
    const answer = await fetch(`${this.#node}${path}`, { headers: known && !isChanged ? { 'if-none-match': known } : {} });
    const headers = Object.fromEntries(answer.headers);
    delete headers['content-length'];
    delete headers['transfer-encoding'];
    if (!isChanged) {
      response.writeHead(answer.status, headers);
      return response.end(Buffer.from(await answer.arrayBuffer()));
    }
    // As the node does: a tag that follows what is in the file.
    const etag = `"${Buffer.from(this.word).toString('hex')}"`;
    if (known === etag) return response.writeHead(304, { ...headers, etag }).end();
    const text = (await answer.text()).replaceAll("newRoom: 'New room'", `newRoom: '${this.word}'`);
    response.writeHead(200, { ...headers, etag });
    response.end(text);
  }
}

const BROWSERS = {
  chromium: async (house) => (await house.chromium()).newPage(),
  firefox: async (house) => (await house.firefox()).newPage(),
};

for (const [browser, open] of Object.entries(BROWSERS)) {
  test(`${browser}: a reload shows what the node has now, and without the node says so`, async (t) => {
    const house = new House(t);
    const below = BELOW[browser];
    await house.node(['--base-path', below]);
    const front = new Front(house.url, below);
    await front.open();
    t.after(() => front.shut());
    const page = await open(house);
    const shown = () => page.evaluate(() => document.querySelector('.home .primary')?.textContent);
    const until = async (what, question) => {
      for (const deadline = Date.now() + 15_000; Date.now() < deadline; await sleep(100)) {
        if (await question().catch(() => false)) return;
      }
      assert.fail(`not yet: ${what}`);
    };

    await page.goto(`${front.url}/`);
    await until('the service worker is in charge', () => page.evaluate(() => Boolean(navigator.serviceWorker.controller)));
    await page.reload();
    await until('the first word', async () => (await shown()) === 'New room');

    const ways = await page.evaluate(async (module) => {
      const { at, webSocketUrl } = await import(module);
      const links = [...document.querySelectorAll('a[href]')].map(({ href }) => href);
      return { socket: String(webSocketUrl()), room: at('r/a'), links };
    }, `${below}/base.js`);
    assert.equal(ways.socket, `${front.url.replace('http', 'ws')}/ws`);
    assert.equal(ways.room, `${below}/r/a`);
    assert.ok(ways.links.length > 0 && ways.links.every((link) => link.startsWith(`${front.url}/`)), String(ways.links));

    front.word = 'Another room';
    await page.reload();
    await until('the new word', async () => (await shown()) === 'Another room');

    const kept = await page.evaluate(async () => {
      const names = await caches.keys();
      const all = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)));
      return all.flat().sort();
    });
    assert.deepEqual(kept, ['/icon.svg', '/offline.css', '/offline.html', '/offline.js'].map((path) => below + path), 'no page or module of the client is kept');

    await front.shut();
    await page.reload();
    await until('the offline page', () => page.evaluate(() => document.querySelector('section:not([hidden]) h1')?.textContent === 'The node cannot be reached'));
    const styled = await page.evaluate(() => getComputedStyle(document.body).display);
    assert.equal(styled, 'grid', 'its style sheet is there too');

    await front.open(front.port);
    await page.evaluate(() => document.querySelector('section:not([hidden]) button').click());
    await until('the client is back', async () => (await shown()) === 'Another room');
  });
}
