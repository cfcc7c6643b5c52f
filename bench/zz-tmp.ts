import { mkdtempSync, rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { RemoteLog } from '#log/remote-log.ts';
import { dialNode } from '#net/stream-node.ts';

const folder = mkdtempSync('/tmp/bl-');
const path = `${folder}/s.sock`;
const w = new Worker('/work/main/bench/load/log-server-thread.ts', {
  workerData: { folder: `${folder}/log`, path },
});
await new Promise((r) => w.once('message', r));
const idem = process.argv[2] !== 'plain';
const logs = [];
for (let i = 0; i < 50; i++)
  logs.push(
    await RemoteLog.connect({
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: silentLogger,
      dial: (s) => dialNode({ kind: 'unix', path }, s),
      isIdempotent: idem,
    }),
  );
const records = [{ value: new Uint8Array(100).fill(7) }];
for (let round = 0; round < 4; round++) {
  let n = 0;
  const t0 = performance.now();
  const c0 = process.cpuUsage();
  await Promise.all(
    logs.flatMap((log) =>
      Array.from({ length: 20 }, async () => {
        while (performance.now() - t0 < 2000) {
          await log.append('bench', records);
          n++;
        }
      }),
    ),
  );
  const c = process.cpuUsage(c0);
  console.log(
    idem,
    Math.round(n / ((performance.now() - t0) / 1000)),
    'rec/s',
    ((c.user + c.system) / n).toFixed(2),
    'us/rec',
  );
}
await Promise.all(logs.map((l) => l.close()));
w.terminate();
rmSync(folder, { recursive: true });
process.exit(0);
