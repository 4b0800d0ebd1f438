import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { summaryOf } from '../../web/check/summary.js';
import { checkWords } from '../../web/strings/check.js';
import { BINARY, CHROMIUM, House, sleep } from './harness.mjs';
import { isMissing, Network, NODE } from './network.mjs';

const OUT = fileURLToPath(new URL('out', import.meta.url));
/** Longer than the longest patience of a row. */
const DONE_MS = 40_000;

/** Opens the page and waits until everything was tried: outcomes by row, and the sentence. */
async function examined(page, url) {
  await page.goto(`${url}/check`);
  return finished(page);
}

async function finished(page) {
  const deadline = Date.now() + DONE_MS;
  for (;;) {
    const seen = await page.evaluate(() => {
      const rows = [...document.querySelectorAll('.ways li')].map(({ dataset, textContent }) => [dataset.row, { outcome: dataset.outcome, text: textContent }]);
      const summary = document.querySelector('.summary');
      const isDone = document.querySelector('.check-actions .primary')?.disabled === false;
      return { isDone, rows: Object.fromEntries(rows), verdict: summary?.dataset.verdict, sentence: summary?.textContent };
    });
    if (seen.isDone) return seen;
    assert.ok(Date.now() < deadline, `not yet done: ${JSON.stringify(seen)}`);
    await sleep(200);
  }
}

function outcomes(rows) {
  return Object.fromEntries(Object.entries(rows).map(([row, { outcome }]) => [row, outcome]));
}

/** A node in a namespace of its own, and a browser that reaches it over a link. */
async function nodeAndBrowser(t, kind) {
  const house = new House(t);
  const network = new Network(t);
  const address = kind === 'firefox' ? linkTo(network) : NODE;
  await house.node(['--http-listen', `${address}:0`, '--media-ip', address], network.wrap('node', BINARY));
  const browser = kind === 'firefox' ? await house.firefox() : await house.chromium({ executablePath: network.wrap('client', CHROMIUM) });
  return { house, network, page: await browser.newPage() };
}

/** Firefox is driven over a port of its own, so it stays where the test is; the link goes with the namespace. */
function linkTo(network) {
  const id = process.pid % 250;
  const [near, far] = [`10.78.${id}.1`, `10.78.${id}.2`];
  const ip = (...args) => execFileSync('ip', args);
  const inside = (...args) => ip('-n', network.name('node'), ...args);
  ip('link', 'add', `mck${id}`, 'type', 'veth', 'peer', 'name', 'l9', 'netns', network.name('node'));
  ip('address', 'add', `${near}/24`, 'dev', `mck${id}`);
  ip('link', 'set', `mck${id}`, 'up');
  inside('address', 'add', `${far}/24`, 'dev', 'l9');
  inside('link', 'set', 'l9', 'up');
  return far;
}

async function photograph(page, name) {
  mkdirSync(OUT, { recursive: true });
  await page.screenshot({ path: `${OUT}/check-${name}.png`, fullPage: true });
}

for (const kind of ['chromium', 'firefox']) {
  test(`everything can be reached, in ${kind}`, { skip: isMissing() }, async (t) => {
    const { house, page } = await nodeAndBrowser(t, kind);
    const { rows, verdict, sentence } = await examined(page, house.url);
    await photograph(page, `reachable-${kind}`);
    const said = outcomes(rows);
    for (const row of ['websocket', 'leg', 'host', 'stun', 'turnUdp']) assert.equal(said[row], 'ok', `${row}: ${rows[row].text}`);
    assert.equal(said.turnTls, 'notOffered', 'TLS is off');
    // Plain http from another machine: Chromium was told to trust it, Firefox was not.
    assert.equal(verdict, kind === 'firefox' ? 'worksUnseen' : 'works');
    assert.match(sentence, /^Calls will work/);
    assert.match(rows.turnUdp.text, /round trip [\d.]+\sms/);
  });

  test(`a blocked UDP port is found, in ${kind}`, { skip: isMissing() }, async (t) => {
    const { house, network, page } = await nodeAndBrowser(t, kind);
    const inside = (...command) => execFileSync('ip', ['netns', 'exec', network.name('node'), ...command]);
    inside('nft', 'add table inet wall; add chain inet wall in { type filter hook input priority 0; }; add rule inet wall in udp dport != 53 counter drop');
    const { rows, verdict, sentence } = await examined(page, house.url);
    await photograph(page, `blocked-${kind}`);
    assert.match(String(inside('nft', 'list', 'chain', 'inet', 'wall', 'in')), /counter packets [1-9]/, 'something was dropped');
    const said = outcomes(rows);
    assert.equal(said.websocket, 'ok');
    for (const row of ['stun', 'turnUdp']) assert.equal(said[row], 'failed', `${row}: ${rows[row].text}`);
    assert.equal(said.leg, 'limited', rows.leg.text);
    assert.match(sentence, /^UDP seems blocked: /);
    assert.equal(verdict, 'overTcp');
    assert.equal(said.turnTcp, 'ok', rows.turnTcp.text);
  });
}

