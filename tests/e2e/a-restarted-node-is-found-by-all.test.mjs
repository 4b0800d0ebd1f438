import assert from 'node:assert/strict';
import test from 'node:test';
import { House, sleep } from './harness.mjs';

const CLIENTS = 200;
const ROOM_SIZE = 5;
const P95_MAX_MS = 6_000;
const DOWN_MS = 4_000;

test(`${CLIENTS} clients find a restarted node by themselves, and nobody is there twice`, async (t) => {
  const house = new House(t);
  const flags = ['--max-connections-per-address', '1000'];
  await house.node(flags);
  const page = await (await house.chromium()).newPage();
  await page.goto(`${house.url}/`);
  await page.evaluate(enter, { clients: CLIENTS, roomSize: ROOM_SIZE });
  await until(page, () => window.sessions.filter(({ joins }) => joins === 1).length === window.sessions.length);

  await house.stopNode();
  await until(page, () => window.sessions.every(({ isLost }) => isLost));
  // Down for a while: the clients are spread over their back-off.
  await sleep(DOWN_MS);
  const startedAt = await page.evaluate(() => performance.now());
  await house.node([...flags, '--http-listen', new URL(house.url).host]);
  await until(page, () => window.sessions.every(({ joins }) => joins === 2), 30_000);

  const delays = (await page.evaluate(() => window.sessions.map(({ joinedAt }) => joinedAt))).map((at) => at - startedAt).sort((one, other) => one - other);
  const p95 = Math.round(delays[Math.ceil(0.95 * delays.length) - 1]);
  t.diagnostic(`back after ${Math.round(delays[delays.length / 2])} ms at the median, ${p95} ms p95, ${Math.round(delays.at(-1))} ms at most`);
  assert.ok(p95 <= P95_MAX_MS, `p95 ${p95} ms`);

  const response = await house.api('/api/rooms');
  const counts = (await response.json()).map(({ members }) => members.length);
  assert.deepEqual(counts, Array(CLIENTS / ROOM_SIZE).fill(ROOM_SIZE), 'no ghosts');
});

/** In the page: sessions of the client's own, each as if it were a page. */
async function enter({ clients, roomSize }) {
  const { Session } = await import('/session.js');
  const url = new URL('/ws', location.href.replace('http', 'ws'));
  window.sessions = Array.from({ length: clients }, (_, index) => {
    const session = new Session(url, { type: 'join', room: `hall-${Math.floor(index / roomSize)}`, name: `Singer ${index}`, sfuOnly: false });
    const entry = { joins: 0, joinedAt: 0, isLost: false };
    session.on('joined', () => {
      entry.joins += 1;
      entry.joinedAt = performance.now();
    });
    session.on('lost', () => (entry.isLost = true));
    session.start();
    return entry;
  });
}

async function until(page, question, timeout = 20_000) {
  for (const deadline = Date.now() + timeout; Date.now() < deadline; await sleep(100)) if (await page.evaluate(question)) return;
  assert.fail(`not yet: ${question}\n${JSON.stringify(await page.evaluate(() => window.sessions.slice(0, 5)))}`);
}
