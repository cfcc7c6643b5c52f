// A process that appends to a log until it is killed, and says on standard output what it was told:
// one line `<writer> <number> <offset>` for each record answered as on disk. Arguments: the log's
// folder, the first number. A test kills it with SIGKILL and compares.

import { writeSync } from 'node:fs';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';

const [folder = '', first = '0'] = process.argv.slice(2);
const log = await LocalLog.open({
  disk: new SystemDisk(),
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({ segmentBytesMax: 65_536 }),
  folder,
});
await log.createTopic('events', { consistency: 'durable' });

async function write(writer: number): Promise<never> {
  for (let number = Number(first); ; number++) {
    const value = utf8(`${writer} ${number}`);
    const { firstOffset } = await log.append('events', [{ value }]);
    writeSync(1, `${writer} ${number} ${firstOffset}\n`);
  }
}
await Promise.all([0, 1, 2, 3].map(write));
