// The log thread: owns the log's files. Others reach it by a MessagePort each; the main thread hands
// the ports over. When a topic can no longer keep its promise (a cut failed) the thread ends, and the
// process with it: a restart recovers from what is on disk.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { BLANK_ADDRESSES, blankAddresses } from '#accounting/forget-addresses.ts';
import { assert } from '#base/assert.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { LevelTable } from '#base/log-levels.ts';
import { SystemRandom } from '#base/random.ts';
import { deleteHookOf } from '#cli/delete-hook.ts';
import { sumByAddon } from '#cli/native-sums.ts';
import type { LogConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { servePortLog } from '#log/port/port-log.ts';
import { Registry } from '#metrics/registry.ts';
import type { AddonPlace } from '#net/addon.ts';
import type { ThreadMessage, ThreadReply } from './thread.ts';
import { ThreadLogging } from './thread-logging.ts';

export interface LogThreadData {
  readonly folder: string;
  readonly config: LogConfig;
  readonly addon: AddonPlace;
  readonly levels: LevelTable;
}

const port = parentPort;
assert(port !== null, 'the log thread has a parent');
const data = workerData as LogThreadData;
sumByAddon(data.addon);
const metrics = new Registry();
const logging = new ThreadLogging(data.levels, 'log');
const logger = logging.logger.for('log');
const log = await LocalLog.open({
  disk: new SystemDisk(),
  folder: data.folder,
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger,
  hook: deleteHookOf(data.config, logger),
  metrics,
  config: data.config,
  changes: new Map([[BLANK_ADDRESSES, blankAddresses]]),
  onFatal: (error) => {
    throw error;
  },
});
port.on('message', (message: ThreadMessage) => {
  switch (message.kind) {
    case 'port':
      servePortLog(message.port as MessagePort, log, data.config);
      return;
    case 'metrics':
      void log.refreshMetrics().then(() => {
        reply({ kind: 'metrics', id: message.id, metrics: metrics.collect() });
      });
      return;
    case 'said':
      reply(logging.said(message.id));
      return;
    case 'levels':
      logging.set(message);
      return;
    case 'close':
      // A close whose last sync failed rejects: the thread ends with that error, and the process with it.
      void log.close().then(() => {
        reply({ kind: 'closed' });
        port.close();
      });
      return;
    default:
  }
});
reply({ kind: 'ready', value: null });

function reply(message: ThreadReply): void {
  port?.postMessage(message);
}
