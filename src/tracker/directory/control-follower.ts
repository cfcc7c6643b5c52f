// Follows the topic `control` into the directory: the snapshot first, then every record after it, in
// order, each change of the outbox once. When the log cannot be read the directory stays as it is,
// the tracker goes on from what it knows and says so, and the follower tries again until it catches
// up.

import { type Clock, sleep } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Log, ReadResult } from '#log/log.ts';
import type { Registry } from '#metrics/registry.ts';
import { decodeControl } from '#wire/control-message.ts';
import { type ControlPosition, ControlSnapshot } from './control-snapshot.ts';
import type { Directory } from './directory.ts';

const TOPIC = 'control';
const READ_RECORDS_MAX = 1000;
const READ_WAIT_MS = 10_000;
const RETRY_MS = 1000;
/** A record of the outbox is applied within this many seconds, or somebody should look. */
const LAG_SECONDS_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];

export interface ControlStatus {
  /** The next record to read. */
  readonly appliedOffset: number;
  readonly appliedOutboxId: number;
  /** Unix milliseconds of the last change applied; 0 before the first. */
  readonly lastAppliedMs: number;
  /** From the record's append until it was in force, of the last change applied. */
  readonly lastLagMs: number;
  /** False while the log cannot be read. */
  readonly connected: boolean;
}

export interface ControlFollowerWorld {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly directory: Directory;
  /** The tracker's own folder, for the snapshot. */
  readonly folder: string;
}

export class ControlFollower {
  readonly #world: ControlFollowerWorld;
  readonly #snapshot: ControlSnapshot;
  readonly #lag: ReturnType<Registry['histogram']>;
  readonly #applied: ReturnType<Registry['counter']>;
  readonly #gaps: ReturnType<Registry['counter']>;
  #offset = 0;
  #outboxId = 0;
  #snapshotOffset = -1;
  #lastAppliedMs = 0;
  #lastLagMs = 0;
  #connected = true;

  constructor(world: ControlFollowerWorld) {
    const { metrics } = world;
    this.#world = world;
    this.#snapshot = new ControlSnapshot(world);
    this.#lag = metrics.histogram(
      'swarmkeep_control_lag_seconds',
      'From a change being in the log until it was in force at the tracker.',
      LAG_SECONDS_BOUNDS,
    );
    this.#applied = metrics.counter(
      'swarmkeep_control_applied_total',
      'Changes of members, torrents and settings applied by the tracker.',
    );
    this.#gaps = metrics.counter(
      'swarmkeep_control_gap_records_total',
      'Control records that damage took away before the tracker read them.',
    );
  }

  get status(): ControlStatus {
    return {
      appliedOffset: this.#offset,
      appliedOutboxId: this.#outboxId,
      lastAppliedMs: this.#lastAppliedMs,
      lastLagMs: this.#lastLagMs,
      connected: this.#connected,
    };
  }

  /** Reads snapshot and topic up to its present end: the directory then is as the site is. */
  async start(): Promise<void> {
    const { log, logger } = this.#world;
    await log.createTopic(TOPIC, { consistency: 'durable' });
    const position = await this.#readSnapshot();
    if (position !== undefined) {
      if (position.logId === log.id && position.epoch === log.epoch) {
        this.#offset = position.offset;
        this.#outboxId = position.outboxId;
        this.#snapshotOffset = position.offset;
      } else {
        logger.warn('the snapshot is of another log: reading the topic from its beginning');
        this.#world.directory.clear();
      }
    }
    while ((await this.#step(0, undefined)) > 0) {}
  }

  /** Follows until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#step(READ_WAIT_MS, signal);
        if (!this.#connected) this.#world.logger.info('the topic control can be read again');
        this.#connected = true;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#connected) {
          this.#world.logger.warn('the topic control cannot be read: going on from what is known', {
            cause: messageOf(error),
          });
        }
        this.#connected = false;
        await sleep(this.#world.clock, RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  /** Writes a snapshot when something changed since the last one. */
  async writeSnapshot(): Promise<void> {
    const { log, directory } = this.#world;
    if (this.#snapshotOffset === this.#offset) return;
    const position: ControlPosition = {
      logId: log.id,
      epoch: log.epoch,
      offset: this.#offset,
      outboxId: this.#outboxId,
    };
    // A copy, because writing waits for the disk and changes go on meanwhile.
    await this.#snapshot.write(position, [...directory.messages()]);
    this.#snapshotOffset = position.offset;
  }

  async #readSnapshot(): Promise<ControlPosition | undefined> {
    const { directory, logger } = this.#world;
    try {
      return await this.#snapshot.read((message) => directory.apply(message));
    } catch (error) {
      if (codeOf(error) !== 'TRACKER_SNAPSHOT_DAMAGED') throw error;
      logger.error('the snapshot of members and torrents is damaged and was set aside', {
        cause: messageOf(error),
      });
      directory.clear();
      await this.#snapshot.setAside();
      return undefined;
    }
  }

  /** One read, applied. Returns how far it came. */
  async #step(waitMs: number, signal: AbortSignal | undefined): Promise<number> {
    const result = await this.#read(waitMs, signal);
    const { clock, directory, logger } = this.#world;
    for (const gap of result.gaps) {
      this.#gaps.add(gap.next - gap.first);
      logger.error('control records are lost to damage: some changes are not in force', {
        first: gap.first,
        next: gap.next,
        reason: gap.reason,
        remedy: 'change the members and torrents concerned again on the site',
      });
    }
    const nowMs = clock.nowMs();
    for (const record of result.records) {
      const decoded = decodeControl(record.value);
      // A kind of a newer version, or a change that a crashed relay appended again.
      if (decoded === undefined || decoded.outboxId <= this.#outboxId) continue;
      directory.apply(decoded.message);
      this.#outboxId = decoded.outboxId;
      this.#lastAppliedMs = nowMs;
      this.#lastLagMs = Math.max(0, nowMs - record.timeMs);
      this.#lag.observe(this.#lastLagMs / 1000);
      this.#applied.add(1);
    }
    const came = result.nextOffset - this.#offset;
    this.#offset = result.nextOffset;
    return came;
  }

  async #read(waitMs: number, signal: AbortSignal | undefined): Promise<ReadResult> {
    const { log, logger, directory } = this.#world;
    const more = { recordsMax: READ_RECORDS_MAX, waitMs, ...(signal !== undefined && { signal }) };
    try {
      return await log.read(TOPIC, { from: this.#offset, ...more });
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'LOG_OFFSET_REMOVED' && code !== 'LOG_OFFSET_BEYOND_END') throw error;
      // What is there of the topic always holds the newest message of everything.
      logger.warn('the position in the topic control is gone: reading it from its beginning', {
        offset: this.#offset,
        code,
      });
      directory.clear();
      this.#outboxId = 0;
      const result = await log.read(TOPIC, { from: 'beginning', ...more, waitMs: 0 });
      this.#offset = 0;
      return result;
    }
  }
}
