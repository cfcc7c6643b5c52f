// A tracker: everything it needs comes in as one `world`, and it comes out with its doors open.
//
//   start   members and torrents from snapshot and topic `control` - baselines into the swarm -
//           the doors, UDP and HTTP on every address
//   close   the doors take nothing new - records in flight are settled, answers that wait go out -
//           snapshots of baselines, members and torrents
//
// Several threads may each run one over the same swarm and the same doors: see workers.ts.

import { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import type { AccountingConfig } from '#accounting/config.ts';
import { capacityOf, type TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import type { TransferWriter } from '#accounting/transfers/transfer-writer.ts';
import { type Clock, HeldClock } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Log } from '#log/log.ts';
import type { Registry } from '#metrics/registry.ts';
import { nodeTcp } from '#net/tcp-node.ts';
import type { OpenTcp } from '#net/tcp-server.ts';
import { nodeUdp } from '#net/udp-node.ts';
import type { OpenUdp } from '#net/udp-socket.ts';
import type { EndedAddresses } from '#swarm/baseline-keeper.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';
import { AddressMemory } from '#tracker/announce/address-memory.ts';
import { Admission } from '#tracker/announce/admit.ts';
import { Announcer } from '#tracker/announce/announce.ts';
import { keepRecords, queueToKeeper } from '#tracker/announce/record-queues.ts';
import { isUnregistered, TlsTorrents } from '#tracker/announce/tls-torrents.ts';
import { UndoRing } from '#tracker/announce/undo-ring.ts';
import { ControlFollower } from '#tracker/directory/control-follower.ts';
import { Directory, type DirectoryTorrent } from '#tracker/directory/directory.ts';
import { ClientAddresses } from '#tracker/http/client-address.ts';
import { FormerUrls } from '#tracker/http/former-urls.ts';
import { FullScrapes } from '#tracker/http/full-scrape.ts';
import { HttpDoor } from '#tracker/http/http-door.ts';
import { StatusPage } from '#tracker/http/status-page.ts';
import { ConnectionIds } from '#tracker/udp/connection-id.ts';
import { UdpDoor } from '#tracker/udp/udp-door.ts';
import type { WebRtcRelay } from '#tracker/websocket/webrtc-relay.ts';
import { WsCounts } from '#tracker/websocket/ws-counts.ts';
import { WsDoor } from '#tracker/websocket/ws-door.ts';
import { wsLimits } from '#tracker/websocket/ws-limits.ts';
import type { TrackerConfig } from './config.ts';
import { DoorLatency } from './door-latency.ts';
import { type DoorAddress, Doors } from './doors.ts';
import { Housekeeping } from './housekeeping.ts';
import { announceLimits, checkIntervals } from './intervals.ts';
import { Scraper } from './scrape.ts';
import { TrackerCounts } from './tracker-counts.ts';
import type { TrackerStats } from './tracker-stats.ts';
import {
  answerFinds,
  KEEPER,
  RemoteBaselines,
  reserveTrackerMemory,
  soleLink,
  type TrackerMemory,
  type WorkerLink,
  WorkerMail,
} from './workers.ts';

const SCRAPE_HASHES_MAX = 100;
/** For how many announce intervals an announce proves an address for UDP scrapes (T6). */
const SCRAPE_INTERVALS = 2;
/** How long kept-alive connections may take to read their last answers. */
const CLOSE_LINGER_MS = 1000;

export interface TrackerWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Stays its owner's; the tracker creates its topics when they are missing. */
  readonly log: Log;
  /** From Swarm.reserve() with `config.swarm`. */
  readonly swarmMemory: SharedArrayBuffer;
  /** Where silent baselines are kept. */
  readonly baselinesFolder: string;
  /** Where the snapshot of members and torrents is kept. */
  readonly trackerFolder: string;
  /** Signs connection ids: 16 bytes or more, the same over restarts and on all nodes. */
  readonly connectionKey: Uint8Array;
  readonly config: {
    readonly tracker: TrackerConfig;
    readonly swarm: SwarmConfig;
    readonly accounting: AccountingConfig;
  };
  /** Node's own sockets unless given. */
  readonly openUdp?: OpenUdp;
  readonly openTcp?: OpenTcp;
  /** For `tracker.tlsPort`. */
  readonly openTls?: OpenTcp;
  /** Among the threads of one tracker; absent when this is the only one. */
  readonly worker?: { readonly link: WorkerLink; readonly memory: TrackerMemory };
  /** Carries offers and answers between the trackers of one swarm; by `worker` unless given. */
  readonly relay?: WebRtcRelay;
  /** A door failed for good: the owner ends the process. Unless given, the error is thrown. */
  readonly onFailed?: (error: Error) => void;
}

