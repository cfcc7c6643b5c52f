// What a tracker does beside announces, in steps short enough that no announce waits behind one:
// ending the peers of banned members and networks, counters; and in the keeper of several threads
// sweeping dead peers, handing silent baselines to the baseline file, snapshots, gauges.

import type { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import type { AccountingConfig } from '#accounting/config.ts';
import type { TransferWriter } from '#accounting/transfers/transfer-writer.ts';
import { assert } from '#base/assert.ts';
import { type Clock, sleep, type Timer } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import type { Baseline } from '#swarm/baseline.ts';
import type { EndedAddresses } from '#swarm/baseline-keeper.ts';
import type { Swarm } from '#swarm/swarm.ts';
import type { ControlFollower } from '#tracker/directory/control-follower.ts';
import type { TrackerConfig } from './config.ts';
import type { TrackerCounts } from './tracker-counts.ts';

/** Records looked at in a row, about a millisecond; then the event loop has its turn. */
const STEP_PEERS = 5000;
/** The same where most records are only passed. */
const STEP_PASSED = 50_000;
/** Of peersMax, looked at per sweep: the whole memory is seen once a minute or so. */
const SWEEP_PART = 60;

interface Keeper {
  readonly baselines: BaselineStore;
  readonly writer: TransferWriter;
}

export interface HousekeepingWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly swarm: Swarm;
  /** What one thread keeps for all. */
  readonly keeper?: Keeper;
  readonly follower: ControlFollower;
  readonly counts: TrackerCounts;
  readonly config: { readonly tracker: TrackerConfig; readonly accounting: AccountingConfig };
}

/** Members whose peers leave: in every torrent, or in some. */
class EndingPeers {
  readonly #torrents = new Map<number, Set<number> | 'all'>();

  get size(): number {
    return this.#torrents.size;
  }

  add(memberId: number, torrentId: number | undefined): void {
    const known = this.#torrents.get(memberId);
    if (known === 'all') return;
    if (torrentId === undefined) this.#torrents.set(memberId, 'all');
    else if (known === undefined) this.#torrents.set(memberId, new Set([torrentId]));
    else known.add(torrentId);
  }

  /** Without a torrent: in any. */
  has(memberId: number, torrentId?: number): boolean {
    const torrents = this.#torrents.get(memberId);
    if (torrents === undefined) return false;
    return torrents === 'all' || torrentId === undefined || torrents.has(torrentId);
  }
}

export class Housekeeping {
  readonly #world: HousekeepingWorld;
  /** A registry's gauges are summed over the threads, so one sets them. */
  readonly #gauges: ReturnType<typeof gaugesOf> | undefined;
  readonly #sweepSeconds: ReturnType<Registry['histogram']>;
  #sweep: Timer | undefined;
  #baselineTimer: Timer | undefined;
  #controlTimer: Timer | undefined;
  #snapshotting: Promise<void> = Promise.resolve();
  #isSnapshotting = false;
  #closed = false;
  /** Whose peers are to leave: in this pass over the memory, and in the next. */
  #ending = new EndingPeers();
  #endNext = new EndingPeers();
  /** The memory is passed over for banned networks, and once more when another one was banned meanwhile. */
  #isEndingAddresses = false;
  #isAddressStepNext = false;

