// A life of a log by a fixed script, on a disk on which one operation goes wrong: the log is made,
// topics are made, appended to, rolled, emptied of their oldest segments by size, count and age, with
// a delete hook, compacted, rewritten, committed, closed and opened again. Whichever operation it is,
// and however it goes wrong:
//
// - At most the one step in which it happened fails, and says so with a code; the others do what they
//   should. After a loss of power the rest of the script does not happen.
// - What retention and compaction could not do in one look they do in the next, or after the next start;
//   never is a segment removed before its delete hook has read it.
// - Afterwards the log is opened on a good disk, after a loss of power, and holds what log-witness.ts
//   asks for; it takes more appends.

import { utf8 } from '#base/bytes.ts';
import type { Disk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { AppendOptions, LogRecord, TopicOptions } from '#log/log.ts';
import { segmentOffset } from '#log/segment/segment.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock, settle } from './clock.ts';
import { SimDisk } from './disk.ts';
import { type Fault, FaultDisk } from './fault-disk.ts';
import { checkTopic, slotOf, Violation, Witness } from './log-witness.ts';
import { type PlantedBug, PlantedDisk } from './planted-disk.ts';

export interface WalkedPoint {
  /** Of the whole script, up to its end. */
  readonly operations: number;
  /** Which of them were writes. */
  readonly writes: readonly number[];
  /** What went wrong: `write "/log/safe/mark"`; undefined when the fault does not fit it. */
  readonly hit: string | undefined;
  readonly violation: string | undefined;
}

const FOLDER = '/log';
const LOOK_MS = 60_000;
const CONFIG = logConfig.parse({
  segmentBytesMax: 4096,
  preallocateBytes: 1024,
  intervalMs: 5,
  retentionEveryMs: LOOK_MS,
  scrubBytesPerSecond: 0,
  compactionDirtyPercent: 1,
});
/** Those after the first let records go. */
const TOPICS: ReadonlyMap<string, TopicOptions> = new Map([
  ['safe', { consistency: 'durable' }],
  ['ring', { consistency: 'durable', bytesMax: 8192, whenFull: 'removeOldest' }],
  ['short', { consistency: 'durable', recordsMax: 3 }],
  ['young', { consistency: 'durable', ageMsMax: LOOK_MS / 2 }],
  ['state', { consistency: 'durable', compact: true }],
]);
const RECORD_BYTES = 900;
/** The value of every byte in a record, before and after the rewrite. */
const [BEFORE, AFTER] = [0x61, 0x62];

/** Where topics begin at least after two looks, of which one may fail. */
const LEFT: readonly (readonly [string, number])[] = [
  ['short', 2],
  ['young', 3],
];
const STATE_BYTES_MAX = 8192;

type Step = readonly [string, (life: ScriptedLife) => Promise<unknown>];

const SCRIPT: readonly Step[] = [
  ['open', (life) => life.open()],
  ['create', (life) => life.create('safe')],
  ['create with a limit', (life) => life.create('ring')],
  ['create with a count', (life) => life.create('short')],
  ['create with an age', (life) => life.create('young')],
  ['create of states', (life) => life.create('state')],
  ['append', (life) => life.append('safe', 1)],
  ['append from memory', (life) => life.append('safe', 1, { consistency: 'memory' })],
  ['append at an interval', (life) => life.append('safe', 1, { consistency: 'interval' })],
  ['append together', (life) => life.appendTogether('safe')],
  ['append with a stamp', (life) => life.append('safe', 2, life.stamp(1))],
  ['commit', (life) => life.commit('safe', 3)],
  ['fill a segment', (life) => life.append('safe', 4)],
  ['roll', (life) => life.append('safe', 2, life.stamp(2))],
  ['roll again', (life) => life.append('safe', 4)],
  ['fill to the limit', (life) => life.append('ring', 4)],
  ['fill on', (life) => life.append('ring', 3)],
  ['remove the oldest', (life) => life.append('ring', 2)],
  ['remove more', (life) => life.append('ring', 4, life.stamp(1))],
  ['rewrite', (life) => life.rewrite('safe')],
  ['commit again', (life) => life.commit('safe', 8)],
  ['read', (life) => life.read('safe')],
  ['close', (life) => life.close()],
  ['open again, with a hook', (life) => life.openWithHook()],
  ['append by count', (life) => life.append('short', 2)],
  ['append more than is kept', (life) => life.append('short', 2)],
  ['append the rest', (life) => life.append('short', 2)],
  ['append what grows old', (life) => life.append('young', 3)],
  ['append states', (life) => life.append('state', 4)],
  ['append newer states', (life) => life.append('state', 4)],
  ['append the newest states', (life) => life.append('state', 3)],
  ['keep house', (life) => life.keepHouse()],
  ['keep house again', (life) => life.keepHouse()],
  ['see what is left', (life) => life.seeWhatIsLeft()],
  ['append after retention', (life) => life.append('young', 1)],
  ['append to the limit', (life) => life.append('ring', 1)],
  ['close after that', (life) => life.close()],
  ['open once more', (life) => life.open()],
  ['append after that', (life) => life.append('safe', 1)],
  ['append to what was emptied', (life) => life.append('young', 1)],
  ['append one more state', (life) => life.append('state', 4)],
  ['keep house after that', (life) => life.keepHouse()],
  ['close again', (life) => life.close()],
];

/** Runs the script with the fault at the `nth` operation, 1 for the first, 0 for none. */
export async function walkPoint(
  fault: Fault,
  nth: number,
  planted?: PlantedBug,
): Promise<WalkedPoint> {
  const life = new ScriptedLife(fault, nth, planted);
  let violation: string | undefined;
  try {
    await life.run();
    await life.check();
  } catch (error) {
    violation = error instanceof Violation ? error.message : `it threw ${describe(error)}`;
  }
  const { operations, writes, hit } = life.disk;
  const where = life.failed === undefined ? '' : ` in "${life.failed}"`;
  return { operations, writes, hit, violation: violation && `${violation}${where}` };
}

class ScriptedLife {
  readonly disk: FaultDisk;
  /** The step that failed. */
  failed: string | undefined;
  readonly #fault: Fault;
  readonly #random: SeededRandom;
  readonly #clock = new SimClock();
  readonly #witnesses = new Map(
    [...TOPICS].map(([name, { compact }]) => [name, new Witness(name, compact === true)]),
  );
  readonly #hooked = new Set<string>();
  #hasHook = false;
  readonly #lines: LogLine[] = [];
  #sim: SimDisk;
  #log: LocalLog | undefined;
  #after: SimDisk | undefined;
  #records = 0;
  /** A segment that was removed too early; a failure that one operation must not lead to. */
  #unhooked: string | undefined;
  #fatal: Error | undefined;

  constructor(fault: Fault, nth: number, planted: PlantedBug | undefined) {
    this.#fault = fault;
    this.#random = new SeededRandom(nth);
    const sim = new SimDisk({ random: this.#random });
    sim.onRemove = (path) => this.#expectHooked(path);
    this.#sim = sim;
    const crash = (): void => {
      this.#after = sim.crash();
    };
    const broken = planted === undefined ? sim : new PlantedDisk(sim, planted, FOLDER);
    this.disk = new FaultDisk(broken, { sim, fault, nth, crash });
  }

  async run(): Promise<void> {
    for (const [name, step] of SCRIPT) {
      if (this.#after !== undefined || (name !== 'open' && this.#log === undefined)) return;
      const error = await this.#untilDone(step(this));
      if (this.#after !== undefined) {
        this.failed = name;
        return;
      }
      if (error === undefined) continue;
      if (codeOf(error) === undefined) throw error;
      if (this.failed !== undefined)
        throw new Violation(`"${name}" failed too: ${describe(error)}`);
      if (this.disk.hit === undefined) throw new Violation(`"${name}" failed by itself`);
      this.failed = name;
      // As its owner would: a log that could not be opened, or closed, is no more.
      if (name.startsWith('open') || name.startsWith('close')) return;
    }
  }

  async check(): Promise<void> {
    if (this.#unhooked !== undefined)
      throw new Violation(`${this.#unhooked} went without its hook`);
    if (this.#fatal !== undefined && this.#after === undefined) throw this.#fatal;
    this.#sim = this.#after ?? this.#sim.crash();
    this.#lines.length = 0;
    const log = await this.#clock.until(this.#openOn(this.#sim));
    const until = <T>(promise: Promise<T>): Promise<T> => this.#clock.until(promise);
    const maybeLossy =
      this.disk.hit?.startsWith('datasync') === true && this.#fault.startsWith('E');
    for (const [name, witness] of this.#witnesses) {
      const isThere = (await log.topics()).some((topic) => topic.name === name);
      if (!isThere && witness.certain.size > 0) throw new Violation(`topic ${name} is gone`);
      await until(log.createTopic(name, TOPICS.get(name)));
      // Removals are checked by the crash tests; here the oldest may be there again or not.
      const { firstOffset, nextOffset } = await until(log.stats(name));
      if (letsGo(name)) witness.beginsAtLeast = witness.beginsAtMost = firstOffset;
      const isShrinking = name !== 'safe';
      await checkTopic(witness, { log, until, random: this.#random, maybeLossy, isShrinking });
      const next = await until(log.append(name, [{ value: utf8('more') }]));
      if (next.firstOffset !== nextOffset) throw new Violation(`${name} goes on elsewhere`);
    }
    const said = this.#lines.find(({ message }) => /damage/.test(message));
    if (said !== undefined && !maybeLossy) throw new Violation(`the log said: ${said.message}`);
    await until(log.close());
  }

  async open(): Promise<void> {
    this.#log = undefined;
    this.#log = await this.#openOn(this.disk);
  }

  /** From here on: a topic at its size waits for a hook, and refuses appends until it has run. */
  async openWithHook(): Promise<void> {
    this.#hasHook = true;
    await this.open();
  }

  async create(topic: string): Promise<void> {
    const options = TOPICS.get(topic);
    try {
      await this.#log!.createTopic(topic, options);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      // Whoever wants the topic asks again, and gets it.
      this.failed = 'create';
      await this.#log!.createTopic(topic, options);
    }
  }

  async append(topic: string, count: number, options: AppendOptions = {}): Promise<void> {
    const texts = Array.from({ length: count }, () => `${this.#records++}.`);
    const witness = this.#witnesses.get(topic)!;
    const rest = new Uint8Array(RECORD_BYTES).fill(BEFORE);
    const records: LogRecord[] = texts.map((text) => {
      if (!witness.isCompact) return { key: utf8(text), value: rest };
      return { key: utf8(slotOf(text)), value: Buffer.concat([utf8(text), rest]) };
    });
    witness.began(texts);
    try {
      const appended = await this.#log!.append(topic, records, options);
      if (this.#after !== undefined) return;
      witness.answered(texts, appended, options.consistency ?? 'durable');
    } catch (error) {
      if (this.#after !== undefined) return;
      if (codeOf(error) === 'LOG_APPEND_FAILED') witness.refused(texts);
      throw error;
    }
  }

  async appendTogether(topic: string): Promise<void> {
    const options: AppendOptions[] = [{}, { consistency: 'interval' }, { consistency: 'memory' }];
    const done = await Promise.allSettled(options.map((one) => this.append(topic, 1, one)));
    for (const one of done) if (one.status === 'rejected') throw one.reason;
  }

  stamp(sequence: number): AppendOptions {
    return { producer: { id: 7, sequence } };
  }

  async commit(topic: string, offset: number): Promise<void> {
    const witness = this.#witnesses.get(topic)!;
    const { nextOffset } = await this.#log!.stats(topic);
    const place = Math.min(offset, nextOffset);
    witness.committing.add(place);
    await this.#log!.commit(topic, 'ledger', place);
    if (this.#after === undefined) witness.committed = place;
  }

  async rewrite(topic: string): Promise<void> {
    const { fills } = this.#witnesses.get(topic)!;
    const nth = fills.begin(0, AFTER);
    const change = { from: 0, change: 'fill', input: AFTER };
    const { nextOffset = 0 } = await this.#log!.rewriteSegment(topic, change);
    if (this.#after === undefined) fills.done(nth, { first: 0, next: nextOffset });
  }

  /** Until the next look at what topics may let go and compact is over. */
  async keepHouse(): Promise<void> {
    await this.#clock.run(LOOK_MS + 1);
  }

  async seeWhatIsLeft(): Promise<void> {
    const counts = new Map((await this.#log!.topics()).map((topic) => [topic.name, topic]));
    // Of an append that failed before there may be less.
    if (this.#after !== undefined || this.failed !== undefined) return;
    for (const [name, first] of LEFT) {
      const { firstOffset = 0 } = counts.get(name) ?? {};
      if (firstOffset < first) throw new Violation(`${name} begins at ${firstOffset}`);
    }
    const names = this.#sim.namesIn(`${FOLDER}/state`);
    const leftover = names.find((name) => name.endsWith('.rewrite'));
    if (leftover !== undefined) throw new Violation(`${leftover} was left lying about`);
    const { bytes = 0 } = counts.get('state') ?? {};
    if (bytes > STATE_BYTES_MAX) throw new Violation(`state has ${bytes} bytes`);
  }

  #expectHooked(path: string): void {
    const [, , topic = '', name = ''] = path.split('/');
    if (
      !this.#hasHook ||
      !letsGo(topic) ||
      segmentOffset(name) === undefined ||
      this.#hooked.has(path)
    )
      return;
    const after = this.#sim
      .namesIn(`${FOLDER}/${topic}`)
      .find((one) => one > name && isSegment(one));
    // The last one may be made anew.
    if (after !== undefined) this.#unhooked ??= path;
  }

  /** Reads it through, as one that copies it away would. */
  async #hook(disk: Disk, path: string): Promise<void> {
    const file = await disk.open(path, { write: false });
    try {
      const bytes = new Uint8Array(await file.sizeBytes());
      await file.read(bytes, 0);
    } finally {
      await file.close();
    }
    this.#hooked.add(path);
  }

  async read(topic: string): Promise<void> {
    const { records } = await this.#log!.read(topic, { from: 0 });
    if (this.#after === undefined) this.#witnesses.get(topic)!.wasRead(records);
  }

  async close(): Promise<void> {
    await this.#log!.close();
  }

  #openOn(disk: Disk): Promise<LocalLog> {
    return LocalLog.open({
      disk,
      clock: this.#clock,
      random: this.#random,
      logger: memoryLogger(this.#lines),
      metrics: new Registry(),
      config: CONFIG,
      folder: FOLDER,
      ...(this.#hasHook ? { hook: { run: ({ path }) => this.#hook(disk, path) } } : undefined),
      onFatal: (error) => {
        this.#fatal ??= error;
      },
      changes: new Map([['fill', (input) => (value) => fill(value, Number(input))]]),
    });
  }

  /** Runs until it is done or the power is gone; what it failed with. */
  async #untilDone(running: Promise<unknown>): Promise<unknown> {
    let isDone = false;
    let failure: unknown;
    running.then(
      () => {
        isDone = true;
      },
      (error: unknown) => {
        isDone = true;
        failure = error;
      },
    );
    for (let idle = 0; !isDone && this.#after === undefined; ) {
      await settle();
      idle = isDone || this.#clock.step() ? 0 : idle + 1;
      if (idle === 100) throw new Violation('it does not go on');
    }
    return failure;
  }
}

/** It removes segments by itself. */
function letsGo(topic: string): boolean {
  const { whenFull, recordsMax, ageMsMax } = TOPICS.get(topic) ?? {};
  return whenFull === 'removeOldest' || (recordsMax ?? ageMsMax) !== undefined;
}

function isSegment(name: string): boolean {
  return segmentOffset(name) !== undefined;
}

function fill(value: Uint8Array, byte: number): boolean {
  value.fill(byte);
  return true;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