export interface Tracker {
  /** `udp://127.0.0.1:6969`, `http://127.0.0.1:6969`: each door as it is bound. */
  readonly addresses: readonly string[];
  readonly doors: readonly DoorAddress[];
  stats(): TrackerStats;
  /** The gauges and counters of the registry, as they are now. */
  publish(): void;
  /** Takes nothing new from here on; answers that wait still go out. */
  stopListening(): void;
  /**
   * Idempotent. Resolves when everything accepted is durable and snapshots are written. The keeper of
   * several threads is closed last.
   */
  close(): Promise<void>;
}

/** Everything but the doors stands. */
export interface PreparedTracker extends Tracker {
  /**
   * Binds the doors; several threads do so in the order of their numbers, all but the first with the
   * port that the first was given. @throws NetError
   */
  bind(port: number): Promise<void>;
  /** The doors answer from here on. */
  serve(): void;
}

/**
 * @throws TrackerError TRACKER_CONFIG_INVALID; NetError NET_BIND_FAILED, NET_ADDRESS_INVALID; errors
 *   of log and disk. Nothing stays open after an error.
 */
export async function startTracker(world: TrackerWorld): Promise<Tracker> {
  const tracker = await prepareTracker(world);
  try {
    await tracker.bind(world.config.tracker.port);
  } catch (error) {
    await tracker.close();
    throw error;
  }
  tracker.serve();
  return tracker;
}

/**
 * The steps of startTracker() apart, for several threads and for who binds ports with other rights.
 * The keeper is prepared before the others. @throws as startTracker(), but NetError
 */
export async function prepareTracker(world: TrackerWorld): Promise<PreparedTracker> {
  checkIntervals(world.config);
  const { log } = world;
  await log.createTopic(TRANSFERS_TOPIC, { consistency: 'durable' });
  const isKeeper = world.worker === undefined || world.worker.link.index === KEEPER;
  const baselines = isKeeper ? await openBaselines(world) : undefined;
  const tracker = new RunningTracker(world, buildParts(world, baselines));
  try {
    await tracker.prepare();
  } catch (error) {
    await baselines?.close();
    throw error;
  }
  return tracker;
}

function openBaselines(world: TrackerWorld): Promise<BaselineStore> {
  const { disk, log, clock, logger, config } = world;
  return BaselineStore.open({
    disk,
    folder: world.baselinesFolder,
    log,
    clock,
    logger: logger.for('baselines'),
    config: config.accounting,
  });
}

