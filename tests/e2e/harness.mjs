// Starts the real node and real browsers, one page per member.
//
// MOTET_BIN   the node's binary; target/debug/motet otherwise
// MOTET_URL   a node that runs already with --kiosk, instead of starting one; MOTET_ADMIN_TOKEN is its token
// CHROMIUM, FIREFOX   the browsers; Debian's otherwise
//
// Cameras give 320x180 at 15 frames a second, so that five members fit on two cores. Screenshots of
// what was on the screens at the end of a test, or when it failed, are in out/.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { record } from './recorder.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const BINARY = process.env.MOTET_BIN ?? here('../../target/debug/motet');
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
/** Opens the API of the nodes that are started here. */
export const ADMIN_TOKEN = process.env.MOTET_ADMIN_TOKEN ?? 'a-token-of-the-tests';
const OUT = here('out');
const CAMERA = '320x180x15';
/** None that the system gives to a browser's socket: within the node's own addresses each stands for a relay. */
const RELAY_PORTS = '20000-20999';
const START_MS = 30_000;
export const WAIT_MS = 60_000;
const POLL_MS = 200;

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--auto-select-desktop-capture-source=Entire screen',
];

const FIREFOX_PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.peerconnection.ice.loopback': true,
};

/**
 * Everything that one test starts; `close` ends all of it.
 */
export class House {
  #closers = [];
  #members = [];
  #data = '';
  /** Of owners. @type {string[]} */
  #keys = [];

  /** @param {import('node:test').TestContext} test */
  constructor(test) {
    this.name = test.name.replace(/[^a-z0-9]+/gi, '-').toLowerCase();
    this.room = `${this.name.slice(0, 40)}-${process.pid}`;
    test.after(() => this.close());
  }

  /**
   * @param {string[]} [flags] more settings for the node
   * @param {string} [binary]
   */
  async node(flags = [], binary = BINARY) {
    if (process.env.MOTET_URL) {
      this.url = process.env.MOTET_URL;
      return;
    }
    const listen = flags.includes('--http-listen') ? [] : ['--http-listen', '127.0.0.1:0'];
    // Pages of members enter by a link, with their devices.
    const kiosk = flags.some((flag) => flag.startsWith('--kiosk')) ? [] : ['--kiosk'];
    const child = spawn(binary, [...listen, ...kiosk, '--media-port', '0', '--relay-ports', RELAY_PORTS, '--drain-seconds', '0', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.environment(),
    });
    this.log = [];
    this.#closers.push(() => end(child));
    const address = await listening(child, this.log);
    this.url = `http://${address}`;
    this.process = child;
  }

  /** For a node, which knows none of these tests' own variables: a data folder of this house, and the token. */
  environment() {
    if (!this.#data) {
      this.#data = mkdtempSync(join(tmpdir(), 'motet-'));
      this.#closers.unshift(() => rmSync(this.#data, { recursive: true, force: true }));
    }
    const { MOTET_BIN, MOTET_URL, ...rest } = process.env;
    return { RUST_LOG: 'info', MOTET_DATA_DIR: this.#data, ...rest, MOTET_ADMIN_TOKEN: ADMIN_TOKEN };
  }

  /**
   * Asks the node's API, as whoever manages it.
   *
   * @param {string} path or a whole URL
   * @param {RequestInit} [options]
   */
  api(path, options = {}) {
    return fetch(new URL(path, this.url), { ...options, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...options.headers } });
  }

  stopNode() {
    return end(this.process);
  }

  /**
   * @param {object} [options]
   * @param {boolean} [options.denied] no page may open a camera or microphone
   * @param {string} [options.executablePath]
   * @param {string[]} [options.args] more of them
   */
  async chromium({ denied = false, executablePath = CHROMIUM, args = [] } = {}) {
    const browser = await chromium.launch({
      executablePath,
      args: [
        ...CHROMIUM_FLAGS,
        ...args,
        ...(denied ? [] : ['--use-fake-ui-for-media-stream']),
        // Cameras open on https and on localhost alone.
        ...(/\/\/(localhost|127)/.test(this.url) ? [] : [`--unsafely-treat-insecure-origin-as-secure=${this.url}`]),
      ],
    });
    this.#closers.push(() => browser.close());
    return {
      newPage: async () => {
        const context = await browser.newContext({ viewport: { width: 960, height: 600 } });
        return context.newPage();
      },
    };
  }

