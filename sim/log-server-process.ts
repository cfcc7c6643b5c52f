// A log server that a test kills: the log of a folder on a UNIX socket or a TCP port. Arguments: the
// folder, the place to listen on. Says `ready <url>` when it answers.

import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import { parsePlace } from '#net/byte-stream.ts';
import { listenNode } from '#net/stream-node.ts';

const [folder = '', url = ''] = process.argv.slice(2);
const world = {
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({ segmentBytesMax: 65_536 }),
};
const log = await LocalLog.open({ ...world, disk: new SystemDisk(), folder });
await log.createTopic('events', { consistency: 'durable' });
const server = new LogServer({ ...world, log });
const place = parsePlace(url);
if (place === undefined) throw new Error(`no place to listen on: ${url}`);
const listener = await server.listen(listenNode, place);
process.stdout.write(`ready ${listener.url}\n`);
