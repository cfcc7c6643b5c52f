// The log over a disk, for one process (the owner of the data folder holds its lock).
//
//   <log>/log.json     id and epoch (descriptions.ts)
//   <log>/<topic>/     a topic (topic.ts)

import { assert } from '#base/assert.ts';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { OpenFiles } from '#base/open-files.ts';
import type { Random } from '#base/random.ts';
import { listSegments } from '#log/repair/recovery.ts';
import { Scrub } from '#log/repair/scrub.ts';
import type { PackedRecords } from '#log/segment/packed-records.ts';
import { SegmentIndexes } from '#log/segment/segment-indexes.ts';
import type { DeleteHook } from '#log/topic/delete-hook.ts';
import { Retention } from '#log/topic/retention.ts';
import type { RetentionGuard } from '#log/topic/retention-guard.ts';
import { Topic } from '#log/topic/topic.ts';
import { configuredRules } from '#log/topic/topic-rules.ts';
import type { TopicWorld } from '#log/topic/topic-world.ts';
import type { Registry } from '#metrics/registry.ts';
import type { BatchLog, BatchRead } from './batch-log.ts';
import type { LogConfig } from './config.ts';
import {
  checkName,
  describeTopic,
  isTopicName,
  type LogDescription,
  readLogDescription,
  readTopicDescription,
  type TopicDescription,
  writeLogDescription,
  writeTopicDescription,
} from './descriptions.ts';
import { LogError } from './errors.ts';
import type {
  Appended,
  AppendOptions,
  LogRecord,
  ReadOptions,
  ReadResult,
  TopicOptions,
  TopicStats,
} from './log.ts';
import { LogMetrics } from './log-metrics.ts';
import type { RecordChange, RewriteOptions, RewriteResult, RewritingLog } from './rewriting-log.ts';

const OPENED_AT_ONCE = 16;

export interface LocalLogWorld {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: LogConfig;
  /** Absolute; made when it is missing. Its parent exists. */
  readonly folder: string;
  /** What `rewriteSegment` may do to records, by name. */
  readonly changes?: ReadonlyMap<string, RecordChange>;
  /** Who else is asked before retention removes anything; consumers always are. */
  readonly guards?: readonly RetentionGuard[];
  /** What is done with a segment before retention removes it. */
  readonly hook?: DeleteHook | undefined;
  /** A topic could not be cut back after a failure, or our own code failed: end the process. */
  onFatal?(error: Error): void;
}

export class LocalLog implements BatchLog, RewritingLog {
  readonly id: string;
  readonly epoch: number;
  readonly #world: LocalLogWorld;
  readonly #metrics: LogMetrics;
  readonly #files: OpenFiles;
  readonly #indexes: SegmentIndexes;
  readonly #topics = new Map<string, Topic>();
  readonly #creating = new Map<string, Promise<void>>();
  #scrub: Scrub | undefined;
  #retention: Retention | undefined;
  #closing: Promise<void> | undefined;

