// Reads the topic of events from its beginning and checks each against the one before it and the key in
// force (event.ts). What is wrong is said with its offset; what can be trusted all the same is given too.

import { bytesEqual, fromHex, toHex } from '#base/bytes.ts';
import type { Log, ReadRecord } from '#log/log.ts';
import { type ArchiveEvent, decodeEvent, EVENTS_TOPIC, eventHash, NO_EVENT } from './event.ts';

export interface ReadEvent {
  readonly offset: number;
  /** Unix milliseconds of its append. */
  readonly timeMs: number;
  /** Undefined when it must not be believed. */
  readonly event: ArchiveEvent | undefined;
  /** What is wrong with it, or just before it, as a sentence that names it. */
  readonly problem: string | undefined;
}

export class EventChain {
  readonly #log: Pick<Log, 'read'>;
  /** Of the next event; undefined when the one before it cannot be read. */
  #previous: Uint8Array | undefined = NO_EVENT;
  #key: Uint8Array | undefined;

  constructor(log: Pick<Log, 'read'>) {
    this.#log = log;
  }

  /** In force after what was read; undefined before the first event. 32 bytes. */
  get key(): Uint8Array | undefined {
    return this.#key;
  }

  /** Every record and every gap of the topic, in order. Once. @throws LogError */
  async *read(signal?: AbortSignal): AsyncGenerator<ReadEvent> {
    for (let from: number | 'beginning' = 'beginning'; ; ) {
      signal?.throwIfAborted();
      const { records, nextOffset, gaps } = await this.#log.read(EVENTS_TOPIC, { from });
      const lost = [...gaps];
      for (const record of records) {
        for (; lost[0] !== undefined && lost[0].first < record.offset; lost.shift()) {
          yield this.#lose(lost[0]);
        }
        yield this.#take(record);
      }
      for (const gap of lost) yield this.#lose(gap);
      if (nextOffset === from || (records.length === 0 && gaps.length === 0)) return;
      from = nextOffset;
    }
  }

  #lose({ first, next }: { readonly first: number; readonly next: number }): ReadEvent {
    this.#previous = undefined;
    const which = next - first === 1 ? `Event ${first}` : `Events ${first} to ${next - 1}`;
    const problem = `${which} cannot be read: the log is damaged there`;
    return { offset: first, timeMs: 0, event: undefined, problem };
  }

  #take({ offset, timeMs, value }: ReadRecord): ReadEvent {
    const event = decodeEvent(value);
    if (typeof event === 'string') {
      this.#previous = undefined;
      return { offset, timeMs, event: undefined, problem: `Event ${offset} is refused: ${event}` };
    }
    const follows = this.#previous === undefined || bytesEqual(event.previous, this.#previous);
    this.#previous = eventHash(value);
    const named = `Event ${offset} (${event.name.slice(0, 12)})`;
    if (!this.#isSignedRightly(event)) {
      const problem = `${named} is refused: ${toHex(event.key)} signed it, which is not the key in force`;
      return { offset, timeMs, event: undefined, problem };
    }
    const problem = follows
      ? undefined
      : `${named} does not follow the one before it: some were taken out, or it was moved`;
    return { offset, timeMs, event, problem };
  }

  #isSignedRightly({ key, body }: ArchiveEvent): boolean {
    const isFounding = body.kind === 'key' && body.key === toHex(key);
    const isInForce = this.#key !== undefined && bytesEqual(this.#key, key);
    if (!isFounding && !isInForce) return false;
    if (body.kind === 'key') this.#key = fromHex(body.key);
    return true;
  }
}
