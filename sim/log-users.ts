// The users of a log in the crash tests: they append, repeat themselves with a producer's stamp, read
// and commit, and know at every moment what they have been told. An end of the log's process is the
// end of a life: what comes after it was told to nobody.

import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { below, type Random } from '#base/random.ts';
import type { Appended, Consistency, LogRecord, ProducerStamp, TopicOptions } from '#log/log.ts';
import type { RecordChange, RewritingLog } from '#log/rewriting-log.ts';
import { countsOf, slotOf, Violation, Witness } from './log-witness.ts';

const CONSISTENCIES: readonly Consistency[] = ['memory', 'interval', 'durable'];
const PRODUCERS = 3;
const SECTOR = 512;
const BATCH_HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 12;

/** What they have done to records of sealed segments: keys stay, by which each record is known. */
export const CHANGES: ReadonlyMap<string, RecordChange> = new Map([
  ['fill', (input) => (value) => value.byteLength > 0 && value.fill(Number(input)).byteLength > 0],
]);

export interface UserTopic {
  readonly witness: Witness;
  readonly options: TopicOptions;
  /** Bytes that appends in flight may take. */
  flightBytes: number;
}

/** One of those that name their appends, and do them again when they do not know. */
interface Producer {
  readonly topic: UserTopic;
  readonly id: number;
  sequence: number;
  texts: readonly string[];
  records: readonly LogRecord[];
  /** The first offset of its newest append, where it is known and can no longer change. */
  told: number | undefined;
  isRunning: boolean;
}

/** Ended by `end`; whatever a promise of it brings later counts for nothing. */
interface Life {
  readonly log: RewritingLog;
}

export class LogUsers {
  readonly topics: readonly UserTopic[];
  /** Records that were answered as on disk. */
  acknowledged = 0;
  /** What one of them found wrong. */
  violation: unknown;
  readonly #random: Random;
  readonly #hasFaults: boolean;
  readonly #rewrites: boolean;
  readonly #segmentBefore: (topic: string, next: number) => number | undefined;
  readonly #producers: readonly Producer[];
  #life: Life | undefined;
  #records = 0;

