// Into a network namespace: what connects to a port of 127.0.0.1 out here reaches the same port in there.
// Namespaces of the network do not separate the files, so the way is a socket in the file system.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @param {import('node:test').TestContext} test
 * @param {string[]} enter command that runs another one in there
 * @returns {Promise<number>} the port
 */
export async function bridge(test, enter) {
  const path = join(mkdtempSync(join(tmpdir(), 'motet-')), 'bridge');
  const outer = createServer((socket) => meet(socket, connect(path)));
  outer.listen(0, '127.0.0.1');
  await once(outer, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (outer.address());
  const [command, ...rest] = enter;
  const inner = spawn(command, [...rest, process.execPath, fileURLToPath(import.meta.url), path, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  test.after(() => {
    outer.close();
    inner.kill();
  });
  await once(inner.stdout, 'data');
  return port;
}

function meet(one, other) {
  one.pipe(other).pipe(one);
  for (const end of [one, other]) {
    end.on('error', () => {
      one.destroy();
      other.destroy();
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, port] = process.argv.slice(2);
  const inner = createServer((socket) => meet(socket, connect(Number(port), '127.0.0.1')));
  inner.listen(path, () => console.log('listening'));
}