  /** A Chromium that can be killed like a crash of the machine it runs on. */
  async mortalChromium() {
    const server = await chromium.launchServer({
      executablePath: CHROMIUM,
      args: [...CHROMIUM_FLAGS, '--use-fake-ui-for-media-stream'],
    });
    const browser = await chromium.connect(server.wsEndpoint());
    this.#closers.push(() => {
      try {
        process.kill(-server.process().pid, 'SIGKILL');
      } catch {
        // It was killed already.
      }
    });
    return {
      newPage: async () => (await browser.newContext()).newPage(),
      /** @param {NodeJS.Signals} signal to the browser and all its processes */
      kill: (signal) => process.kill(-server.process().pid, signal),
    };
  }

  /** @param {import('puppeteer-core').LaunchOptions} [options] */
  async firefox(options = {}) {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: FIREFOX,
      headless: true,
      ...options,
      extraPrefsFirefox: { ...FIREFOX_PREFERENCES, ...options.extraPrefsFirefox },
    });
    this.#closers.push(() => browser.close());
    // A window each: tabs in the background have their timers slowed down.
    return { newPage: () => browser.newPage({ type: 'window' }) };
  }

  /**
   * Opens a page that joins the room, and waits until it has.
   *
   * @param {{newPage: () => Promise<any>}} browser
   * @param {string} name
   * @param {string} [query] parameters that go before the usual ones, `&seats=2`
   * @param {string} [ownerKey]
   */
  async member(browser, name, query = '', ownerKey = '') {
    const member = await this.visitor(browser, name, query, ownerKey);
    await member.until('has joined', () => window.motet?.state === 'joined');
    return member;
  }

  /** Like `member`, but of somebody who may have to wait, or may not get in. */
  async visitor(browser, name, query = '', ownerKey = '') {
    const page = await browser.newPage();
    const member = new Member(page, name);
    this.#members.push(member);
    if (ownerKey) this.#keys.push(ownerKey);
    page.on('pageerror', (error) => member.complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warn', 'warning'].includes(message.type())) member.complaints.push(message.text());
    });
    await (page.addInitScript ? page.addInitScript(record) : page.evaluateOnNewDocument(record));
    await page.goto(`${this.url}/r/${this.room}?join&name=${encodeURIComponent(name)}${query}&video=${CAMERA}${ownerKey && `#key=${ownerKey}`}`);
    return member;
  }

  /** @param {() => unknown} closer is called when the test is over, before what was started earlier is ended */
  atEnd(closer) {
    this.#closers.push(closer);
  }

  /** Screenshots of every page that is still open. */
  async photograph() {
    mkdirSync(OUT, { recursive: true });
    for (const { page, name, isGone } of this.#members) {
      if (isGone) continue;
      await page.screenshot({ path: `${OUT}/${this.name.slice(0, 60)}-${name}.png` }).catch(() => {});
    }
  }

  async close() {
    await this.photograph();
    for (const closer of this.#closers.reverse()) await Promise.resolve(closer()).catch(() => {});
    this.#closers = [];
    const sung = this.#sung();
    if (sung.length > 0) throw new Error(`the node's log tells secrets:\n${sung.join('\n')}`);
  }

  /** Lines of the log at info or above that name the room, a member, or a key. */
  #sung() {
    const lines = (this.log ?? []).join('').split('\n').filter((line) => !/ (DEBUG|TRACE) /.test(line));
    const secrets = [...this.#keys, this.room, ...this.#members.map(({ name }) => name)].filter((secret) => secret.length > 2);
    const holds = (line, secret) => (secret.length > 9 ? line.includes(secret) : line.includes(`="${secret}"`) || line.includes(`:"${secret}"`));
    return lines.filter((line) => secrets.some((secret) => holds(line, secret)));
  }
}

/** One page in the room. */
export class Member {
  isGone = false;
  /** What the page wrote to its console as a warning or an error. */
  complaints = [];

  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  /**
   * @template T
   * @param {(argument: any) => T} question runs in the page
   * @param {unknown} [argument]
   * @returns {Promise<T>}
   */
  ask(question, argument) {
    return this.page.evaluate(question, argument);
  }

