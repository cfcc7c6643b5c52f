// A LocalLog on a simulated disk, for tests that fail operations or damage files at will.

import { utf8 } from '#base/bytes.ts';
import type { Disk } from '#base/disk.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Consistency, ReadResult } from '#log/log.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from './clock.ts';
import { SimDisk } from './disk.ts';

export class LogWorld {
  readonly clock = new SimClock();
  readonly lines: LogLine[] = [];
  readonly fatal: Error[] = [];
  readonly #config: LogConfig;
  disk: SimDisk;
  log!: LocalLog;

  private constructor(config: Partial<LogConfig>) {
    this.#config = logConfig.parse(config);
    this.disk = new SimDisk({ random: new SeededRandom(1), clock: this.clock });
  }

  /** A log with one topic, `events`. */
  static async open(
    config: Partial<LogConfig> = {},
    consistency: Consistency = 'durable',
  ): Promise<LogWorld> {
    const world = new LogWorld(config);
    await world.reopen();
    await world.until(world.log.createTopic('events', { consistency }));
    return world;
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  /** Opens what is on the disk, without closing what was open. */
  async reopen(disk: Disk = this.disk): Promise<void> {
    this.disk = disk as SimDisk;
    const opening = LocalLog.open({
      disk,
      clock: this.clock,
      random: new SeededRandom(2),
      logger: memoryLogger(this.lines),
      metrics: new Registry(),
      config: this.#config,
      folder: '/log',
      onFatal: (error) => this.fatal.push(error),
    });
    this.log = await this.until(opening);
  }

  async close(): Promise<void> {
    await this.until(this.log.close());
  }

  append(text: string, consistency: Consistency = 'durable'): Promise<unknown> {
    return this.until(this.log.append('events', [{ value: utf8(text) }], { consistency }));
  }

  read(from = 0): Promise<ReadResult> {
    return this.until(this.log.read('events', { from }));
  }

  async texts(from = 0): Promise<string[]> {
    const { records } = await this.read(from);
    return records.map(({ value }) => new TextDecoder().decode(value));
  }

  /** Changes one byte of a file of the topic, as a rotten medium would. */
  flip(name: string, position: number): void {
    const path = `/log/events/${name}`;
    const bytes = this.disk.bytesOf(path);
    bytes[position] = bytes[position]! ^ 0x55;
    this.disk.damage(path, bytes);
  }
}
