// What the users of one topic have been told, and the comparison of it with what the log holds after
// an end. Each record is known by its text, its key; in a topic that is compacted the text begins the
// value, and the key is one of a few. The rules:
//
// - What was answered as on disk, and what a reader was given, is there, at its offset, for ever, or
//   until the topic removed its oldest segments: never more of them than had been begun, and never
//   fewer than were done when an append was answered after them.
// - What was refused is never seen. What was in flight may be there or not; once a recovery has
//   shown that it is not, it never appears, unless it is appended again.
// - Nothing appears twice, out of place, or that nobody wrote. Offsets have no gap, unless a sync
//   had failed: then what was answered from memory may be one.
// - Of a topic that is compacted a record may be missing once a later one of its key is there.
// - A value is as it was written, or as a rewriting has left it: whole, and from the moment on at which
//   the rewriting was answered (log-fills.ts).
// - A read from a time begins with the first record that is as late.

import { codeOf } from '#base/errors.ts';
import { below, type Random } from '#base/random.ts';
import type {
  Appended,
  Consistency,
  Log,
  LogGap,
  ReadRecord,
  TopicOptions,
  TopicStats,
} from '#log/log.ts';

import { Fills } from './log-fills.ts';

const NO_BYTES = new Uint8Array(0);
const decoder = new TextDecoder();
const SLOT = 'slot ';
const SLOTS = 4;

/** The key of a text in a topic that is compacted. */
export function slotOf(text: string): string {
  return `${SLOT}${Number.parseInt(text, 10) % SLOTS}`;
}

export class Violation extends Error {}

/** Everything that a topic gives to a reader, and its counts. */
interface TopicContent {
  readonly stats: TopicStats;
  readonly records: ReadonlyMap<number, { readonly text: string; readonly timeMs: number }>;
  readonly gaps: readonly LogGap[];
}

type Bounds = Pick<Witness, 'beginsAtLeast' | 'beginsAtMost' | 'expectedAtMost'>;

export class Witness {
  readonly name: string;
  readonly isCompact: boolean;
  /** Offset to text: it must be there. */
  readonly certain = new Map<number, string>();
  /** Answered from memory: where it must be if it is there. */
  readonly placed = new Map<string, number>();
  /** Where each text was when the topic was read last. */
  readonly seen = new Map<string, number>();
  /** Where the topic may begin. It moves only where oldest segments are removed. */
  beginsAtLeast = 0;
  beginsAtMost = 0;
  /** Where it began when it was opened: on disk so. What is let go since then may come back. */
  opensAt = 0;
  /** `beginsAtMost` as the last end left it. */
  expectedAtMost = 0;
  committed: number | undefined;
  readonly committing = new Set<number>();
  /** Nothing above may be let go for the consumer's sake; undefined while it has no position. */
  heldBelow: number | undefined;
  /** What rewritings have made of the values. */
  readonly fills = new Fills();
  /** Was, or is, in flight: it may be there. */
  readonly #maybe = new Set<string>();
  /** Refused, or known to be lost. */
  readonly #forbidden = new Set<string>();

  constructor(name: string, isCompact = false) {
    this.name = name;
    this.isCompact = isCompact;
  }

  /** Where it may begin; a look at what an end would leave puts them back. */
  get bounds(): Bounds {
    const { beginsAtLeast, beginsAtMost, expectedAtMost } = this;
    return { beginsAtLeast, beginsAtMost, expectedAtMost };
  }

  set bounds(bounds: Bounds) {
    Object.assign(this, bounds);
  }

  /** Also again, with the stamp that it had. */
  began(texts: readonly string[]): void {
    for (const text of texts) {
      this.#maybe.add(text);
      this.#forbidden.delete(text);
    }
  }

  answered(texts: readonly string[], { firstOffset }: Appended, consistency: Consistency): void {
    for (const [nth, text] of texts.entries()) {
      const offset = firstOffset + nth;
      if (consistency === 'memory') {
        this.placed.set(text, offset);
      } else {
        this.placed.delete(text);
        this.certain.set(offset, text);
      }
    }
  }

  refused(texts: readonly string[]): void {
    for (const text of texts) {
      this.#forget(text);
      this.#forbidden.add(text);
    }
  }

