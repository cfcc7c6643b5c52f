// A topic: a folder of segments, its durable mark, its description, its consumers' positions.
//
//   <log>/<topic>/topic.json                  options
//   <log>/<topic>/mark                        durable mark (checkpoint.ts)
//   <log>/<topic>/producers                   who appended what last (producers.ts)
//   <log>/<topic>/<first offset>.log          segments (segment.ts)
//   <log>/<topic>/<first offset>.index        a cache (sparse-index.ts)
//   <log>/<topic>/consumers/<name>            positions (checkpoint.ts)
//   <log>/<topic>/damaged/                    copies of what was cut or could not be read

import { codeOf, messageOf } from '#base/errors.ts';
import { ActiveSegment } from './active-segment.ts';
import type { BatchRead } from './batch-log.ts';
import { Checkpoint } from './checkpoint.ts';
import { DamageReports } from './damage-reports.ts';
import { checkName, isTopicName, type TopicDescription } from './descriptions.ts';
import { LogError } from './errors.ts';
import type {
  Appended,
  AppendOptions,
  ConsumerStats,
  LogRecord,
  ReadOptions,
  ReadResult,
  TopicStats,
} from './log.ts';
import type { PackedRecords } from './packed-records.ts';
import { Producers } from './producers.ts';
import { recoverTopic } from './recovery.ts';
import { CONSUMERS_FOLDER, MARK_NAME } from './topic-files.ts';
import { TopicReader } from './topic-reader.ts';
import { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';
import { TopicWriter } from './topic-writer.ts';

export class Topic {
  readonly state: TopicState;
  readonly damage: DamageReports;
  readonly #world: TopicWorld;
  readonly #writer: TopicWriter;
  readonly #reader: TopicReader;
  readonly #consumers = new Map<string, Promise<Checkpoint>>();

  private constructor(
    world: TopicWorld,
    parts: {
      readonly state: TopicState;
      readonly writer: TopicWriter;
      readonly damage: DamageReports;
    },
  ) {
    const { state, writer, damage } = parts;
    this.#world = world;
    this.state = state;
    this.damage = damage;
    this.#writer = writer;
    this.#reader = new TopicReader(world, state, damage);
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
      limit: description.limit,
      segments,
      nextOffset,
      readersMax: config.readersMax,
    });
    const last = lastIsActive ? segments.at(-1) : undefined;
    const active =
      last === undefined ? undefined : ActiveSegment.resume(world, last, lastCreatedMs);
    const writer = new TopicWriter(world, state, { active, mark, producers });
    return new Topic(world, { state, writer, damage });
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

  async position(consumer: string): Promise<number | undefined> {
    checkName('consumer', consumer);
    const known = this.#consumers.get(consumer);
    if (known !== undefined) return (await known).value;
    const { disk, epoch } = this.#world;
    // Asking for one that never committed must not take its place among `consumersMax`.
    const place = { folder: this.#consumersFolder, name: consumer, epoch };
    return (await Checkpoint.open(disk, place, { settle: true })).value;
  }

  async commit(consumer: string, offset: number): Promise<void> {
    checkName('consumer', consumer);
    const { name, nextOffset } = this.state;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > nextOffset) {
      throw new LogError(
        'LOG_OFFSET_BEYOND_END',
        `Cannot commit offset ${offset} of consumer "${consumer}": topic "${name}" ends at ${nextOffset}`,
        { offset: nextOffset },
      );
    }
    const checkpoint = await this.#consumer(consumer);
    try {
      await checkpoint.write(offset);
    } catch (cause) {
      throw new LogError(
        'LOG_APPEND_FAILED',
        `Cannot write the position of consumer "${consumer}" of topic "${name}"`,
        { cause },
      );
    }
  }

  /** Counts, and how far each consumer is behind. @throws the disk's error */
  async stats(): Promise<TopicStats> {
    const consumers: ConsumerStats[] = [];
    for (const name of await this.#consumerNames()) {
      const offset = await this.#committed(name);
      // One that was cut back with the topic may stand beyond its end.
      const lag = Math.max(0, this.state.nextOffset - (offset ?? 0));
      if (offset !== undefined) consumers.push({ name, offset, lag });
    }
    const { stats } = this.state;
    return consumers.length === 0 ? stats : { ...stats, consumers };
  }

  async #consumerNames(): Promise<readonly string[]> {
    const { disk } = this.#world;
    const folder = this.#consumersFolder;
    if ((await disk.stat(folder)) === undefined) return [];
    return (await disk.list(folder)).filter(isTopicName);
  }

  /** To be looked at only: what was read is not made durable first. */
  async #committed(consumer: string): Promise<number | undefined> {
    const known = this.#consumers.get(consumer);
    if (known !== undefined) return (await known).value;
    const { disk, epoch } = this.#world;
    const place = { folder: this.#consumersFolder, name: consumer, epoch };
    return (await Checkpoint.open(disk, place)).value;
  }

  /** Readers that wait end with LOG_CLOSED; appends that wait are written. Idempotent. */
  async close(): Promise<void> {
    try {
      await this.#writer.close();
    } finally {
      this.state.isClosed = true;
      this.state.wakeReaders();
    }
  }

  get #consumersFolder(): string {
    return `${this.#world.folder}/${CONSUMERS_FOLDER}`;
  }

  #consumer(consumer: string): Promise<Checkpoint> {
    let opening = this.#consumers.get(consumer);
    if (opening === undefined) {
      opening = this.#openConsumer(consumer);
      this.#consumers.set(consumer, opening);
      opening.catch(() => this.#consumers.delete(consumer));
    }
    return opening;
  }

  async #openConsumer(consumer: string): Promise<Checkpoint> {
    const { disk, folder, config, epoch } = this.#world;
    const consumers = this.#consumersFolder;
    const path = `${consumers}/${consumer}`;
    await disk.makeFolder(consumers);
    await disk.syncFolder(folder);
    const names = new Set([...(await disk.list(consumers)), ...this.#consumers.keys()]);
    if (names.size > config.consumersMax && (await disk.stat(path)) === undefined) {
      throw new LogError(
        'LOG_CONSUMERS_FULL',
        `Cannot add consumer "${consumer}" to topic "${this.state.name}": it has ${config.consumersMax}`,
      );
    }
    return Checkpoint.open(disk, { folder: consumers, name: consumer, epoch }, { settle: true });
  }
}
