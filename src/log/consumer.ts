// A named reader of one topic: hands out records from its committed position on, remembers which of
// them were finished, in whatever order, and commits the first that was not. After a restart it goes
// on there, also in the middle of a batch; records that were finished behind it come again, so what a
// consumer does must bear a repetition, or keep the position itself together with its effect.

import { assert } from '#base/assert.ts';
import { LogError } from './errors.ts';
import type { Log, LogGap, ReadRecord } from './log.ts';

export interface ConsumerOptions {
  readonly log: Log;
  readonly topic: string;
  readonly name: string;
  /** Records handed out and not finished; at this many `next` gives none until some are. */
  readonly unfinishedMax?: number;
}

export interface Handed {
  readonly records: readonly ReadRecord[];
  readonly gaps: readonly LogGap[];
}

export class Consumer {
  readonly #log: Log;
  readonly #topic: string;
  readonly #name: string;
  readonly #unfinishedMax: number;
  /** The next record to hand out. */
  #offset: number;
  #committed: number | undefined;
  /** Offsets handed out and not finished, ascending: a Set keeps the order of insertion. */
  readonly #unfinished = new Set<number>();

  private constructor(options: ConsumerOptions, position: number | undefined, first: number) {
    this.#log = options.log;
    this.#topic = options.topic;
    this.#name = options.name;
    this.#unfinishedMax = options.unfinishedMax ?? 10_000;
    this.#committed = position;
    this.#offset = Math.max(position ?? first, first);
  }

  /** At its committed position, or at the first record that exists. @throws as Log.position */
  static async open(options: ConsumerOptions): Promise<Consumer> {
    const { log, topic, name } = options;
    const position = await log.position(topic, name);
    const { firstOffset } = await log.stats(topic);
    return new Consumer(options, position, firstOffset);
  }

  /** The first record that is not finished: where a consumer of this name would go on. */
  get position(): number {
    for (const offset of this.#unfinished) return offset;
    return this.#offset;
  }

  /**
   * The records that follow those handed out before; empty at the end, after `waitMs`, or while
   * `unfinishedMax` are unfinished. One call at a time. @throws as Log.read
   */
  async next(
    options: {
      readonly recordsMax?: number;
      readonly waitMs?: number;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<Handed> {
    const room = this.#unfinishedMax - this.#unfinished.size;
    if (room <= 0) return { records: [], gaps: [] };
    const recordsMax = Math.min(room, options.recordsMax ?? room);
    const from = this.#offset;
    const result = await this.#log.read(this.#topic, { ...options, recordsMax, from });
    assert(this.#offset === from, 'next() is called again only after it has answered');
    for (const { offset } of result.records) this.#unfinished.add(offset);
    this.#offset = result.nextOffset;
    return { records: result.records, gaps: result.gaps };
  }

  /** A record that was handed out is done with; twice does nothing. */
  finish(offset: number): void {
    this.#unfinished.delete(offset);
  }

  /** Makes `position` durable. @throws as Log.commit */
  async commit(): Promise<void> {
    const { position } = this;
    if (position === this.#committed) return;
    await this.#log.commit(this.#topic, this.#name, position);
    this.#committed = position;
  }

  /** Hands out again from here on; what was handed out counts as never seen. */
  seek(offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new LogError('LOG_OFFSET_BEYOND_END', `Cannot seek to offset ${offset}`);
    }
    this.#unfinished.clear();
    this.#offset = offset;
  }
}
