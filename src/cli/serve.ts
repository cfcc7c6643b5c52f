// The server: every room built from real parts, joined, and taken down in order.
//
//   start   lock the folder - log thread - SQL and migrations - ledger - tracker threads (baselines,
//           then doors) - outbox relay - control socket - first-run link - the site's port, last
//   stop    the site's port - control socket - ledger and relay - tracker threads (flush their
//           records) - log thread - SQL - the lock
//
// A thread that dies, or a part that fails for good, ends the process with exit code 1: a restart
// recovers from what is on disk, a half-alive server does not.

import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { completedCounts } from '#accounting/totals.ts';
import { TransferFeed } from '#accounting/transfers/transfer-feed.ts';
import { toHex } from '#base/bytes.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import { type Random, SeededRandom, SystemRandom } from '#base/random.ts';
import { Stop } from '#base/stop.ts';
import type { Config } from '#config/schema.ts';
import type { Scheduler } from '#jobs/scheduler.ts';
import { PortLog } from '#log/port/port-log.ts';
import type { RewritingLog } from '#log/rewriting-log.ts';
import { Registry, renderCollected } from '#metrics/registry.ts';
import { type AddonPlace, loadAddon } from '#net/addon.ts';
import { migrate } from '#sql/migrate.ts';
import { openSql } from '#sql/open.ts';
import { OutboxRelay, outboxPending } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import { Swarm } from '#swarm/swarm.ts';
import { reserveTrackerMemory, type TrackerMemory } from '#tracker/workers.ts';
import { findOrBuildAddon } from './addon-build.ts';
import { openArchiveDoors } from './archive-parts.ts';
import { startArchivePeer } from './archive-peer.ts';
import { archivePeerId } from './archive-swarms.ts';
import { BannedNetworks } from './banned-networks.ts';
import { runRoomsCommand } from './commands/commands.ts';
import { ControlServer, socketPathFor } from './control-socket.ts';
import type { DataFolder } from './data-folder.ts';
import { tellStore } from './doctor/tell-store.ts';
import { healthOf } from './health.ts';
import { runUntilInForce } from './in-force.ts';
import { buildScheduler } from './jobs.ts';
import { siteWithLog } from './log-http.ts';
import { openMachine } from './machine.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Rights } from './rights.ts';
import type { Rooms, ServerStatus } from './rooms.ts';
import { announceEverything, buildSite, firstRunLink, isAdminBy, swarmsOf } from './site-parts.ts';
import { SitePort } from './site-port.ts';
import { StoreDoors } from './store-doors.ts';
import { openStoreRooms, type StoreRooms } from './store-rooms.ts';
import { Diagnosis, type ServerLogging } from './support/diagnosis.ts';
import { threadUrl } from './thread-url.ts';
import type { LogThreadData } from './threads/log-thread.ts';
import { ServerThread } from './threads/thread.ts';
import { createTopics } from './topics.ts';
import { TrackerThreads, type TrackerThreadsData } from './tracker-threads.ts';

/** A part that does not stop in this time is named and left behind. */
const STOP_PART_MS_MAX = 8_000;

export interface ServeWorld {
  readonly folder: DataFolder;
  readonly config: Config;
  readonly logger: Logger;
  /** What `logger` is of. */
  readonly logging: ServerLogging;
  /** Lines for the person who started the server. */
  readonly say: (line: string) => void;
  /** Of a start as root for another user: ports are bound with root's rights, then those end. */
  readonly rights?: Rights;
  /**
   * Runs when the tracker's doors answer and before the site's port opens; what it returns is closed
   * while the tracker still answers.
   */
  readonly beforeSite?: (running: RunningRooms) => Promise<{ close(): Promise<void> }>;
}

export interface RunningRooms {
  readonly rooms: Rooms;
  /** Every door of the tracker: `http://127.0.0.1:6969`, `udp://[::1]:6969`. */
  readonly trackerUrls: readonly string[];
}

interface Parts extends StoreRooms {
  readonly sql: Sql;
  readonly log: RewritingLog;
  readonly relay: OutboxRelay;
  readonly ledger: Ledger;
  readonly jobs: Scheduler;
  readonly tracker: TrackerThreads;
  /** As `RunningRooms.trackerUrls`. */
  readonly trackerUrls: readonly string[];
}

