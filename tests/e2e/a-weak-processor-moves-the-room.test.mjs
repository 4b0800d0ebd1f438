import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { all, CHROMIUM, House, othersOf } from './harness.mjs';

const CONTROLLER = '/sys/fs/cgroup/cpu';
/** Of one processor. */
const SHARE = 0.2;
const PERIOD_US = 100_000;
const CAMERA = '&video=1280x720x30';

const isMissing = existsSync(`${CONTROLLER}/cpu.cfs_quota_us`) ? false : 'needs control groups for the processor';

test('a member whose processor cannot carry the mesh moves the room over the node, and is named', { skip: isMissing }, async (t) => {
  const house = new House(t);
  await house.node();
  const group = new Group(t);
  const strong = await house.chromium();
  const weak = await house.chromium({ executablePath: group.wrap(CHROMIUM) });
  const [ada, ben, cem] = [await house.member(strong, 'Ada'), await house.member(weak, 'Ben', CAMERA), await house.member(strong, 'Cem')];
  const members = [ada, ben, cem];
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'mesh' }));

  group.limit(SHARE);
  const limitedAt = Date.now();
  await all([ada, cem], (member) => member.until('is told of the switch', () => window.motet.why.cause === 'cpu', { timeout: 240_000 }));
  t.diagnostic(`asked for ${Date.now() - limitedAt} ms after the processor became slow`);
  group.limit(null);
  await all(members, (member) => member.isIn('sfu', 60_000));
  const named = await ada.ask(() => window.motet.members.find(({ id }) => id === window.motet.why.member)?.name);
  assert.equal(named, 'Ben');
  await all(members, (member) => member.sees(othersOf(members, member), { path: 'node' }));
});

/** A group of processes that get a part of one processor. */
class Group {
  #path = `${CONTROLLER}/motet-${process.pid}`;

  constructor(test) {
    mkdirSync(this.#path);
    test.after(() => rmdirSync(this.#path));
  }

  /** @param {number | null} share of one processor; null: no limit */
  limit(share) {
    writeFileSync(`${this.#path}/cpu.cfs_period_us`, String(PERIOD_US));
    writeFileSync(`${this.#path}/cpu.cfs_quota_us`, String(share === null ? -1 : share * PERIOD_US));
  }

  /**
   * A command that runs another one in the group.
   *
   * @param {string} command
   * @returns {string} path of a script
   */
  wrap(command) {
    const path = join(mkdtempSync(join(tmpdir(), 'motet-')), 'run');
    writeFileSync(path, `#!/bin/sh\necho $$ > ${this.#path}/cgroup.procs\nexec ${command} "$@"\n`, { mode: 0o755 });
    return path;
  }
}