class RunningTracker implements PreparedTracker {
  readonly #world: TrackerWorld;
  readonly #parts: TrackerParts;
  readonly #stop = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(world: TrackerWorld, parts: TrackerParts) {
    this.#world = world;
    this.#parts = parts;
  }

  get doors(): readonly DoorAddress[] {
    return this.#parts.doors.addresses;
  }

  get addresses(): readonly string[] {
    return this.doors.map((door) => door.url);
  }

  async prepare(): Promise<void> {
    const { clock, logger } = this.#world;
    const { follower, directory, baselines, housekeeping, doors } = this.#parts;
    const sinceMs = clock.monotonicMs();
    await follower.start();
    // One thread brings the torrents of the directory into the swarm: two that are not equally far
    // would undo each other's changes. A member is ended by each, once it admits them no more.
    const banned: EndedAddresses = {
      has: (address, family) => directory.addressRefusal(address, family) !== undefined,
    };
    directory.observe({
      torrentAdded: (torrent) => this.#addTorrent(torrent),
      torrentRemoved: (torrentId) => this.#removeTorrent(torrentId),
      hashRemoved: (infoHash) => this.#removeHash(infoHash),
      memberEnded: (memberId, torrentId) => {
        housekeeping.endMember(memberId, torrentId);
        doors.endUnwelcome();
      },
      networkBanned: () => {
        housekeeping.endAddresses(banned);
        doors.endUnwelcome();
      },
    });
    const restored = baselines === undefined ? 0 : this.#restore(baselines);
    this.#following = follower.run(this.#stop.signal);
    housekeeping.start();
    logger.info('the tracker is ready to serve', {
      ...directory.sizes,
      baselines: restored,
      startMs: Math.round(clock.monotonicMs() - sinceMs),
    });
  }

  bind(port: number): Promise<void> {
    return this.#parts.doors.open(port);
  }

  serve(): void {
    this.#parts.doors.listen();
    this.#world.logger.info('the tracker serves', { addresses: this.addresses });
  }

  stopListening(): void {
    this.#parts.doors.stopListening();
  }

  publish(): void {
    this.#parts.housekeeping.publish();
  }

  stats(): TrackerStats {
    const { directory, swarm, follower, counts, announcer, queue, doors, wsCounts } = this.#parts;
    const { members, torrents } = directory.sizes;
    return {
      addresses: this.addresses,
      mode: directory.settings.mode,
      swarm: swarm.totals(),
      directory: { members, torrents },
      control: follower.status,
      requests: counts.totals(),
      waiting: announcer.waiting,
      recordsPending: queue.pending,
      backPressured: counts.backPressured,
      recordsLost: counts.recordsLost,
      httpConnections: doors.httpConnections,
      webSocket: wsCounts.totals(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { doors, queue, writer, announcer, housekeeping, baselines } = this.#parts;
    this.#stop.abort();
    await this.#following;
    doors.stopListening();
    announcer.stop();
    await (writer?.close() ?? queue.settled());
    queue.close();
    // Whoever waits for an append has its answer; who waits for a look-up is told to try again.
    announcer.close();
    await doors.close(CLOSE_LINGER_MS);
    await housekeeping.close();
    await baselines?.close();
  }

  #addTorrent(torrent: DirectoryTorrent): void {
    if (!this.#isKeeper) return;
    if (this.#parts.swarm.addTorrent(torrent.torrentId, hashesOf(torrent))) return;
    this.#world.logger.error('no room for a torrent: its announces are refused', {
      torrentId: torrent.torrentId,
      remedy: 'raise swarm.torrentsMax and restart',
    });
  }

  #removeTorrent(torrentId: number): void {
    if (this.#isKeeper) this.#parts.swarm.removeTorrent(torrentId);
  }

  #removeHash(infoHash: Uint8Array): void {
    const { swarm, tlsTorrents } = this.#parts;
    for (const hash of [infoHash, tlsTorrents?.hashOf(infoHash)]) {
      const torrentId = hash === undefined ? 0 : swarm.torrentByHash(hash);
      if (isUnregistered(torrentId)) swarm.removeTorrent(torrentId);
    }
  }

  get #isKeeper(): boolean {
    return this.#parts.baselines !== undefined;
  }

  /** Baselines of clients that may still be there go into the swarm, the rest stay on disk. */
  #restore(baselines: BaselineStore): number {
    const { clock, config } = this.#world;
    const { swarm } = this.#parts;
    const sinceSeconds = Math.floor((clock.nowMs() - config.swarm.baselineSilentMs) / 1000);
    let restored = 0;
    for (const some of baselines.recent(sinceSeconds)) {
      restored += swarm.restoreBaselines(some[0]!.torrentId, some);
    }
    return restored;
  }
}

interface TrackerParts {
  readonly swarm: Swarm;
  readonly tlsTorrents: TlsTorrents | undefined;
  readonly directory: Directory;
  readonly follower: ControlFollower;
  readonly queue: TransferQueue;
  /** The keeper's. */
  readonly baselines: BaselineStore | undefined;
  readonly writer: TransferWriter | undefined;
  readonly announcer: Announcer;
  readonly counts: TrackerCounts;
  readonly wsCounts: WsCounts;
  readonly housekeeping: Housekeeping;
  readonly doors: Doors;
}