  /**
   * Waits until the page answers with something true, and gives it back.
   *
   * @param {string} what for the failure's message
   * @param {(argument: any) => unknown} question runs in the page
   * @param {{argument?: unknown, timeout?: number}} [options]
   */
  async until(what, question, { argument, timeout = WAIT_MS } = {}) {
    const deadline = Date.now() + timeout;
    for (;;) {
      const answer = await this.ask(question, argument);
      if (answer) return answer;
      if (Date.now() > deadline) throw new Error(`${this.name}, after ${timeout} ms not yet: ${what}\n${await this.#describe()}`);
      await sleep(POLL_MS);
    }
  }

  /**
   * Waits until frames of these members are decoded, and their sound arrives, from now on.
   *
   * @param {string[]} names
   * @param {{path?: 'mesh' | 'node', frames?: number, timeout?: number}} [options]
   */
  async sees(names, { path, frames = 10, timeout = WAIT_MS } = {}) {
    const before = await this.counts(names);
    await this.until(
      `sees and hears ${names.join(', ')}${path ? ` by ${path}` : ''}`,
      ({ names, path, frames, before }) =>
        names.every((name) => {
          const camera = window.motet.quality()[name]?.camera;
          if (!camera?.video || !camera.audio || (path && camera.path !== path)) return false;
          // Another way counts from its own beginning.
          const base = before[name].key === camera.key ? before[name] : { frames: 0, packets: 0 };
          return camera.video.framesDecoded >= base.frames + frames && camera.audio.packets > base.packets;
        }),
      { argument: { names, path, frames, before }, timeout },
    );
  }

  /** @param {string[]} names */
  counts(names) {
    return this.ask((names) => {
      const quality = window.motet.quality();
      const entries = names.map((name) => {
        const camera = quality[name]?.camera;
        return [name, { key: camera?.key, frames: camera?.video?.framesDecoded ?? 0, packets: camera?.audio?.packets ?? 0 }];
      });
      return Object.fromEntries(entries);
    }, names);
  }

  /** Waits until the connection to the node is up beside the mesh, with nothing sent on it. */
  async isWarm(timeout = WAIT_MS) {
    await this.until('is warm', () => window.motet.connections.node === 'connected' && window.motet.connections.isWarm, { timeout });
  }

  /** @param {'mesh' | 'sfu'} mode the mode in which the room has come to rest */
  async isIn(mode, timeout = WAIT_MS) {
    await this.until(`is in ${mode}`, (mode) => window.motet.mode === mode && !window.motet.switching, { argument: mode, timeout });
  }

  /** @param {string} tool name of a button in the bar */
  press(tool) {
    return this.page.click(`[data-tool=${tool}]`);
  }

  async leave() {
    await this.press('leave');
    await this.page.close();
    this.isGone = true;
  }

  async #describe() {
    const state = await this.ask(() => ({
      state: window.motet?.state,
      mode: window.motet?.mode,
      switching: window.motet?.switching,
      epoch: window.motet?.epoch,
      seats: window.motet?.seats,
      connections: window.motet?.connections,
      quality: Object.entries(window.motet?.quality() ?? {}).map(([name, { camera }]) =>
        camera && [name, camera.path, camera.connection.state, camera.video?.framesDecoded, camera.video?.height, camera.audio?.packets].join(' '),
      ),
    })).catch(String);
    return JSON.stringify({ ...state, complaints: this.complaints }, null, 1);
  }
}

/** @param {number} ms */
export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Everyone waits at the same time. */
export function all(members, what) {
  return Promise.all(members.map(what));
}

/** Everyone but one, by name. */
export function othersOf(members, one) {
  return members.filter((member) => member !== one).map(({ name }) => name);
}

function listening(child, log) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the node does not listen:\n${log.join('')}`)), START_MS);
    const read = (chunk) => {
      log.push(String(chunk));
      const address = /listening http=(\S+) media=\S+/.exec(log.join(''))?.[1];
      if (!address) return;
      clearTimeout(timer);
      resolve(address);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the node ended with ${code}:\n${log.join('')}`)));
  });
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await gone;
  clearTimeout(timer);
}
