// The tracker thread: the doors, the directory and the swarm. It reaches the log by a MessagePort and
// the rest of the program by the swarm's shared memory and the topic `control`.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { AccountingConfig } from '#accounting/config.ts';
import { assert } from '#base/assert.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { SystemRandom } from '#base/random.ts';
import { pinoLogger } from '#cli/pino-logger.ts';
import { PortLog } from '#log/port-log.ts';
import { Registry } from '#metrics/registry.ts';
import type { AddonPlace } from '#net/addon.ts';
import { openSockets } from '#net/sockets.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import type { TrackerConfig } from '#tracker/config.ts';
import { startTracker } from '#tracker/tracker.ts';
import type { ThreadMessage, ThreadReply } from './thread.ts';
import { WebRtcChannel } from './webrtc-channel.ts';

export interface TrackerThreadData {
  readonly logPort: MessagePort;
  readonly swarmMemory: SharedArrayBuffer;
  readonly baselinesFolder: string;
  readonly trackerFolder: string;
  /** 32 bytes that sign connection ids; shared by nodes and kept over restarts. */
  readonly connectionKey: Uint8Array;
  readonly config: {
    readonly tracker: TrackerConfig;
    readonly swarm: SwarmConfig;
    readonly accounting: AccountingConfig;
  };
  readonly addon: AddonPlace;
  /** When several threads serve one swarm: a name that they share, and this one's number. */
  readonly webRtc?: { readonly name: string; readonly worker: number };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

const port = parentPort;
assert(port !== null, 'the tracker thread has a parent');
const data = workerData as TrackerThreadData;
const metrics = new Registry();
try {
  const log = await PortLog.connect(data.logPort);
  const clock = new SystemClock();
  const logger = pinoLogger(data.logLevel);
  const { openUdp, openTcp } = openSockets(
    { clock, logger: logger.for('net'), metrics, addon: data.addon },
    data.config.tracker.sockets,
  );
  const tracker = await startTracker({
    clock,
    random: new SystemRandom(),
    disk: new SystemDisk(),
    logger: logger.for('tracker'),
    metrics,
    openUdp,
    openTcp,
    log,
    swarmMemory: data.swarmMemory,
    baselinesFolder: data.baselinesFolder,
    trackerFolder: data.trackerFolder,
    connectionKey: data.connectionKey,
    config: data.config,
    ...(data.webRtc !== undefined && {
      relay: new WebRtcChannel(data.webRtc.name, data.webRtc.worker),
    }),
  });
  port.on('message', (message: ThreadMessage) => {
    switch (message.kind) {
      case 'metrics':
        reply({ kind: 'metrics', id: message.id, metrics: metrics.collect() });
        return;
      case 'status':
        reply({ kind: 'status', id: message.id, status: tracker.stats() });
        return;
      case 'close':
        // What fails here ends the thread with an error, which its owner reports.
        void tracker
          .close()
          .then(() => log.close())
          .then(() => {
            reply({ kind: 'closed' });
            port.close();
          });
        return;
      default:
    }
  });
  reply({ kind: 'ready', value: tracker.addresses });
} catch (error) {
  reply({ kind: 'failed', code: codeOf(error) ?? 'INTERNAL', message: messageOf(error) });
  port.close();
}

function reply(message: ThreadReply): void {
  port?.postMessage(message);
}