export class Server {
  readonly #world: ServeWorld;
  readonly #clock: Clock = new SystemClock();
  readonly #random: Random = new SystemRandom();
  readonly #archivePeerId = archivePeerId(this.#random);
  readonly #metrics = new Registry();
  readonly #stop: Stop;
  readonly #threads: ServerThread[] = [];
  readonly #sitePort: SitePort;
  readonly #startedMs: number;
  readonly #addon: AddonPlace;
  readonly #socketsLine: string;

  private constructor(world: ServeWorld) {
    this.#world = world;
    this.#addon =
      world.config.tracker.sockets === 'node'
        ? { why: 'the setting tracker.sockets says so' }
        : findOrBuildAddon({ folders: [join(world.folder.path, 'addon')] });
    const loaded = loadAddon(this.#addon);
    this.#socketsLine = 'why' in loaded ? `sockets: node (${loaded.why})` : 'sockets: batched';
    this.#stop = new Stop({ clock: this.#clock, logger: world.logger });
    this.#startedMs = this.#clock.nowMs();
    this.#sitePort = new SitePort(
      {
        ...{ config: world.config, logger: world.logger },
        ...{ clock: this.#clock, random: this.#random, metrics: () => this.#renderMetrics() },
      },
      this.#stop,
    );
  }

  /** Resolves when every door and the site's port answer. What was opened is closed on failure. */
  static async start(world: ServeWorld): Promise<Server> {
    const server = new Server(world);
    try {
      await server.#open();
      return server;
    } catch (error) {
      // The first error tells why; what closing says about half-opened parts adds nothing.
      await server.close().catch(() => undefined);
      throw error;
    }
  }

  /** Resolves with the first failure of a part; never while all goes well. */
  get failed(): Promise<Error> {
    return this.#stop.failed;
  }

  /** Takes everything down in order; idempotent. */
  close(): Promise<void> {
    return this.#stop.close(STOP_PART_MS_MAX);
  }

  async #open(): Promise<void> {
    const { folder, config, logger } = this.#world;
    this.#world.say(this.#socketsLine);
    // A key file that is no key is told before anything runs that would have to be ended.
    folder.makeSecrets(this.#random);
    const sql = await openSql({
      url: config.sql.url,
      folder: folder.folder('sql'),
      config: config.sql,
      logger: logger.for('sql'),
      clock: this.#clock,
      onDeath: (error) => this.#stop.own('SQL thread', Promise.reject(error)),
    });
    this.#stop.closeLater('SQL', () => sql.close());
    await migrate(sql, MIGRATIONS, { clock: this.#clock });
    const logThread = await this.#startLog();
    const log = await this.#connectLog(logThread);
    const memory = Swarm.reserve(config.swarm);
    const swarm = new Swarm({
      memory,
      clock: this.#clock,
      random: new SeededRandom(this.#random.u32(), this.#random.u32()),
      config: config.swarm,
    });
    const trackerMemory = reserveTrackerMemory(config, {
      random: this.#random,
      nowMs: this.#clock.nowMs(),
    });
    const ledger = await this.#openLedger({ sql, log, swarm, trackerMemory });
    const shared = { swarmMemory: memory, trackerMemory };
    const { tracker, trackerUrls } = await this.#startTracker(logThread, shared);
    for (const [torrentId, completed] of await completedCounts(sql)) {
      swarm.setCompleted(torrentId, completed);
    }
    const relay = this.#startRelay(sql, log);
    this.#stop.own('ledger', ledger.run(this.#stop.signal));
    const base = { sql, log, relay, ledger, ...this.#openStore(sql, log, swarm), tracker };
    const jobs = await this.#startJobs(base, swarm);
    await this.#openPorts({ ...base, jobs, trackerUrls }, swarm);
    this.#stop.own('look at the store', tellStore(base, this.#world, this.#stop.signal));
  }

  async #startLog(): Promise<ServerThread> {
    const { folder, config } = this.#world;
    const data: LogThreadData = {
      folder: folder.folder('log'),
      config: config.log,
      addon: this.#addon,
      levels: this.#world.logging.levels.table,
    };
    const url = threadUrl(import.meta.url, 'threads/log-thread');
    const thread = this.#startThread('log', { url, data });
    await thread.ready();
    return thread;
  }

  async #connectLog(thread: ServerThread): Promise<RewritingLog> {
    const { port1, port2 } = new MessageChannel();
    thread.give(port2);
    const log = await PortLog.connect(port1);
    this.#stop.closeLater('log connection', () => log.close());
    await createTopics(log);
    return log;
  }

  #startThread(
    name: string,
    start: {
      readonly url: URL;
      readonly data: unknown;
      readonly transfer?: readonly MessagePort[];
    },
  ): ServerThread {
    const thread = new ServerThread(name, start);
    this.#threads.push(thread);
    this.#stop.own(`${name} thread`, thread.died);
    this.#stop.closeLater(`${name} thread`, () => thread.close());
    return thread;
  }

  async #openLedger(parts: {
    readonly sql: Sql;
    readonly log: RewritingLog;
    readonly swarm: Swarm;
    readonly trackerMemory: TrackerMemory;
  }): Promise<Ledger> {
    const config = this.#world.config.accounting;
    const memory = parts.trackerMemory.queue;
    const ledger = await Ledger.open({
      sql: parts.sql,
      log: parts.log,
      clock: this.#clock,
      logger: this.#world.logger.for('ledger'),
      metrics: this.#metrics,
      config,
      feed: new TransferFeed({ memory, clock: this.#clock, config }),
    });
    ledger.onCompleted((torrentId, completed) => parts.swarm.setCompleted(torrentId, completed));
    return ledger;
  }

  async #startTracker(
    logThread: ServerThread,
    shared: Pick<TrackerThreadsData, 'swarmMemory' | 'trackerMemory'>,
  ): Promise<Pick<Parts, 'tracker' | 'trackerUrls'>> {
    const { folder, config, say } = this.#world;
    const data: TrackerThreadsData = {
      ...shared,
      baselinesFolder: folder.folder('baselines'),
      trackerFolder: folder.folder('tracker'),
      connectionKey: folder.secret('connection-id', this.#random),
      config: { tracker: config.tracker, swarm: config.swarm, accounting: config.accounting },
      addon: this.#addon,
      levels: this.#world.logging.levels.table,
    };
    const tracker = new TrackerThreads({
      clock: this.#clock,
      url: threadUrl(import.meta.url, 'threads/tracker-thread'),
      data,
      connectLog: () => {
        const { port1, port2 } = new MessageChannel();
        logThread.give(port2);
        return port1;
      },
    });
    this.#threads.push(...tracker.threads);
    for (const thread of tracker.threads) this.#stop.own(`${thread.name} thread`, thread.died);
    this.#stop.closeLater('tracker threads', () => tracker.close());
    await tracker.ready();
    const trackerUrls = await this.#bindPorts(tracker);
    tracker.serve();
    say(`tracker: ${trackerUrls.join(' ')}`);
    return { tracker, trackerUrls };
  }

  /** Rights that binding may need are given up when all ports are bound (T26). */
  async #bindPorts(tracker: TrackerThreads): Promise<readonly string[]> {
    const { rights } = this.#world;
    if (rights === undefined) return await tracker.bind();
    const urls = await rights.asRoot(async () => {
      const bound = await tracker.bind();
      await this.#sitePort.bind();
      return bound;
    });
    rights.drop();
    return urls;
  }

  #startRelay(sql: Sql, log: RewritingLog): OutboxRelay {
    const relay = new OutboxRelay({
      sql,
      log,
      clock: this.#clock,
      logger: this.#world.logger.for('outbox'),
      metrics: this.#metrics,
      config: this.#world.config.sql,
      onDiverged: (reason) => {
        this.#world.logger.warn('The trackers are told everything again', { reason });
        const told = announceEverything(sql, this.#world.config).then(() => relay.wake());
        this.#stop.own('announcing everything', told);
      },
    });
    this.#stop.own('outbox relay', relay.run(this.#stop.signal));
    return relay;
  }

  async #openPorts(parts: Parts, swarm: Swarm): Promise<void> {
    const { folder, logger, say } = this.#world;
    const rooms = this.#roomsOf(parts);
    const control = await ControlServer.listen(
      socketPathFor(folder.path),
      (command, input, output) =>
        runUntilInForce({ ...parts, clock: this.#clock, logger }, rooms, output.signal, (own) =>
          runRoomsCommand(own, { command, input }, output),
        ),
    );
    this.#stop.closeLater('control socket', () => control.close());
    folder.announceServer({ pid: process.pid, socketPath: control.path });
    const { beforeSite } = this.#world;
    if (beforeSite !== undefined) {
      const more = await beforeSite({ rooms, trackerUrls: parts.trackerUrls });
      this.#stop.closeLater('what was started before the site', () => more.close());
    }
    const archivePeerId = this.#archivePeerId;
    const metrics = this.#metrics;
    const startedMs = this.#startedMs;
    const doors = openArchiveDoors(rooms, this.#addon);
    const site = buildSite({
      ...{ rooms, swarm, archivePeerId, metrics, logger: logger.for('site') },
      content: doors.content,
      machine: openMachine({ rooms, trackerUrls: parts.trackerUrls, startedMs }, this.#stop),
    });
    const firstRun = await firstRunLink(rooms);
    if (firstRun !== undefined) say(`first run: ${firstRun}`);
    const token = toHex(folder.secret('log-api', this.#random));
    const banned = new BannedNetworks(rooms);
    const logRights = { token, isAdmin: (cookies: string) => isAdminBy(rooms, cookies), banned };
    await startArchivePeer({ rooms, swarm, peerId: archivePeerId, metrics }, this.#stop);
    this.#stop.closeLater('web seed', () => doors.close());
    const storeDoors = await StoreDoors.open(rooms, socketPathFor(folder.path, 'store'), banned);
    const besidePages = rooms.keepers.beside(siteWithLog(site, parts.log, logRights));
    this.#sitePort.answer({ site: storeDoors.beside(besidePages), doors, storeDoors, banned });
    await this.#sitePort.bind();
    this.#stop.closeLater('store doors', () => storeDoors.close());
    say(`site: ${this.#sitePort.url}`);
  }

  async #startJobs(
    {
      sql,
      log,
      relay,
      ledger,
      store,
      care,
      archive,
      events,
      keepers,
      tracker,
    }: Omit<Parts, 'jobs' | 'trackerUrls'>,
    swarm: Swarm,
  ): Promise<Scheduler> {
    const { folder, config, logger } = this.#world;
    const jobs = buildScheduler({
      folder,
      config,
      sql,
      log,
      logger,
      clock: this.#clock,
      random: this.#random,
      metrics: this.#metrics,
      store,
      care,
      archive,
      events,
      keepers,
      swarms: swarmsOf(swarm, this.#archivePeerId),
      health: healthOf({
        clock: this.#clock,
        ledgerLag: () => ledger.lag,
        tracker: async () => {
          const { swarm: swarms, requests } = await tracker.status();
          return { peers: swarms.peers, announces: requests.announces };
        },
        memoryBytes: () => process.memoryUsage.rss(),
      }),
      changed: () => relay.wake(),
    });
    await jobs.prepare();
    this.#stop.own('jobs', jobs.run(this.#stop.signal));
    return jobs;
  }

  #openStore(sql: Sql, log: RewritingLog, swarm: Swarm): StoreRooms {
    const rooms = openStoreRooms({
      ...{ ...this.#world, sql, log, clock: this.#clock, random: this.#random },
      ...{ metrics: this.#metrics, addon: () => this.#addon },
      swarms: swarmsOf(swarm, this.#archivePeerId),
      closeLater: (name, close) => this.#stop.closeLater(name, close),
    });
    const { signal } = this.#stop;
    this.#stop.own('store syncs', rooms.syncs.run(signal));
    this.#stop.own('archive events', rooms.events.run(signal));
    this.#stop.own('keepers', rooms.keepers.run(signal));
    return rooms;
  }

  #roomsOf(parts: Parts): Rooms {
    const { folder, config, logger } = this.#world;
    const { store, care, syncs, archive, events, keepers } = parts;
    return {
      dataPath: folder.path,
      config,
      clock: this.#clock,
      random: this.#random,
      logger,
      sql: parts.sql,
      log: parts.log,
      store,
      care,
      syncs,
      archive,
      events,
      keepers,
      jobs: parts.jobs,
      changed: () => parts.relay.wake(),
      withLedgerPaused: (run) => parts.ledger.paused(run),
      status: () => this.#status(parts),
      diagnosis: new Diagnosis({
        logging: this.#world.logging,
        threads: this.#threads,
        metrics: () => this.#renderMetrics(),
      }),
    };
  }

  async #status(parts: Parts): Promise<ServerStatus> {
    return {
      startedMs: this.#startedMs,
      sockets: this.#socketsLine,
      ledgerLag: parts.ledger.lag,
      controlLag: await outboxPending(parts.sql),
      tracker: await parts.tracker.status(),
    };
  }

  async #renderMetrics(): Promise<string> {
    const others = await Promise.all(this.#threads.map((thread) => thread.metrics()));
    return renderCollected([this.#metrics.collect(), ...others]);
  }
}
