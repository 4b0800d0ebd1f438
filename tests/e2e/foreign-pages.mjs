// Serves pages of another origin than the node's, with packages of npm in them that nobody here wrote.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire, isBuiltin } from 'node:module';

/** What a package asks for and never uses as long as its own options for it are not given: advertisements. */
const ABSENT = ['@eyevinn/csai-manager'];
const SCRIPT = { 'content-type': 'text/javascript' };
// Chromium says nothing of how loud it is in a muted element.
const PAGE = '<!doctype html><title>Somebody else’s page</title><video autoplay playsinline width="320"></video>';

export class ForeignPages {
  #server = createServer(({ url = '/' }, response) => {
    const [, folder, ...rest] = url.split('/');
    if (folder === 'packages') response.writeHead(200, SCRIPT).end(bundle(rest.join('/')));
    else if (folder === 'http-session.js') response.writeHead(200, SCRIPT).end(readFileSync(new URL(folder, import.meta.url)));
    else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
  });

  /** Its origin. */
  url = '';

  async open() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(null)));
    this.url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (this.#server.address()).port}`;
    return this;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/**
 * A package of CommonJS modules, as one module whose default export is the package's.
 *
 * @param {string} name
 */
function bundle(name) {
  const modules = new Map();
  const entry = add(createRequire(import.meta.url).resolve(name), modules);
  const texts = [...modules].map(
    ([path, { source, needs }]) => `${JSON.stringify(path)}: [${JSON.stringify(needs)}, function (module, exports, require) {${source}\n}],`,
  );
  return `const modules = {\n${texts.join('\n')}\n};
const loaded = {};
function load(path) {
  if (!path) return {};
  if (!loaded[path]) {
    const module = (loaded[path] = { exports: {} });
    const [needs, run] = modules[path];
    run.call(module.exports, module, module.exports, (name) => load(needs[name]));
  }
  return loaded[path].exports;
}
export default load(${JSON.stringify(entry)});
`;
}

/** Adds a module and all that it requires. */
function add(path, modules) {
  if (modules.has(path)) return path;
  const source = readFileSync(path, 'utf8');
  const needs = {};
  modules.set(path, { source, needs });
  const { resolve } = createRequire(path);
  for (const [, name] of source.matchAll(/\brequire\(['"]([^'"]+)['"]\)/g)) {
    // `events` is a part of Node.js, and a package for pages.
    if (!ABSENT.includes(name)) needs[name] = add(resolve(isBuiltin(name) ? `${name}/` : name), modules);
  }
  return path;
}