  wasRead(records: readonly ReadRecord[]): void {
    for (const record of records) this.certain.set(record.offset, textOf(record));
  }

  /** The topic was closed in order: what was answered from memory is on disk. */
  closed(): void {
    for (const [text, offset] of this.placed) this.certain.set(offset, text);
  }

  /** @throws Violation */
  compare(content: TopicContent, told: Pick<TopicCheck, 'maybeLossy'>): void {
    const { name } = this;
    const { firstOffset, nextOffset } = content.stats;
    const atMost = Math.max(this.expectedAtMost, this.beginsAtMost);
    if (firstOffset < this.beginsAtLeast || firstOffset > atMost) {
      const expected = `${this.beginsAtLeast} to ${atMost}`;
      throw new Violation(`${name} begins at ${firstOffset}, expected ${expected}`);
    }
    const [gap] = content.gaps;
    if (gap !== undefined && !told.maybeLossy) {
      throw new Violation(`${name} has a gap at ${gap.first}`);
    }
    const known = content.records.size + content.gaps.reduce((sum, one) => sum + spanOf(one), 0);
    if (known !== nextOffset - firstOffset && !this.isCompact)
      throw new Violation(`${name} has a hole`);
    const removed = new Set<string>();
    for (const [offset, text] of this.certain) {
      if (offset < firstOffset) {
        removed.add(text);
        continue;
      }
      const found = content.records.get(offset)?.text;
      if (found === text) continue;
      if (found === undefined && isSuperseded(content, offset, text, this.isCompact)) continue;
      throw new Violation(`${name}: ${offset} is ${found}, was told ${text}`);
    }
    for (const [text, offset] of this.placed) if (offset < firstOffset) removed.add(text);
    this.#compareTexts(content, removed, told.maybeLossy);
  }

  #compareTexts(content: TopicContent, removed: ReadonlySet<string>, maybeLossy: boolean): void {
    const { name } = this;
    const seen = new Set<string>();
    for (const [offset, { text }] of content.records) {
      if (seen.size === seen.add(text).size) throw new Violation(`${name}: ${text} is there twice`);
      if (this.#forbidden.has(text)) throw new Violation(`${name}: ${text} came back at ${offset}`);
      if (!this.#maybe.has(text) || removed.has(text)) {
        throw new Violation(`${name}: nobody wrote ${text}`);
      }
      const placed = this.placed.get(text);
      // Lost with a sync that failed, and repeated since.
      if (placed !== undefined && placed !== offset && !maybeLossy) {
        throw new Violation(`${name}: ${text} is at ${offset}, was told ${placed}`);
      }
    }
  }

  /** What was found, and has been compared, is what is certain from now on. */
  take(content: TopicContent, isShrinking: boolean): void {
    const { firstOffset } = content.stats;
    for (const [offset, text] of this.certain) {
      if (offset < firstOffset) {
        this.certain.delete(offset);
        this.#forget(text);
      } else if (!content.records.has(offset)) this.certain.delete(offset);
    }
    for (const [text, offset] of this.placed) if (offset < firstOffset) this.#forget(text);
    this.seen.clear();
    for (const [offset, { text }] of content.records) {
      this.seen.set(text, offset);
      this.certain.set(offset, text);
    }
    for (const text of this.#maybe) {
      if (this.seen.has(text)) continue;
      this.#forget(text);
      this.#forbidden.add(text);
    }
    this.beginsAtLeast = isShrinking ? this.opensAt : firstOffset;
    this.beginsAtMost = Math.max(firstOffset, this.beginsAtMost);
  }

  /** From here on nobody wrote it. */
  #forget(text: string): void {
    this.#maybe.delete(text);
    this.placed.delete(text);
  }
}

function isSuperseded(
  { records }: TopicContent,
  offset: number,
  text: string,
  isCompact: boolean,
): boolean {
  if (!isCompact) return false;
  const slot = slotOf(text);
  for (const [at, record] of records) if (at > offset && slotOf(record.text) === slot) return true;
  return false;
}

/** Such a topic lets records go, at any time. */
export function isShrinking({ compact, whenFull, recordsMax, ageMsMax }: TopicOptions): boolean {
  return compact === true || whenFull === 'removeOldest' || (recordsMax ?? ageMsMax) !== undefined;
}