  constructor(world: HousekeepingWorld) {
    this.#world = world;
    this.#gauges = world.keeper === undefined ? undefined : gaugesOf(world.metrics);
    this.#sweepSeconds = world.metrics.histogram(
      'swarmkeep_tracker_sweep_seconds',
      'Time of one sweep for dead peers, without the pauses in it.',
      [0.001, 0.005, 0.01, 0.05, 0.1, 0.5],
    );
  }

  start(): void {
    if (this.#world.keeper === undefined) {
      this.#planPublish();
      return;
    }
    this.#planSweep();
    this.#planBaselineSnapshot();
    this.#planControlSnapshot();
  }

  /**
   * The member's peers, in one torrent where one is named, leave in the next moments. They are
   * admitted no more in this thread; another that still does ends it once more when it has heard of it.
   */
  endMember(memberId: number, torrentId?: number): void {
    this.#endNext.add(memberId, torrentId);
    if (this.#ending.size === 0) this.#beginEnding();
  }

  #beginEnding(): void {
    this.#ending = this.#endNext;
    this.#endNext = new EndingPeers();
    if (this.#ending.size > 0) this.#endingStep(0);
  }

  #endingStep(from: number): void {
    this.#world.clock.after(0, () => {
      if (this.#closed) return;
      const next = this.#world.swarm.removeMembers(this.#ending, from, STEP_PASSED);
      if (next === -1) this.#beginEnding();
      else this.#endingStep(next);
    });
  }

  /** Whoever is at one of these addresses leaves in the next moments; as `endMember` else. */
  endAddresses(ended: EndedAddresses): void {
    this.#isAddressStepNext = true;
    if (!this.#isEndingAddresses) this.#beginAddresses(ended);
  }

  #beginAddresses(ended: EndedAddresses): void {
    this.#isEndingAddresses = this.#isAddressStepNext;
    this.#isAddressStepNext = false;
    if (this.#isEndingAddresses) this.#addressStep(ended, 0);
  }

  #addressStep(ended: EndedAddresses, from: number): void {
    this.#world.clock.after(0, () => {
      if (this.#closed) return;
      const next = this.#world.swarm.removeAddresses(ended, from, STEP_PEERS);
      if (next === -1) this.#beginAddresses(ended);
      else this.#addressStep(ended, next);
    });
  }

  /** Ends the timers and writes both snapshots. Nothing may announce any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sweep?.cancel();
    this.#baselineTimer?.cancel();
    this.#controlTimer?.cancel();
    await this.#snapshotting;
    if (this.#world.keeper !== undefined) {
      await this.#snapshotBaselines(this.#world.keeper);
      await this.#snapshotControl();
    }
    this.publish();
  }

  /** Brings gauges and counters of the registry up to date. */
  publish(): void {
    const { swarm, follower, counts } = this.#world;
    counts.publish();
    if (this.#gauges === undefined) return;
    const totals = swarm.totals();
    this.#gauges.peers.set(totals.peers);
    this.#gauges.seeders.set(totals.seeders);
    this.#gauges.torrents.set(totals.torrents);
    this.#gauges.silent.set(totals.silentBaselines);
    this.#gauges.controlOffset.set(follower.status.appliedOffset);
    this.#gauges.controlConnected.set(follower.status.connected ? 1 : 0);
  }

  readonly #onDrop = (baseline: Baseline): void => {
    // Nobody's peers have no baseline that anybody will ask for.
    if (baseline.memberId !== 0) this.#world.keeper?.baselines.keep(baseline);
  };

  #planPublish(): void {
    const { clock, config } = this.#world;
    if (this.#closed) return;
    this.#sweep = clock.after(config.tracker.sweepIntervalMs, () => {
      this.publish();
      this.#planPublish();
    });
  }

  #planSweep(): void {
    const { clock, config } = this.#world;
    if (this.#closed) return;
    this.#sweep = clock.after(config.tracker.sweepIntervalMs, () => this.#sweepStep(0, 0));
  }

  #sweepStep(seen: number, spentMs: number): void {
    if (this.#closed) return;
    const { swarm, clock } = this.#world;
    const sinceMs = clock.monotonicMs();
    const looked = swarm.sweep(STEP_PEERS, this.#onDrop);
    const total = seen + looked;
    const nowSpentMs = spentMs + clock.monotonicMs() - sinceMs;
    const isEnd = looked < STEP_PEERS || total >= swarm.totals().peersMax / SWEEP_PART;
    if (!isEnd) {
      this.#sweep = clock.after(0, () => this.#sweepStep(total, nowSpentMs));
      return;
    }
    const isDue = this.#world.keeper?.baselines.isSnapshotDue === true;
    if (isDue && !this.#isSnapshotting) this.#startBaselineSnapshot();
    this.#sweepSeconds.observe(nowSpentMs / 1000);
    this.publish();
    this.#planSweep();
  }

  #planBaselineSnapshot(): void {
    const { clock, config } = this.#world;
    if (this.#closed) return;
    this.#baselineTimer = clock.after(config.accounting.baselineSnapshotIntervalMs, () => {
      this.#startBaselineSnapshot();
    });
  }

  #startBaselineSnapshot(): void {
    this.#baselineTimer?.cancel();
    this.#isSnapshotting = true;
    const { keeper } = this.#world;
    assert(keeper !== undefined, 'the keeper writes snapshots');
    this.#snapshotting = this.#snapshotting
      .then(() => this.#snapshotBaselines(keeper))
      .then(() => {
        this.#isSnapshotting = false;
        this.#planBaselineSnapshot();
      });
  }

  #planControlSnapshot(): void {
    const { clock, config } = this.#world;
    if (this.#closed) return;
    this.#controlTimer = clock.after(config.tracker.controlSnapshotIntervalMs, () => {
      this.#snapshotting = this.#snapshotting
        .then(() => this.#snapshotControl())
        .then(() => this.#planControlSnapshot());
    });
  }

  /** Never rejects: the one before stays, and the log makes up for what is newer. */
  async #snapshotBaselines(keeper: Keeper): Promise<void> {
    try {
      const isWritten = await this.#writeBaselines(keeper);
      if (!isWritten) this.#world.logger.info('records were lost: the old baselines stay on disk');
    } catch (error) {
      this.#world.logger.warn('no snapshot of the baselines this time: the one before stays', {
        cause: messageOf(error),
      });
    }
  }

  async #writeBaselines({ baselines, writer }: Keeper): Promise<boolean> {
    const { swarm, clock } = this.#world;
    const snapshot = await baselines.beginSnapshot(writer);
    try {
      for (let from = 0; from !== -1; ) {
        from = swarm.walkBaselines(from, STEP_PEERS, (baseline) => {
          if (baseline.memberId !== 0) snapshot.add(baseline);
        });
        // Announces have their turn between two steps; at the end there are none.
        if (!this.#closed) await sleep(clock, 0);
      }
      return await snapshot.commit();
    } finally {
      snapshot.discard();
    }
  }

  /** Never rejects. */
  async #snapshotControl(): Promise<void> {
    try {
      await this.#world.follower.writeSnapshot();
    } catch (error) {
      this.#world.logger.warn('no snapshot of members and torrents this time', {
        cause: messageOf(error),
      });
    }
  }
}

function gaugesOf(metrics: Registry) {
  return {
    peers: metrics.gauge('swarmkeep_tracker_peers', 'Peers in all swarms.'),
    seeders: metrics.gauge('swarmkeep_tracker_seeders', 'Seeders in all swarms.'),
    torrents: metrics.gauge('swarmkeep_tracker_torrents', 'Torrents the tracker serves.'),
    silent: metrics.gauge(
      'swarmkeep_tracker_silent_baselines',
      'Baselines in memory of peers that are gone.',
    ),
    controlOffset: metrics.gauge(
      'swarmkeep_control_applied_offset',
      'The next control record the tracker will read.',
    ),
    controlConnected: metrics.gauge(
      'swarmkeep_control_connected',
      '1 while the tracker can follow the topic control, else 0.',
    ),
  };
}
