// A line echo over batched sockets in a process that has used up its descriptors, but for a few. Told
// "more" on standard input it frees some. Prints its port when they are used up, then what it counted.
//
//   sh -c 'ulimit -n 64; exec node -C swarmkeep-src src/net/test-few-descriptors.ts ADDON'

import { closeSync, openSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry, renderCollected } from '#metrics/registry.ts';
import { openSockets } from './sockets.ts';

const LEFT = 6;
const metrics = new Registry();
const [path = ''] = process.argv.slice(2);
const world = { clock: new SystemClock(), logger: silentLogger, metrics, addon: { path } };
const server = await openSockets(world, 'batched').openTcp({
  address: '127.0.0.1',
  port: 0,
  backlog: 128,
  connectionsMax: 1000,
  inputBytesMax: 64,
  outputBytesMax: 64,
  idleMsMax: 10_000,
  readMsMax: 10_000,
  writeMsMax: 10_000,
  handler: {
    onInput: (connection) => {
      const { input, inputLength } = connection;
      connection.output.set(input.subarray(0, inputLength));
      connection.produce(inputLength);
      connection.consume(inputLength);
    },
    onClosed: () => undefined,
  },
  onFailed: (error) => {
    throw error;
  },
});
process.stdin.once('data', () => {
  for (const descriptor of taken.splice(0, 20)) closeSync(descriptor);
  process.stdout.write('freed\n');
  process.stdin.once('data', () => {
    process.stdout.write(`${renderCollected([metrics.collect()])}\n`, () => process.exit(0));
  });
});
const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  for (const descriptor of taken.splice(0, LEFT)) closeSync(descriptor);
}
process.stdout.write(`${server.bound.port}\n`);