export interface TopicCheck {
  readonly log: Log;
  readonly until: <T>(promise: Promise<T>) => Promise<T>;
  readonly random: Random;
  /** A sync has failed before. */
  readonly maybeLossy: boolean;
  /** The topic lets records go, at any time. */
  readonly isShrinking?: boolean;
}

/** Reads a topic through, compares, and takes what is there for what is certain. @throws Violation */
export async function checkTopic(witness: Witness, check: TopicCheck): Promise<void> {
  // What is let go while this reads is beyond what was expected of the end.
  witness.expectedAtMost = witness.beginsAtMost;
  witness.beginsAtMost = 0;
  const { content, position } = await compareTopic(witness, check);
  witness.take(content, check.isShrinking === true);
  witness.committed = position;
  witness.heldBelow = position;
  witness.committing.clear();
}

/** Reads a topic through and compares; what is certain stays as it was. @throws Violation */
export async function compareTopic(
  witness: Witness,
  check: TopicCheck,
): Promise<{ readonly content: TopicContent; readonly position: number | undefined }> {
  const { log, until } = check;
  const { name } = witness;
  const content = await contentOf(witness, check);
  witness.compare(content, check);
  if (content.gaps.length === 0) await checkTime(content, check);
  const position = await until(log.position(name, 'ledger'));
  const isKnown = position === witness.committed;
  if (!isKnown && (position === undefined || !witness.committing.has(position))) {
    throw new Violation(`${name}: consumer at ${position}, committed ${witness.committed}`);
  }
  return { content, position };
}

/** Reads a topic through, from its first record to its end; again when its first went meanwhile. */
async function contentOf(witness: Witness, check: TopicCheck): Promise<TopicContent> {
  for (;;) {
    try {
      return await readThrough(witness, check);
    } catch (error) {
      if (check.isShrinking !== true || codeOf(error) !== 'LOG_OFFSET_REMOVED') throw error;
    }
  }
}

async function readThrough(witness: Witness, { log, until }: TopicCheck): Promise<TopicContent> {
  const { name, isCompact, fills } = witness;
  const stats = await until(countsOf(log, name));
  const records = new Map<number, { text: string; timeMs: number }>();
  const gaps: LogGap[] = [];
  for (let from = stats.firstOffset; from < stats.nextOffset; ) {
    const result = await until(log.read(name, { from, recordsMax: 50 }));
    gaps.push(...result.gaps);
    for (const record of result.records) {
      const { offset, timeMs, value } = record;
      if (offset < from) throw new Violation(`${name} repeats ${offset}`);
      const wrong = isCompact ? undefined : fills.wrongIn(offset, value);
      if (wrong !== undefined) throw new Violation(`${name}: the value of ${offset} ${wrong}`);
      records.set(offset, { text: textOf(record), timeMs });
    }
    if (result.nextOffset <= from) throw new Violation(`${name} stands still at ${from}`);
    from = result.nextOffset;
  }
  return { stats, records, gaps };
}

/** Looks for the time of one of the records. */
async function checkTime(content: TopicContent, check: TopicCheck): Promise<void> {
  const { name } = content.stats;
  const all = [...content.records];
  if (all.length === 0) return;
  const [, { timeMs }] = all[below(check.random, all.length)]!;
  const { records } = await check.until(check.log.read(name, { from: { timeMs } }));
  const expected = all.find(([, record]) => record.timeMs >= timeMs)?.[0];
  const found = records[0]?.offset;
  // Compaction and retention go on while this looks.
  if (check.isShrinking === true && (found ?? Infinity) > (expected ?? 0)) return;
  if (found !== expected) {
    throw new Violation(`${name} at ${timeMs} begins with ${found}, expected ${expected}`);
  }
}

/** Without a look at the disk, which would be one more chance for it to fail. */
export async function countsOf(log: Log, name: string): Promise<TopicStats> {
  const found = (await log.topics()).find((topic) => topic.name === name);
  if (found === undefined) throw new Violation(`topic ${name} is gone`);
  return found;
}

function textOf({ key = NO_BYTES, value }: Pick<ReadRecord, 'key' | 'value'>): string {
  const name = decoder.decode(key);
  return name.startsWith(SLOT) ? `${decoder.decode(value).split('.')[0]}.` : name;
}

function spanOf(gap: LogGap): number {
  return gap.next - gap.first;
}
