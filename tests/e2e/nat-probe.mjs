// Classifies the NAT before it by what it does (RFC 5780 §4, with words of its own).
//
//   node nat-probe.mjs answer ADDRESS ADDRESS   answers, from whichever of its four sockets it is asked to
//   node nat-probe.mjs ask ADDRESS ADDRESS      writes what the NAT is

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const PORTS = [4478, 4479];
const PATIENCE_MS = 700;

const [, , role, ...addresses] = process.argv;
if (role === 'answer') await answer();
else process.stdout.write(`${await classify()}\n`);

async function answer() {
  const sockets = await Promise.all(addresses.flatMap((address) => PORTS.map((port) => open(address, port))));
  for (const socket of sockets) {
    socket.on('message', (text, { address, port }) => {
      // The number of the socket that is to answer.
      const from = sockets[Number(text)];
      from?.send(String(port), port, address);
    });
  }
  process.stdout.write('listens\n');
}

/** The sockets' numbers: first address with both ports, then the second one. */
async function classify() {
  const socket = await open();
  const mapped = [];
  for (const number of [0, 1, 2]) mapped.push(await ask(socket, number, number));
  socket.close();
  if (mapped.includes('')) return 'UDP blocked';
  if (mapped[1] !== mapped[0] && mapped[2] !== mapped[0]) return 'symmetric';
  if (mapped.some((port) => port !== mapped[0])) return `mapping by ${mapped[1] === mapped[0] ? 'address' : 'port'}`;
  const fresh = await open();
  const [fromAnywhere, fromTheAddress] = [await ask(fresh, 0, 3), await ask(fresh, 0, 1)];
  fresh.close();
  if (fromAnywhere) return 'full cone';
  return fromTheAddress ? 'address-restricted' : 'port-restricted';
}

/** The port as which it is seen there, or nothing if no answer came. */
async function ask(socket, to, from) {
  const arrived = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
  socket.send(String(from), PORTS[to % 2], addresses[to >> 1]);
  try {
    return String((await arrived)[0]);
  } catch {
    return '';
  }
}

async function open(address = '0.0.0.0', port = 0) {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}