  private constructor(world: LocalLogWorld, description: LogDescription) {
    this.id = description.id;
    this.epoch = description.epoch;
    this.#world = world;
    this.#metrics = new LogMetrics(world.metrics);
    const { disk, logger, config } = world;
    this.#files = new OpenFiles({
      disk,
      filesMax: config.openFilesMax,
      onCloseError: (error, path) =>
        logger.warn('Cannot close a segment', { path, error: messageOf(error) }),
    });
    const { indexesMax } = config;
    this.#indexes = new SegmentIndexes({ disk, files: this.#files, logger, indexesMax });
  }

  /**
   * Opens the folder, or makes it, and recovers every topic in it.
   * @throws LogError LOG_FOLDER_INVALID, LOG_VERSION_UNSUPPORTED, and the disk's errors
   */
  static async open(world: LocalLogWorld): Promise<LocalLog> {
    const { disk, folder, random } = world;
    await disk.makeFolder(folder);
    await disk.syncFolder(parentOf(folder));
    let description = await readLogDescription(disk, folder);
    if (description === undefined) {
      description = { id: toHex(random.bytes(16)), epoch: 1 };
      await writeLogDescription(disk, folder, description);
    }
    const log = new LocalLog(world, description);
    // The names of topics were synced when they were made, or are made to stay now.
    await disk.syncFolder(folder);
    await log.#openAll((await disk.list(folder)).filter(isTopicName));
    await log.#startScrub();
    log.#startRetention();
    return log;
  }

  async createTopic(topic: string, options: TopicOptions = {}): Promise<void> {
    checkName('topic', topic);
    this.#checkOpen();
    if (this.#topics.has(topic)) return;
    const creating = this.#creating.get(topic) ?? this.#create(topic, options);
    this.#creating.set(topic, creating);
    try {
      await creating;
    } finally {
      this.#creating.delete(topic);
    }
  }

  async topics(): Promise<readonly TopicStats[]> {
    this.#checkOpen();
    const names = [...this.#topics.keys()].sort();
    return names.map((name) => this.#withScrub(this.#find(name).state.stats));
  }

  async stats(topic: string): Promise<TopicStats> {
    return this.#withScrub(await this.#find(topic).stats());
  }

  append(
    topic: string,
    records: readonly LogRecord[] | PackedRecords,
    options?: AppendOptions,
  ): Promise<Appended> {
    // Not `async`, which would cost each append two more promises.
    try {
      return this.#find(topic).append(records, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async read(topic: string, options: ReadOptions): Promise<ReadResult> {
    return this.#find(topic).read(options);
  }

  async readBatches(topic: string, options: ReadOptions): Promise<BatchRead> {
    return this.#find(topic).readBatches(options);
  }

  async position(topic: string, consumer: string): Promise<number | undefined> {
    return this.#find(topic).position(consumer);
  }

  async commit(topic: string, consumer: string, offset: number): Promise<void> {
    return this.#find(topic).commit(consumer, offset);
  }

  async rewriteSegment(name: string, options: RewriteOptions): Promise<RewriteResult> {
    const topic = this.#find(name);
    const change = this.#world.changes?.get(options.change);
    assert(change !== undefined, 'the log was given every change that is asked for');
    return await topic.rewriter.next(change, options);
  }

  /** Gauges that are counted when they are asked for: how far each consumer is behind. Never rejects. */
  async refreshMetrics(): Promise<void> {
    for (const [topic, { consumers }] of this.#topics) {
      try {
        for (const { name: consumer, lag } of await consumers.stats()) {
          this.#metrics.consumerLag.set(lag, { topic, consumer });
        }
      } catch (error) {
        const said = { topic, error: messageOf(error) };
        this.#world.logger.warn('Cannot read how far the consumers of a topic are', said);
      }
    }
  }

  /** @throws LogError LOG_APPEND_FAILED when a last sync failed; every topic was closed all the same */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Segment files that are open at the moment. */
  get openFiles(): number {
    return this.#files.count;
  }

  async #close(): Promise<void> {
    await this.#scrub?.close();
    await this.#retention?.close();
    await Promise.allSettled(this.#creating.values());
    const closed = await Promise.allSettled([...this.#topics.values()].map((t) => t.close()));
    await this.#files.close();
    for (const result of closed) if (result.status === 'rejected') throw result.reason;
  }

  async #startScrub(): Promise<void> {
    const { disk, clock, logger, config, folder, onFatal } = this.#world;
    this.#scrub = await Scrub.start({
      disk,
      clock,
      logger,
      config,
      folder,
      metrics: this.#metrics,
      topics: () => this.#topics.values(),
      onFatal: (error) => onFatal?.(error instanceof Error ? error : new Error(String(error))),
    });
  }

  #startRetention(): void {
    const { clock, config, onFatal } = this.#world;
    this.#retention = new Retention({
      clock,
      everyMs: config.retentionEveryMs,
      topics: () => this.#topics.values(),
      onFatal: (error) => onFatal?.(error instanceof Error ? error : new Error(String(error))),
    });
  }

  #withScrub(stats: TopicStats): TopicStats {
    const scrub = this.#scrub?.statsOf(stats.name);
    return scrub === undefined ? stats : { ...stats, scrub };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new LogError('LOG_CLOSED', 'The log is closed');
  }

  #find(name: string): Topic {
    this.#checkOpen();
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    checkName('topic', name);
    throw new LogError('LOG_TOPIC_UNKNOWN', `There is no topic "${name}"`);
  }

  async #create(topic: string, options: TopicOptions): Promise<void> {
    const { disk, folder, config } = this.#world;
    const making = this.#creating.size;
    if (this.#topics.size + making >= config.topicsMax) {
      throw new LogError(
        'LOG_TOPICS_FULL',
        `Cannot create topic "${topic}": there are ${this.#topics.size} topics, expected fewer than ${config.topicsMax}`,
      );
    }
    const path = `${folder}/${topic}`;
    const description = describeTopic(topic, options);
    await disk.makeFolder(path);
    await writeTopicDescription(disk, path, description);
    await disk.syncFolder(folder);
    this.#topics.set(topic, await this.#openTopic(topic, description));
  }

  /** Some at a time: each waits for the disk more than it works. */
  async #openAll(names: readonly string[]): Promise<void> {
    const left = names.values();
    const opening = Array.from({ length: OPENED_AT_ONCE }, async () => {
      for (const name of left) await this.#openFound(name);
    });
    // None is left running when one has failed.
    for (const done of await Promise.allSettled(opening)) {
      if (done.status === 'rejected') throw done.reason;
    }
  }

  async #openFound(name: string): Promise<void> {
    const { disk, folder, logger } = this.#world;
    const path = `${folder}/${name}`;
    if ((await disk.stat(path))?.isFolder !== true) return;
    let description = await readTopicDescription(disk, path);
    if (description === undefined) {
      // Without its description it was being made when the process ended, unless it has segments.
      if ((await listSegments(disk, path)).length === 0) return;
      logger.error('A topic has lost its topic.json; it goes on with defaults', { topic: name });
      description = describeTopic(name, {});
      await writeTopicDescription(disk, path, description);
    }
    this.#topics.set(name, await this.#openTopic(name, description));
  }

  /** What the configuration says of a topic goes before what its topic.json says. */
  #openTopic(name: string, { consistency, rules }: TopicDescription): Promise<Topic> {
    const configured = configuredRules(name, this.#world.config);
    return Topic.open(this.#topicWorld(name), name, {
      consistency,
      rules: { ...rules, ...configured },
    });
  }

  #topicWorld(topic: string): TopicWorld {
    const { disk, clock, logger, config, folder, onFatal } = this.#world;
    return {
      disk,
      clock,
      logger,
      config,
      metrics: this.#metrics,
      files: this.#files,
      indexes: this.#indexes,
      folder: `${folder}/${topic}`,
      guards: this.#world.guards ?? [],
      hook: this.#world.hook,
      onRoomWanted: () => this.#retention?.kick(),
      logId: this.id,
      epoch: this.epoch,
      onFatal: (error) => onFatal?.(error),
    };
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
