// One life of a tracker's process for simulations: its threads over one memory, without doors, on a
// simulated clock. They share one simulated thread, and what they tell each other comes late, so that
// any order of events between them can be drawn from a seed.

import type { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import type { AccountingConfig } from '#accounting/config.ts';
import { capacityOf } from '#accounting/transfers/transfer-queue.ts';
import { silentLogger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Log } from '#log/log.ts';
import { Registry } from '#metrics/registry.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';
import { AddressMemory } from '#tracker/announce/address-memory.ts';
import { Admission } from '#tracker/announce/admit.ts';
import { Announcer } from '#tracker/announce/announce.ts';
import { keepRecords, queueToKeeper } from '#tracker/announce/record-queues.ts';
import { UndoRing } from '#tracker/announce/undo-ring.ts';
import { Directory } from '#tracker/directory/directory.ts';
import { TrackerCounts } from '#tracker/tracker-counts.ts';
import {
  answerFinds,
  KEEPER,
  RemoteBaselines,
  reserveTrackerMemory,
  type TrackerMemory,
  type WorkerLink,
  WorkerMail,
  type WorkerMessage,
} from '#tracker/workers.ts';
import type { ControlMessage } from '#wire/control-message.ts';
import type { SimClock } from './clock.ts';

/** Between two threads: longer than another announce may take to come in between. */
const MESSAGE_MS = 40;
const SWEEP_MS = 45_000;

export interface TrackerProcessWorld {
  readonly clock: SimClock;
  readonly random: Random;
  readonly store: BaselineStore;
  readonly log: Log;
  readonly threads: number;
  /** Dead, what its threads have sent arrives no more. */
  readonly life: { isDead: boolean };
  readonly swarm: SwarmConfig;
  readonly accounting: AccountingConfig;
  /** Members and torrents that every thread knows from its start. */
  readonly known: readonly ControlMessage[];
  readonly waitingMax?: number;
}

/** One thread of the tracker: its own view of everything, and its own announcer. */
export class TrackerThread {
  readonly swarm: Swarm;
  readonly announcer: Announcer;

  constructor(world: TrackerProcessWorld, shared: Shared) {
    const { clock, random, accounting, store } = world;
    const metrics = new Registry();
    const { memory, swarmMemory, link } = shared;
    this.swarm = new Swarm({ memory: swarmMemory, clock, random, config: world.swarm });
    const directory = new Directory({
      settings: { mode: 'private', clientsAllowed: [], clientsDenied: [] },
      removedMax: 1,
    });
    for (const message of world.known) directory.apply(message);
    directory.observe({
      torrentAdded: ({ torrentId, v1, v2 }) => {
        this.swarm.addTorrent(torrentId, { ...(v1 && { v1 }), ...(v2 && { v2 }) });
      },
      torrentRemoved: () => undefined,
      hashRemoved: () => undefined,
      memberEnded: () => undefined,
      networkBanned: () => undefined,
    });
    const mail = new WorkerMail(link);
    const records = { clock, mail, memory: memory.queue, config: accounting };
    const onLost = (newest: number, count: number): void => this.announcer.onLost(newest, count);
    const keeps = link.index === KEEPER;
    const writing = { ...records, log: world.log, metrics, logger: silentLogger, onLost };
    const queue = keeps ? keepRecords(writing).queue : queueToKeeper(records);
    if (keeps) this.#restore(world, mail);
    this.announcer = new Announcer({
      clock,
      logger: silentLogger,
      directory,
      admission: new Admission({ directory, swarm: this.swarm }),
      swarm: this.swarm,
      queue,
      undo: new UndoRing(memory.undo, capacityOf(accounting)),
      baselines: keeps ? store : new RemoteBaselines(mail),
      addresses: new AddressMemory({
        clock,
        memory: memory.addresses,
        announcedMsMax: 1000,
        staleMax: 1,
      }),
      counts: new TrackerCounts(metrics),
      accounting,
      limits: {
        waitingMax: world.waitingMax ?? 100,
        announceIntervalMs: 1_800_000,
        announceIntervalMsMin: world.swarm.announceIntervalMsMin,
        announceJitterPercent: 0,
        peersPerAnswer: 50,
        peersPerAnswerMax: 50,
      },
    });
  }

  #restore({ clock, store, swarm }: TrackerProcessWorld, mail: WorkerMail): void {
    const since = Math.floor((clock.nowMs() - swarm.baselineSilentMs) / 1000);
    for (const some of store.recent(since)) {
      this.swarm.restoreBaselines(some[0]!.torrentId, some);
    }
    answerFinds(mail, store);
  }
}

/** What the threads of one process share. */
interface Shared {
  readonly swarmMemory: SharedArrayBuffer;
  readonly memory: TrackerMemory;
  readonly link: WorkerLink;
}

/** All of them. */
export class TrackerProcess {
  readonly threads: readonly TrackerThread[];
  readonly life: TrackerProcessWorld['life'];
  readonly #store: BaselineStore;

  constructor(world: TrackerProcessWorld) {
    const { clock, random, threads: count } = world;
    this.life = world.life;
    this.#store = world.store;
    const shared = {
      swarmMemory: Swarm.reserve(world.swarm),
      memory: reserveTrackerMemory(world, { random, nowMs: clock.nowMs() }),
    };
    const ends: ((message: WorkerMessage, from: number) => void)[] = [];
    const linkOf = (index: number): WorkerLink => ({
      index,
      count,
      // Messages of one thread to another arrive late, and in their order.
      send: (to, message) => {
        const sent = structuredClone(message);
        clock.after(MESSAGE_MS, () => {
          if (!this.life.isDead) ends[to]?.(sent, index);
        });
      },
      onMessage: (receive) => {
        ends[index] = receive;
      },
    });
    this.threads = Array.from(
      { length: count },
      (_, index) => new TrackerThread(world, { ...shared, link: linkOf(index) }),
    );
    this.#sweep(clock);
  }

  #sweep(clock: SimClock): void {
    if (this.life.isDead) return;
    this.threads[KEEPER]?.swarm.sweep(1000, (baseline) => this.#store.keep(baseline));
    clock.after(SWEEP_MS, () => this.#sweep(clock));
  }
}
