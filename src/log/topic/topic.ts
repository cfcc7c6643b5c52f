// A topic: a folder of segments, its durable mark, its description, its consumers' positions.
//
//   <log>/<topic>/topic.json                  options
//   <log>/<topic>/mark                        durable mark (checkpoint.ts)
//   <log>/<topic>/producers                   who appended what last (producers.ts)
//   <log>/<topic>/<first offset>.log          segments (segment.ts)
//   <log>/<topic>/<first offset>.index        a cache (sparse-index.ts)
//   <log>/<topic>/consumers/<name>            positions (checkpoint.ts)
//   <log>/<topic>/damaged/                    copies of what was cut or could not be read
//   <log>/<topic>/removing                    where it is to begin (topic-retention.ts)
//   <log>/<topic>/compacted                   how far it was compacted (topic-compaction.ts)
//   <log>/<topic>/<first offset>.log.rewrite  a copy that was being made (segment-copy.ts)

import { codeOf, messageOf } from '#base/errors.ts';
import type { BatchRead } from '#log/batch-log.ts';
import type { TopicDescription } from '#log/descriptions.ts';
import type {
  Appended,
  AppendOptions,
  LogRecord,
  ReadOptions,
  ReadResult,
  TopicStats,
} from '#log/log.ts';
import { DamageReports } from '#log/repair/damage-reports.ts';
import { recoverTopic } from '#log/repair/recovery.ts';
import { ActiveSegment } from '#log/segment/active-segment.ts';
import { Checkpoint } from '#log/segment/checkpoint.ts';
import type { PackedRecords } from '#log/segment/packed-records.ts';
import { Producers } from './producers.ts';
import { heldIn } from './retention-guard.ts';
import { TopicCompaction } from './topic-compaction.ts';
import { TopicConsumers } from './topic-consumers.ts';
import { MARK_NAME } from './topic-files.ts';
import { TopicReader } from './topic-reader.ts';
import { TopicRetention } from './topic-retention.ts';
import { TopicRewriter } from './topic-rewriter.ts';
import { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';
import { TopicWriter } from './topic-writer.ts';

export class Topic {
  readonly state: TopicState;
  readonly damage: DamageReports;
  readonly #writer: TopicWriter;
  readonly #reader: TopicReader;
  readonly consumers: TopicConsumers;
  readonly rewriter: TopicRewriter;
  readonly #retention: TopicRetention;
  readonly #compaction: TopicCompaction;

  private constructor(
    world: TopicWorld,
    parts: {
      readonly state: TopicState;
      readonly writer: TopicWriter;
      readonly damage: DamageReports;
      readonly consumers: TopicConsumers;
    },
  ) {
    const { state, writer, damage, consumers } = parts;
    this.state = state;
    this.damage = damage;
    this.#writer = writer;
    this.#reader = new TopicReader(world, state, damage);
    this.consumers = consumers;
    this.rewriter = new TopicRewriter({ ...world, state });
    this.#retention = new TopicRetention(world, state, { consumers, roll: () => writer.roll() });
    this.#compaction = new TopicCompaction(world, state, { consumers, rewriter: this.rewriter });
  }

  /** Recovers it from whatever end it had. @throws LogError, and the disk's errors */
  static async open(
    world: TopicWorld,
    name: string,
    description: TopicDescription,
  ): Promise<Topic> {
    const { disk, folder, logger, metrics, config, epoch } = world;
    const mark = await Checkpoint.open(disk, { folder, name: MARK_NAME, epoch });
    const producers = new Producers(config.producersMax);
    await producers.load(disk, folder);
    const damage = new DamageReports(world, name);
    const recovered = await recoverTopic({
      disk,
      folder,
      logger,
      topic: name,
      mark: mark.value,
      onDamage: (place) => {
        metrics.damage.add(1);
        if (place !== undefined) damage.know(place);
      },
      onTornTail: () => metrics.tornTails.add(1),
      onStamped: (stamp, appended) => producers.note(stamp, appended),
    });
    const { segments, nextOffset, lastIsActive, lastCreatedMs } = recovered;
    producers.forgetFrom(nextOffset);
    // Before the first segment, so that one without a mark is known to have lost it. One that is there
    // already may be in the page cache alone, when its writer was killed before the sync.
    if (mark.value === undefined || segments.length === 0) {
      try {
        await mark.write(nextOffset);
      } catch (error) {
        // A full disk must not keep a log from being read; the next start tells the same again.
        if (segments.length === 0 || codeOf(error) === undefined) throw error;
        logger.warn('Cannot write the durable mark', { topic: name, error: messageOf(error) });
      }
    }
    const state = new TopicState({
      name,
      consistency: description.consistency,
      rules: description.rules,
      segments,
      nextOffset,
      readersMax: config.readersMax,
    });
    const last = lastIsActive ? segments.at(-1) : undefined;
    const active =
      last === undefined ? undefined : ActiveSegment.resume(world, last, lastCreatedMs);
    const { consumersMax } = config;
    const consumers = new TopicConsumers({ disk, folder, epoch, consumersMax }, state);
    const { rules } = description;
    const held = () => heldIn({ name, rules, consumers }, world.guards);
    const writer = new TopicWriter(world, state, { active, mark, producers, held });
    return new Topic(world, { state, writer, damage, consumers });
  }

  append(
    records: readonly LogRecord[] | PackedRecords,
    options?: AppendOptions,
  ): Promise<Appended> {
    return this.#writer.append(records, options);
  }

  read(options: ReadOptions): Promise<ReadResult> {
    return this.#reader.read(options);
  }

  readBatches(options: ReadOptions): Promise<BatchRead> {
    return this.#reader.readBatches(options);
  }

  position(consumer: string): Promise<number | undefined> {
    return this.consumers.position(consumer);
  }

  commit(consumer: string, offset: number): Promise<void> {
    return this.consumers.commit(consumer, offset);
  }

  /** Counts, how far each consumer is behind, and what retention waits for. @throws the disk's error */
  async stats(): Promise<TopicStats> {
    const consumers = await this.consumers.stats();
    const retention = this.#retention.stats;
    return {
      ...this.state.stats,
      ...(consumers.length === 0 ? undefined : { consumers }),
      ...(retention === undefined ? undefined : { retention }),
    };
  }

  /** What retention and compaction have to do by now. @throws the signal's reason */
  async keepHouse(signal: AbortSignal): Promise<void> {
    if (this.state.isClosed) return;
    await this.#retention.run(signal);
    await this.#compaction.run(signal);
  }

  /** Readers that wait end with LOG_CLOSED; appends that wait are written. Idempotent. */
  async close(): Promise<void> {
    try {
      await this.#writer.close();
      await this.rewriter.idle();
    } finally {
      this.state.isClosed = true;
      this.state.wakeReaders();
    }
  }
}