function buildParts(world: TrackerWorld, baselines: BaselineStore | undefined): TrackerParts {
  const { random, logger, metrics, log, config } = world;
  const mail = new WorkerMail(world.worker?.link ?? soleLink);
  const memory =
    world.worker?.memory ?? reserveTrackerMemory(config, { random, nowMs: world.clock.nowMs() });
  const clock = new HeldClock(world.clock);
  const swarm = new Swarm({ memory: world.swarmMemory, clock, random, config: config.swarm });
  const directory = newDirectory(config.tracker);
  const isTogether = config.tracker.openModeTlsTogether;
  const tlsTorrents = isTogether ? undefined : new TlsTorrents(world.connectionKey);
  const admission = new Admission({ directory, swarm, tlsTorrents });
  const counts = new TrackerCounts(metrics);
  const wsCounts = new WsCounts(metrics);
  const addresses = new AddressMemory({
    clock,
    memory: memory.addresses,
    announcedMsMax: config.tracker.announceIntervalMs * SCRAPE_INTERVALS,
    staleMax: config.tracker.staleAnswersPerAddressMax,
  });
  const records = { clock, mail, memory: memory.queue, config: config.accounting };
  const onLost = (newest: number, count: number): void => announcer.onLost(newest, count);
  const writer =
    baselines && keepRecords({ ...records, log, metrics, onLost, logger: logger.for('transfers') });
  const queue = writer?.queue ?? queueToKeeper(records);
  const shared = { clock, logger, metrics, swarm, directory, admission, counts, addresses };
  const { accounting } = config;
  const announcer = new Announcer({
    ...shared,
    queue,
    undo: new UndoRing(memory.undo, capacityOf(accounting)),
    baselines: baselines ?? new RemoteBaselines(mail),
    accounting,
    limits: announceLimits(config),
  });
  if (baselines !== undefined) answerFinds(mail, baselines);
  const follower = new ControlFollower({
    ...shared,
    disk: world.disk,
    log,
    logger: logger.for('control'),
    folder: world.trackerFolder,
  });
  const keeper = baselines && writer && { baselines, writer };
  const housekeeping = new Housekeeping({ ...shared, follower, config, ...(keeper && { keeper }) });
  const doors = buildDoors(world, { ...shared, announcer, wsCounts, mail });
  return {
    swarm,
    tlsTorrents,
    directory,
    follower,
    queue,
    baselines,
    writer,
    announcer,
    counts,
    wsCounts,
    housekeeping,
    doors,
  };
}

function buildDoors(
  world: TrackerWorld,
  rooms: {
    readonly swarm: Swarm;
    readonly admission: Admission;
    readonly addresses: AddressMemory;
    readonly counts: TrackerCounts;
    readonly announcer: Announcer;
    /** Stands while a batch is handled. */
    readonly clock: HeldClock;
    readonly wsCounts: WsCounts;
    readonly mail: WorkerMail;
  },
): Doors {
  const { logger, metrics } = world;
  const { clock } = rooms;
  const { peersPerAnswerMax } = world.config.swarm;
  const { retryAfterMs, udpSlotsMax, fullScrape } = world.config.tracker;
  const scraper = new Scraper(rooms, SCRAPE_HASHES_MAX);
  const connectionIds = new ConnectionIds({ clock, secret: world.connectionKey });
  const net = { clock, logger: logger.for('net'), metrics };
  const webSocket = new WsDoor({
    ...rooms,
    clock,
    scraper,
    relay: world.relay ?? rooms.mail.webRtcRelay,
    limits: wsLimits(world.config.tracker),
  });
  return new Doors({
    clock,
    logger,
    config: world.config.tracker,
    peersPerAnswerMax,
    openUdp: world.openUdp ?? nodeUdp(net),
    openTcp: world.openTcp ?? nodeTcp(net),
    openTls: world.openTls,
    onFailed: world.onFailed ?? endThread,
    worker: rooms.mail.link,
    latency: new DoorLatency({ clock: world.clock, metrics }),
    udp: new UdpDoor({ ...rooms, scraper, connectionIds, slotsMax: udpSlotsMax }),
    http: new HttpDoor({
      ...rooms,
      scraper,
      ...(fullScrape && { fullScrapes: newFullScrapes(rooms, world.config.tracker) }),
      retryAfterMs,
      peersPerAnswerMax,
      webSocket,
      clients: ClientAddresses.of(world.config.tracker),
      former: FormerUrls.of(world.config.tracker),
      statusPage: world.config.tracker.statusPage
        ? new StatusPage({ clock: world.clock, totals: () => rooms.swarm.totals() })
        : undefined,
    }),
  });
}

function newFullScrapes(
  rooms: { readonly clock: Clock; readonly swarm: Swarm },
  config: TrackerConfig,
): FullScrapes {
  const { fullScrapesMax, fullScrapeMsMax } = config;
  return new FullScrapes({ ...rooms, activeMax: fullScrapesMax, msMax: fullScrapeMsMax });
}

/** Uncaught, so the thread ends and the process with it: a restart is better than a deaf tracker. */
function endThread(error: Error): never {
  throw error;
}

function newDirectory(config: TrackerConfig): Directory {
  const { mode, clientsAllowed, clientsDenied } = config;
  return new Directory({
    settings: { mode, clientsAllowed, clientsDenied },
    removedMax: config.removedTorrentsMax,
  });
}

function hashesOf(torrent: DirectoryTorrent): { v1?: Uint8Array; v2?: Uint8Array } {
  const { v1, v2 } = torrent;
  return { ...(v1 !== undefined && { v1 }), ...(v2 !== undefined && { v2 }) };
}
