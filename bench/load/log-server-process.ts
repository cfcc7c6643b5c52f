// A log server in a process of its own, on a UNIX socket, until the process that started it is gone:
//
//   node -C swarmkeep-src bench/load/log-server-process.ts FOLDER SOCKET
//
// Says `ready`; answers each message with how many syncs it has made.

import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import { listenStreams } from '#net/sockets.ts';

const [folder = '', path = ''] = process.argv.slice(2);
const world = {
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({}),
};
const log = await LocalLog.open({ ...world, disk: new SystemDisk(), folder });
const server = new LogServer({ ...world, log });
const listen = listenStreams({ ...world, addon: findOrBuildAddon() }, 'auto');
await server.listen(listen, { kind: 'unix', path });
process.on('message', () => process.send?.(syncs()));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

function syncs(): number {
  const found = /^swarmkeep_log_sync_seconds_count(?:\{\})? (\d+)$/m.exec(world.metrics.render());
  return Number(found?.[1] ?? 0);
}