test('the report can be copied, in every language, and says nothing secret', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium()).newPage();
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const { sentence, verdict } = await examined(page, house.url);
  await page.click('.check-actions .primary');
  await page.waitForFunction(() => /clipboard/.test(document.querySelector('.check').textContent));
  const report = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(report.includes(sentence) && report.includes(house.url), report);
  for (const { name } of Object.values(checkWords.en.rows)) assert.ok(report.includes(`\n${name}: `), `${name}: ${report}`);
  assert.doesNotMatch(report, /credential|turn:|\d{10}:/);
  await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error('no'))));
  await page.click('.check-actions .primary');
  assert.equal(await page.inputValue('.check textarea'), report, 'what cannot be copied is shown');
  await page.click('[data-tool=settings]');
  await page.selectOption('[data-setting=language]', 'de');
  assert.equal(await page.textContent('.card.check h1'), checkWords.de.title);
  assert.equal(await page.textContent('.summary'), checkWords.de.verdicts[verdict], 'the results stay');
});

test('a node that does not talk is told at once, and another try is one press away', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium()).newPage();
  await page.addInitScript(() => {
    const { WebSocket } = window;
    window.WebSocket = class extends WebSocket {
      constructor(url, protocol) {
        super(window.isOpen ? url : 'ws://127.0.0.1:9/', protocol);
      }
    };
  });
  const first = await examined(page, house.url);
  assert.equal(first.verdict, 'noWebsocket');
  const said = outcomes(first.rows);
  assert.equal(said.websocket, 'failed');
  for (const row of ['leg', 'stun', 'turnUdp', 'turnTcp', 'turnTls']) assert.equal(said[row], 'notTried', row);
  await page.evaluate(() => (window.isOpen = true));
  await page.click('.check-actions .secondary');
  const second = await finished(page);
  assert.equal(outcomes(second.rows).websocket, 'ok');
  assert.match(second.verdict, /^works/);
});

test('the start page and the settings lead there', async (t) => {
  const house = new House(t);
  await house.node();
  const page = await (await house.chromium()).newPage();
  await page.goto(`${house.url}/`);
  await page.click('[data-tool=settings]');
  const link = await page.getAttribute('dialog a.to-check', 'href');
  assert.equal(link, '/check');
  await page.keyboard.press('Escape');
  await page.click('.home a.to-check');
  await page.waitForSelector('.card.check');
  assert.equal(new URL(page.url()).pathname, '/check');
});

test('what the rows mean together', () => {
  const all = ['websocket', 'leg', 'host', 'stun', 'turnUdp', 'turnTcp', 'turnTls', 'devices'];
  const table = [
    [all, [], 'works'],
    [['websocket', 'leg', 'devices'], [], 'works'],
    [['websocket', 'leg'], [], 'worksUnseen'],
    [['leg'], [], 'noWebsocket'],
    [['websocket', 'stun', 'turnUdp'], [], 'relayOnly'],
    [['websocket', 'turnTcp'], [], 'relayOnlyNoUdp'],
    [['websocket', 'turnTls', 'host', 'devices'], [], 'relayOnlyNoUdp'],
    [['websocket', 'stun'], [], 'noMedia'],
    [['websocket', 'host', 'devices'], [], 'noUdp'],
    [all, ['turnTls'], 'running'],
    [all, ['devices'], 'running'],
    [all, ['host'], 'works'],
    [[], ['websocket'], 'running'],
  ];
  for (const [fine, running, expected] of table) {
    const outcome = (row) => (running.includes(row) ? 'running' : fine.includes(row) ? 'ok' : 'failed');
    const results = new Map(all.map((row) => [row, { outcome: outcome(row) }]));
    assert.equal(summaryOf(results), expected, `${fine} ${running}`);
  }
  const overTcp = new Map(all.map((row) => [row, { outcome: row === 'leg' ? 'limited' : 'ok' }]));
  assert.equal(summaryOf(overTcp), 'overTcp');
});

test('every language has the same words', () => {
  const shape = (value) => (value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)])) : typeof value);
  for (const language of ['de', 'fr']) assert.deepEqual(shape(checkWords[language]), shape(checkWords.en), language);
});