  constructor(world: {
    readonly random: Random;
    readonly topics: readonly (readonly [string, TopicOptions])[];
    /** The disk may refuse: then a limit of size may be passed, and a removal may be undone. */
    readonly hasFaults: boolean;
    /** They have sealed segments rewritten as well. */
    readonly rewrites: boolean;
    /** Where the segment begins that ends there; undefined when it has gone. */
    segmentBefore(topic: string, next: number): number | undefined;
  }) {
    this.#random = world.random;
    this.#hasFaults = world.hasFaults;
    this.#rewrites = world.rewrites;
    this.#segmentBefore = (topic, next) => world.segmentBefore(topic, next);
    this.topics = world.topics.map(([name, options]) => ({
      witness: new Witness(name, options.compact === true),
      options,
      flightBytes: 0,
    }));
    this.#producers = Array.from({ length: PRODUCERS }, (_, nth) => ({
      topic: this.#any(this.topics),
      id: 1000 + nth,
      sequence: 0,
      texts: [],
      records: [],
      told: undefined,
      isRunning: false,
    }));
  }

  begin(log: RewritingLog): void {
    this.#life = { log };
  }

  end(): void {
    this.#life = undefined;
    for (const producer of this.#producers) producer.isRunning = false;
    for (const topic of this.topics) topic.flightBytes = 0;
  }

  /** One of them does something, and does not wait for it. */
  act(): void {
    const life = this.#life;
    if (life === undefined) return;
    const kind = below(this.#random, this.#rewrites ? 14 : 12);
    const topic = this.#chance(2) ? this.topics[0]! : this.#any(this.topics);
    if (kind < 7) {
      for (let many = 1 + below(this.#random, 3); many > 0; many--) this.#append(life, topic);
    } else if (kind < 9) {
      this.#produce(life, this.#any(this.#producers));
    } else if (kind < 11) {
      // What a `memory` topic shows may be lost: only of the others a reader can be sure.
      if (topic.options.consistency !== 'memory') this.#watch(life, this.#read(life, topic));
    } else if (kind < 12) {
      this.#watch(life, this.#commit(life, topic));
    } else {
      this.#watch(life, this.#rewrite(life, topic));
    }
  }

  /** The topics were compared: what a producer was told from memory may be gone. */
  checked(): void {
    for (const producer of this.#producers) {
      const { witness } = producer.topic;
      const isRemoved = producer.told !== undefined && producer.told < witness.beginsAtLeast;
      if (!isRemoved) producer.told = witness.seen.get(producer.texts[0] ?? '');
    }
  }

  #watch(life: Life, user: Promise<unknown>): void {
    user.catch((error: unknown) => {
      if (this.#life === life) this.violation ??= error;
    });
  }

  #append(life: Life, topic: UserTopic): void {
    const consistency = this.#any(CONSISTENCIES);
    this.#watch(life, this.#send(life, topic, { ...this.#drawRecords(topic), consistency }));
  }

  /** A new append of the producer, its newest once more, or one that is too old. */
  #produce(life: Life, producer: Producer): void {
    if (producer.isRunning) return;
    if (producer.told !== undefined && this.#chance(4)) {
      this.#watch(life, this.#produceOld(life, producer));
      return;
    }
    if (producer.sequence === 0 || this.#chance(2)) {
      Object.assign(producer, this.#drawRecords(producer.topic), { told: undefined });
      producer.sequence += 1 + below(this.#random, 2);
    }
    producer.isRunning = true;
    const { topic, id, texts, records, sequence, told } = producer;
    const consistency = this.#any(CONSISTENCIES);
    const sent = this.#send(life, topic, { texts, records, consistency, stamp: { id, sequence } });
    const noted = sent.then((appended) => {
      if (this.#life !== life) return;
      producer.isRunning = false;
      if (appended === undefined) return;
      const { firstOffset } = appended;
      if (told !== undefined && firstOffset !== told) {
        throw new Violation(`${texts[0]} was repeated at ${firstOffset}, was told ${told}`);
      }
      if (consistency !== 'memory') producer.told = firstOffset;
    });
    this.#watch(life, noted);
  }

  async #produceOld(life: Life, producer: Producer): Promise<void> {
    const { id, sequence, topic } = producer;
    if (sequence === 1) return;
    const { texts, records } = this.#drawRecords(topic);
    const { name } = topic.witness;
    producer.isRunning = true;
    try {
      await life.log.append(name, records, { producer: { id, sequence: sequence - 1 } });
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (this.#life === life) producer.isRunning = false;
      return;
    }
    throw new Violation(`${name}: ${texts[0]} was taken after ${sequence} of its producer`);
  }

  #drawRecords({ options }: UserTopic): { texts: string[]; records: LogRecord[] } {
    const texts: string[] = [];
    const records: LogRecord[] = [];
    for (let many = 1 + below(this.#random, 4); many > 0; many--) {
      const text = `${this.#records++}.`;
      const isKeyed = options.compact === true;
      texts.push(text);
      const padding = this.#chance(5) ? below(this.#random, 900) : below(this.#random, 60);
      const rest = 'a'.repeat(padding);
      const key = utf8(isKeyed ? slotOf(text) : text);
      records.push({ key, value: utf8(isKeyed ? `${text}${rest}` : rest) });
    }
    return { texts, records };
  }

  /** Undefined when it was not answered with an offset, or too late. */
  async #send(
    life: Life,
    topic: UserTopic,
    what: {
      readonly texts: readonly string[];
      readonly records: readonly LogRecord[];
      readonly consistency: Consistency;
      readonly stamp?: ProducerStamp;
    },
  ): Promise<Appended | undefined> {
    const { texts, records, consistency, stamp } = what;
    const { witness } = topic;
    const bytes = roomOf(records);
    witness.began(texts);
    topic.flightBytes += bytes;
    try {
      const producer = stamp && { producer: stamp };
      const appended = await life.log.append(witness.name, records, { consistency, ...producer });
      if (this.#life !== life) return undefined;
      topic.flightBytes -= bytes;
      witness.answered(texts, appended, consistency);
      if (consistency !== 'memory') this.acknowledged += texts.length;
      // A repetition is answered at once, in the middle of whatever is being removed.
      const isOwn = stamp === undefined && consistency !== 'memory';
      await this.#checkLimit(life, topic, isOwn).catch(unlessCoded);
      return appended;
    } catch (error) {
      const code = codeOf(error);
      if (this.#life !== life) return undefined;
      if (code === undefined) throw error;
      if (code === 'LOG_TOPIC_FULL') await this.#checkRefusal(life, topic).catch(unlessCoded);
      if (this.#life !== life) return undefined;
      topic.flightBytes -= bytes;
      // A refused repetition says nothing of the append that it repeats.
      const isNew = texts.every((text) => !witness.seen.has(text));
      if (isNew && (code === 'LOG_APPEND_FAILED' || code === 'LOG_TOPIC_FULL')) {
        witness.refused(texts);
      }
      return undefined;
    }
  }

  async #checkLimit(life: Life, topic: UserTopic, isOnDisk: boolean): Promise<void> {
    const { bytesMax, whenFull } = topic.options;
    const { witness } = topic;
    if (bytesMax === undefined || this.#hasFaults) return;
    const { bytes, firstOffset } = await countsOf(life.log, witness.name);
    if (this.#life !== life) return;
    if (bytes > bytesMax) {
      throw new Violation(`${witness.name} has ${bytes} bytes, expected at most ${bytesMax}`);
    }
    // What was removed to make room for this append was removed durably; the next one's may be under way.
    const isAlone = topic.flightBytes === 0;
    if (whenFull === 'removeOldest' && isOnDisk && isAlone) witness.beginsAtLeast = firstOffset;
  }

  async #checkRefusal(life: Life, { witness, options, flightBytes }: UserTopic): Promise<void> {
    const { bytes } = await countsOf(life.log, witness.name);
    if (bytes + flightBytes <= options.bytesMax! && !this.#hasFaults) {
      throw new Violation(`${witness.name} was called full with ${bytes} bytes`);
    }
  }

  async #read(life: Life, { witness }: UserTopic): Promise<void> {
    try {
      const { firstOffset, durableOffset } = await countsOf(life.log, witness.name);
      const from = firstOffset + below(this.#random, durableOffset - firstOffset + 1);
      const { records } = await life.log.read(witness.name, { from, recordsMax: 5 });
      if (this.#life === life) witness.wasRead(records);
    } catch (error) {
      unlessCoded(error);
    }
  }

  async #rewrite(life: Life, { witness, options }: UserTopic): Promise<void> {
    // There the values are what tells the records of a key from each other.
    if (options.compact === true) return;
    try {
      const { nextOffset } = await countsOf(life.log, witness.name);
      if (this.#life !== life) return;
      const from = below(this.#random, nextOffset + 1);
      const input = 0x62 + below(this.#random, 24);
      const nth = witness.fills.begin(from, input);
      const change = { from, change: 'fill', input };
      const done = await life.log.rewriteSegment(witness.name, change);
      if (this.#life !== life || done.nextOffset === undefined) return;
      const first = this.#segmentBefore(witness.name, done.nextOffset);
      if (first !== undefined && first >= from) {
        witness.fills.done(nth, { first, next: done.nextOffset });
      }
    } catch (error) {
      unlessCoded(error);
    }
  }

  async #commit(life: Life, { witness }: UserTopic): Promise<void> {
    try {
      const { nextOffset } = await countsOf(life.log, witness.name);
      const offset = below(this.#random, nextOffset + 1);
      witness.committing.add(offset);
      if (witness.heldBelow !== undefined) {
        witness.heldBelow = Math.max(witness.heldBelow, offset);
      }
      await life.log.commit(witness.name, 'ledger', offset);
      if (this.#life === life) witness.committed = offset;
    } catch (error) {
      unlessCoded(error);
    }
  }

  /** One in `many`. */
  #chance(many: number): boolean {
    return below(this.#random, many) === 0;
  }

  #any<T>(of: readonly T[]): T {
    return of[below(this.#random, of.length)]!;
  }
}

/** What an append of these takes at most: a batch of its own, in whole sectors. */
function roomOf(records: readonly LogRecord[]): number {
  let bytes = BATCH_HEADER_BYTES;
  for (const { key, value } of records) {
    bytes += RECORD_HEADER_BYTES + (key?.byteLength ?? 0) + value.byteLength;
  }
  return Math.ceil(bytes / SECTOR) * SECTOR;
}

/** The log may refuse, or be closed meanwhile. */
function unlessCoded(error: unknown): void {
  if (codeOf(error) === undefined) throw error;
}
