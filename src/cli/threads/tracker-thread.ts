// A tracker thread: doors, directory, and a view of the swarm. It reaches the log and its fellow
// threads by a MessagePort each, and the rest of the program by the swarm's shared memory and the
// topic `control`.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { AccountingConfig } from '#accounting/config.ts';
import { assert } from '#base/assert.ts';
import { SystemClock } from '#base/clock.ts';
import { inlineMore } from '#base/compiler.ts';
import { SystemDisk } from '#base/disk.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { LevelTable } from '#base/log-levels.ts';
import { SystemRandom } from '#base/random.ts';
import { PortLog } from '#log/port/port-log.ts';
import { Registry } from '#metrics/registry.ts';
import type { AddonPlace } from '#net/addon.ts';
import { openSockets } from '#net/sockets.ts';
import { TlsCertificate } from '#net/tls-certificate.ts';
import { nodeTls } from '#net/tls-node.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import type { TrackerConfig } from '#tracker/config.ts';
import { type PreparedTracker, prepareTracker } from '#tracker/tracker.ts';
import type { TrackerMemory, WorkerLink, WorkerMessage } from '#tracker/workers.ts';
import type { ThreadMessage, ThreadReply } from './thread.ts';
import { ThreadLogging } from './thread-logging.ts';

export interface TrackerThreadData {
  /** Its number, from 0. */
  readonly index: number;
  readonly logPort: MessagePort;
  /** To each other thread, by its number; undefined at its own. */
  readonly links: readonly (MessagePort | undefined)[];
  readonly trackerMemory: TrackerMemory;
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
  readonly levels: LevelTable;
}

inlineMore();
const port = parentPort;
assert(port !== null, 'the tracker thread has a parent');
const data = workerData as TrackerThreadData;
const metrics = new Registry();
const logging = new ThreadLogging(data.levels, `tracker ${data.index + 1}`);
try {
  const log = await PortLog.connect(data.logPort);
  const clock = new SystemClock();
  const { logger } = logging;
  const { openUdp, openTcp } = openSockets(
    { clock, logger: logger.for('net'), metrics, addon: data.addon },
    data.config.tracker.sockets,
  );
  const disk = new SystemDisk();
  const { tlsPort, tlsCertificateFile: certificateFile, tlsKeyFile: keyFile } = data.config.tracker;
  const net = { clock, logger: logger.for('net'), metrics, disk, certificateFile, keyFile };
  const certificate = tlsPort === 0 ? undefined : await TlsCertificate.open(net);
  const tracker = await prepareTracker({
    clock,
    random: new SystemRandom(),
    disk,
    logger: logger.for('tracker'),
    metrics,
    openUdp,
    openTcp,
    ...(certificate === undefined ? {} : { openTls: nodeTls({ ...net, certificate }) }),
    log,
    worker: { link: linkOf(data), memory: data.trackerMemory },
    swarmMemory: data.swarmMemory,
    baselinesFolder: data.baselinesFolder,
    trackerFolder: data.trackerFolder,
    connectionKey: data.connectionKey,
    config: data.config,
  });
  port.on('message', (message: ThreadMessage) => {
    switch (message.kind) {
      case 'metrics':
        tracker.publish();
        reply({ kind: 'metrics', id: message.id, metrics: metrics.collect() });
        return;
      case 'bind':
        void bind(tracker, message.id, message.port);
        return;
      case 'serve':
        tracker.serve();
        return;
      case 'stop':
        tracker.stopListening();
        return;
      case 'status':
        reply({ kind: 'status', id: message.id, status: tracker.stats() });
        return;
      case 'said':
        reply(logging.said(message.id));
        return;
      case 'levels':
        logging.set(message);
        return;
      case 'close':
        certificate?.close();
        // What fails here ends the thread with an error, which its owner reports.
        void tracker
          .close()
          .then(() => log.close())
          .then(() => {
            reply({ kind: 'closed' });
            for (const link of data.links) link?.close();
            port.close();
          });
        return;
      default:
    }
  });
  reply({ kind: 'ready', value: null });
} catch (error) {
  reply({ kind: 'failed', code: codeOf(error) ?? 'INTERNAL', message: messageOf(error) });
  port.close();
}

async function bind(tracker: PreparedTracker, id: number, wanted: number): Promise<void> {
  try {
    await tracker.bind(wanted);
    const bound = { port: tracker.doors[0]?.port ?? wanted, urls: tracker.addresses };
    reply({ kind: 'bound', id, bound });
  } catch (error) {
    reply({ kind: 'unbound', id, code: codeOf(error) ?? 'INTERNAL', message: messageOf(error) });
  }
}

function linkOf({ index, links }: TrackerThreadData): WorkerLink {
  return {
    index,
    count: links.length,
    send: (to, message) => links[to]?.postMessage(message),
    onMessage: (receive) => {
      for (const [from, link] of links.entries()) {
        link?.on('message', (message: WorkerMessage) => receive(message, from));
      }
    },
  };
}

function reply(message: ThreadReply): void {
  port?.postMessage(message);
}
