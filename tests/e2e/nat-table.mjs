// Two browsers in a room of two, each behind a NAT: which way their media take, for every pair of NATs.
// Prints a Markdown table. Needs root, ip and nft, and the node that a build has left in target/debug.
//
//   npm --prefix tests/e2e run nat-table --                every pair once, Chromium
//     --browser firefox | mixed         the other browser; Chromium behind the row's NAT, Firefox behind the column's
//     --turn off                        without the node's relay
//     --all                             both orders of a pair
//     --only 'symmetric,UDP blocked'    these NATs alone
//     --loss 2 --delay 40               percent lost and ms later, either way, between the row's NAT and the node
//     --json FILE                       all that was seen, too

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { all, BINARY, House, sleep } from './harness.mjs';
import { isMissing, NatNetwork, NATS, NODE, PUBLIC } from './nats.mjs';
import { browserAt, wayOfTheOther } from './paths.mjs';

/** Longer than a browser takes to give a pair up, and the room to serve it otherwise. */
const PATIENCE_MS = 40_000;
/** After the pictures are there ICE may still find a better way. */
const SETTLE_MS = 3_000;
const FRAMES_WATCHED_MS = 1_500;

const { values: options } = parseArgs({
  options: {
    browser: { type: 'string', default: 'chromium' },
    turn: { type: 'string', default: 'on' },
    all: { type: 'boolean', default: false },
    only: { type: 'string', default: NATS.join(',') },
    loss: { type: 'string', default: '0' },
    delay: { type: 'string', default: '0' },
    json: { type: 'string' },
  },
});
const nats = options.only.split(',').map((name) => name.trim());
for (const name of nats) if (!NATS.includes(name)) fail(`there is no NAT '${name}'; there are: ${NATS.join(', ')}`);
if (!['chromium', 'firefox', 'mixed'].includes(options.browser)) fail(`there is no browser '${options.browser}'`);
const missing = isMissing();
if (missing) fail(`this ${missing}`);

const cells = await measureAll();
print(cells);
if (options.json) writeFileSync(options.json, `${JSON.stringify(cells, null, 1)}\n`);

async function measureAll() {
  const cells = [];
  for (const [row, a] of nats.entries()) {
    for (const [column, b] of nats.entries()) {
      if (column < row && !options.all) continue;
      const cell = await inScope(`nat-${a}-${b}`, (scope) => measure(scope, a, b)).catch((error) => ({ a, b, probed: [], text: 'error', error: String(error) }));
      process.stderr.write(`${a} x ${b}: ${cell.text}${cell.error ? `\n${cell.error}` : ''}\n`);
      cells.push(cell);
    }
  }
  return cells;
}

async function measure(scope, a, b) {
  const house = new House(scope);
  const network = new NatNetwork(scope, a, b, { loss: Number(options.loss), delayMs: Number(options.delay) });
  const probed = await network.probe();
  const flags = ['--http-listen', `${NODE}:0`, '--media-ip', NODE, '--relay-allow', PUBLIC, '--turn', options.turn];
  await house.node(flags, network.wrap('node', BINARY));
  const first = await browserAt(house, network, 'a', options.browser === 'firefox');
  const second = await browserAt(house, network, 'b', options.browser !== 'chromium');
  const ada = await house.member(first, 'Ada');
  const ben = await house.member(second, 'Ben');
  const members = [ada, ben];
  const isServed = await bothSeeEachOther(members);
  if (isServed) await sleep(SETTLE_MS);
  const ways = await all(members, (member) => member.ask(wayOfTheOther));
  await sleep(FRAMES_WATCHED_MS);
  const later = await all(members, (member) => member.ask(wayOfTheOther));
  const grown = later.map((way, index) => way.frames - ways[index].frames);
  const cell = { a, b, probed, ways: later, grown, impaired: await network.impaired() };
  return { ...cell, text: describe(cell) };
}

async function bothSeeEachOther(members) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const ways = await all(members, (member) => member.ask(wayOfTheOther));
    if (ways.every(({ shownAt }) => shownAt)) return true;
    await sleep(200);
  }
  return false;
}

/**
 * `srflx/srflx 0.4 s, pictures 0.9 s`: the own candidates of both, and how long after the second one was in the room;
 * `node by host/host, pictures 10 s` where the node serves them.
 */
function describe({ ways, grown }) {
  const begun = Math.max(...ways.map(({ madeAt }) => madeAt));
  const since = (moments) => `${((Math.max(...moments) - begun) / 1000).toFixed(1)} s`;
  if (!ways.every(({ shownAt }) => shownAt)) return 'none';
  const pictures = `pictures ${since(ways.map(({ shownAt }) => shownAt))}${grown.every((frames) => frames > 0) ? '' : ', then none'}`;
  const types = ways.map(({ type, over }) => (over ? `${type}(${over})` : type)).join('/');
  if (!ways.every(({ path }) => path === 'mesh')) return `${[...new Set(ways.map(({ path }) => path))].join('/')} by ${types}, ${pictures}`;
  return `${types} ${since(ways.map(({ connectedAt }) => connectedAt))}, ${pictures}`;
}

/** Runs something as a test would, with what it starts ended afterwards. */
async function inScope(name, work) {
  const closers = [];
  try {
    return await work({ name, after: (closer) => closers.push(closer) });
  } finally {
    for (const closer of closers) await closer();
  }
}

function print(cells) {
  const of = (a, b) => cells.find((cell) => cell.a === a && cell.b === b);
  const impaired = Number(options.loss) || Number(options.delay) ? `, ${options.loss} % loss and ${options.delay} ms on one link` : '';
  console.log(`\nTURN ${options.turn}, ${options.browser}${impaired}\n`);
  console.log(`| a \\ b | ${nats.join(' | ')} |`);
  console.log(`|---${'|---'.repeat(nats.length)}|`);
  for (const a of nats) console.log(`| **${a}** | ${nats.map((b) => of(a, b)?.text ?? '').join(' | ')} |`);
  console.log('\nThe NATs, by what they did:\n');
  for (const name of nats) {
    const seen = cells.flatMap((cell) => [[cell.a, cell.probed[0]], [cell.b, cell.probed[1]]]).filter(([asked]) => asked === name);
    console.log(`- ${name}: ${[...new Set(seen.map(([, found]) => found ?? 'not probed'))].join(', ')} (${seen.length} probes)`);
  }
  const links = cells.flatMap(({ impaired = [] }) => impaired);
  const sum = (key) => links.reduce((total, link) => total + link[key], 0);
  if (links.length) console.log(`- the bad link: ${sum('came')} packets came, ${sum('lost')} of them were lost`);
  if (cells.some(({ probed }) => probed.length === 0)) process.exitCode = 1;
  if (cells.some(({ a, b, probed }) => probed.length && (probed[0] !== a || probed[1] !== b))) {
    console.log('\nA NAT is not what its name says: do not believe this table.');
    process.exitCode = 1;
  }
}

function fail(text) {
  console.error(text);
  process.exit(2);
}
