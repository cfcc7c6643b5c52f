// Opens a log in a fresh process and prints how long that took and what it costs in memory, as JSON:
//
//   node -C swarmkeep-src --expose-gc bench/load/log-open-process.ts FOLDER

import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';

const [folder = ''] = process.argv.slice(2);
const usedBefore = used();
const sinceMs = performance.now();
const log = await LocalLog.open({
  disk: new SystemDisk(),
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({}),
  folder,
});
const ms = performance.now() - sinceMs;
const { rss } = process.memoryUsage();
const bytes = used() - usedBefore;
const segments = (await log.topics()).reduce((sum, topic) => sum + topic.segments, 0);
process.stdout.write(JSON.stringify({ ms, rss, bytes, segments }));
await log.close();

function used(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
