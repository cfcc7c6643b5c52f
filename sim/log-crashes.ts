// Lives and deaths of a log on a simulated disk, from one seed: writers, readers and a consumer work
// until the power goes, the process is killed, or it ends in order; then the log is opened again and
// compared with what its users had been told. The rules:
//
// - What was answered as on disk, and what a reader was given, is there, at its offset, for ever.
// - What was refused is never seen. What was in flight may be there or not; once a recovery has
//   shown that it is not, it never appears.
// - Nothing appears twice, out of place, or that nobody wrote. Offsets have no gap, unless a sync
//   had failed: then what was answered from memory may be one.
// - Recovery never takes a torn tail for damage.
//
// Not promised, and so not tried: a disk that fails a sync, then a process that ends before it has
// cut, then a loss of power. The kernel shows the next process bytes that it will not write.

import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Consistency, Log, LogRecord, TopicStats } from '#log/log.ts';
import type { PlantedBug } from '#log/recovery.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock, settle } from './clock.ts';
import { SimDisk } from './disk.ts';

export interface CrashOptions {
  readonly seed: number;
  readonly lives: number;
  readonly planted?: PlantedBug;
  /** Syncs of segments, or of the names in a topic's folder, that are not done. */
  readonly lying?: 'datasync' | 'syncFolder';
}

export interface CrashOutcome {
  /** What was broken, or undefined. */
  readonly violation: string | undefined;
  readonly crashes: number;
  readonly acknowledged: number;
}

const CONSISTENCIES: readonly Consistency[] = ['memory', 'interval', 'durable'];
const FAULTY = new Set(['write', 'datasync', 'truncate', 'create', 'syncFolder', 'remove']);

/** What the users of one topic know. */
class Known {
  /** Offset to text: it must be there. */
  readonly certain = new Map<number, string>();
  /** Answered from memory: where it must be if it is there. */
  readonly placed = new Map<string, number>();
  /** In flight: it may be there. */
  readonly maybe = new Set<string>();
  /** Refused, or known to be lost. */
  readonly forbidden = new Set<string>();
  committed: number | undefined;
  readonly committing = new Set<number>();
}

export async function runCrashes(options: CrashOptions): Promise<CrashOutcome> {
  const world = new CrashWorld(options);
  try {
    return await world.run();
  } catch (error) {
    const violation = error instanceof Violation ? error.message : `it threw ${describe(error)}`;
    return { violation, crashes: world.crashes, acknowledged: world.acknowledged };
  }
}

class Violation extends Error {}

class CrashWorld {
  crashes = 0;
  acknowledged = 0;
  readonly #options: CrashOptions;
  readonly #random: SeededRandom;
  readonly #clock = new SimClock();
  readonly #topics = new Map<string, Known>([
    ['safe', new Known()],
    ['fast', new Known()],
  ]);
  readonly #config;
  readonly #hasFaults: boolean;
  #disk: SimDisk;
  #lines: LogLine[] = [];
  #records = 0;
  #isDead = false;
  #syncFailed = false;
  /** In this life. */
  #syncFailedNow = false;
  /** The disk as the next life finds it. */
  #next: SimDisk | undefined;

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    const { lying } = options;
    this.#disk = new SimDisk({
      random: this.#random,
      clock: this.#clock,
      lying: (operation, path) =>
        operation === lying && (operation === 'datasync' ? path.endsWith('.log') : path !== '/log'),
    });
    this.#hasFaults = this.#chance(3);
    this.#config = logConfig.parse({
      segmentBytesMax: 4096,
      preallocateBytes: this.#chance(2) ? 1024 : 0,
      batchRecordsMax: 4,
      writeBytesMax: this.#chance(2) ? 1024 : 4096,
      intervalMs: 5,
      openFilesMax: 4,
      indexesMax: 1,
    });
  }

  async run(): Promise<CrashOutcome> {
    for (let life = 0; life < this.#options.lives; life++) await this.#live();
    const { crashes, acknowledged } = this;
    return { violation: undefined, crashes, acknowledged };
  }

  async #live(): Promise<void> {
    const clean = await this.#open();
    await this.#check(clean);
    this.#next = undefined;
    this.#isDead = false;
    this.#syncFailedNow = false;
    const deadline = below(this.#random, 120) + 1;
    const killed = this.#chance(4);
    const faults = this.#hasFaults && this.#chance(2);
    this.#disk.capacityBytesMax = faults && this.#chance(3) ? 12_000 : Number.POSITIVE_INFINITY;
    let operations = 0;
    this.#disk.onOperation = (operation) => {
      if (++operations === deadline) this.#die(killed);
      if (!faults || !FAULTY.has(operation) || !this.#chance(30)) return undefined;
      if (operation === 'datasync') {
        this.#syncFailed = true;
        this.#syncFailedNow = true;
      }
      return 'EIO';
    };
    for (let step = 0; step < 60 && !this.#isDead; step++) {
      this.#act(clean);
      await settle();
      for (let turns = below(this.#random, 6); turns > 0 && !this.#isDead; turns--) {
        this.#clock.step();
        await settle();
      }
    }
    if (!this.#isDead && this.#chance(2)) await this.#closeInOrder(clean);
    if (!this.#isDead) this.#die(killed);
    this.crashes++;
    this.#disk = this.#next!;
    this.#disk.capacityBytesMax = Number.POSITIVE_INFINITY;
  }

  #die(killed: boolean): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#next = killed && !this.#syncFailedNow ? this.#disk.kill() : this.#disk.crash();
  }

  async #open(): Promise<LocalLog> {
    this.#lines = [];
    const opening = LocalLog.open({
      disk: this.#disk,
      clock: this.#clock,
      random: this.#random,
      logger: memoryLogger(this.#lines),
      metrics: new Registry(),
      config: this.#config,
      folder: '/log',
      onFatal: () => this.#die(true),
      ...(this.#options.planted === undefined ? undefined : { planted: this.#options.planted }),
    });
    const log = await this.#clock.until(opening);
    const found = await log.topics();
    const names = new Set(found.map(({ name }) => name));
    for (const [name, known] of this.#topics) {
      if (known.certain.size > 0 && !names.has(name)) throw new Violation(`topic ${name} is gone`);
      const consistency = name === 'safe' ? 'durable' : 'memory';
      await this.#clock.until(log.createTopic(name, { consistency }));
    }
    return log;
  }

  #act(log: LocalLog): void {
    const kind = below(this.#random, 10);
    const name = this.#chance(3) ? 'fast' : 'safe';
    const known = this.#topics.get(name)!;
    if (kind < 7) {
      for (let many = 1 + below(this.#random, 3); many > 0; many--) this.#append(log, name, known);
    } else if (kind < 9) {
      if (name === 'safe') void this.#read(log, known);
    } else {
      void this.#commit(log, name, known);
    }
  }

  #append(log: LocalLog, name: string, known: Known): void {
    const texts: string[] = [];
    const records: LogRecord[] = [];
    for (let many = 1 + below(this.#random, 4); many > 0; many--) {
      const text = `${this.#records++}.`;
      texts.push(text);
      const padding = this.#chance(5) ? below(this.#random, 900) : below(this.#random, 60);
      records.push({ key: utf8(text), value: new Uint8Array(padding).fill(0x61) });
    }
    const consistency = CONSISTENCIES[below(this.#random, 3)]!;
    for (const text of texts) known.maybe.add(text);
    log.append(name, records, { consistency }).then(
      ({ firstOffset }) => {
        if (this.#isDead) return;
        for (const [nth, text] of texts.entries()) {
          const offset = firstOffset + nth;
          if (consistency === 'memory') known.placed.set(text, offset);
          else {
            known.certain.set(offset, text);
            this.acknowledged++;
          }
        }
      },
      (error: unknown) => {
        if (this.#isDead || codeOf(error) !== 'LOG_APPEND_FAILED') return;
        for (const text of texts) {
          known.maybe.delete(text);
          known.forbidden.add(text);
        }
      },
    );
  }

  async #read(log: LocalLog, known: Known): Promise<void> {
    const { durableOffset } = await countsOf(log, 'safe').catch(() => ({ durableOffset: 0 }));
    const from = below(this.#random, durableOffset + 1);
    try {
      const { records } = await log.read('safe', { from, recordsMax: 5 });
      if (this.#isDead) return;
      for (const { offset, key } of records) known.certain.set(offset, textOf(key));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }

  async #commit(log: LocalLog, name: string, known: Known): Promise<void> {
    try {
      const { nextOffset } = await countsOf(log, name);
      const offset = below(this.#random, nextOffset + 1);
      known.committing.add(offset);
      await log.commit(name, 'ledger', offset);
      if (!this.#isDead) known.committed = offset;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }

  async #closeInOrder(log: LocalLog): Promise<void> {
    let isClosed = false;
    const closing = log.close().then(
      () => {
        isClosed = true;
      },
      () => this.#die(true),
    );
    while (!isClosed && !this.#isDead) {
      await settle();
      this.#clock.step();
    }
    if (!isClosed) return;
    await closing;
    await settle();
    // Closed in order, everything that was answered is on disk, from memory or not.
    for (const known of this.#topics.values()) {
      if (this.#syncFailed) continue;
      for (const [text, offset] of known.placed) known.certain.set(offset, text);
    }
  }

  async #check(log: LocalLog): Promise<void> {
    for (const line of this.#lines) {
      if (/damage/.test(line.message)) throw new Violation(`recovery said: ${line.message}`);
      if (/missing/.test(line.message) && !this.#syncFailed) throw new Violation(line.message);
    }
    for (const [name, known] of this.#topics) {
      const found = new Map<number, string>();
      const { firstOffset, nextOffset } = await this.#clock.until(countsOf(log, name));
      if (firstOffset !== 0) throw new Violation(`${name} begins at ${firstOffset}`);
      for (let from = 0; from < nextOffset; ) {
        const result = await this.#clock.until(log.read(name, { from, recordsMax: 50 }));
        for (const gap of result.gaps) {
          if (!this.#syncFailed) throw new Violation(`${name} has a gap at ${gap.first}`);
        }
        for (const { offset, key } of result.records) {
          if (offset < from) throw new Violation(`${name} repeats ${offset}`);
          found.set(offset, textOf(key));
        }
        if (result.nextOffset <= from) throw new Violation(`${name} stands still at ${from}`);
        from = result.nextOffset;
      }
      this.#compare(name, known, found);
      const position = await this.#clock.until(log.position(name, 'ledger'));
      const isKnown = position === known.committed;
      if (!isKnown && (position === undefined || !known.committing.has(position))) {
        throw new Violation(`${name}: consumer at ${position}, committed ${known.committed}`);
      }
      known.committed = position;
      known.committing.clear();
    }
  }

  #compare(name: string, known: Known, found: ReadonlyMap<number, string>): void {
    for (const [offset, text] of known.certain) {
      if (found.get(offset) !== text) {
        throw new Violation(`${name}: ${offset} is ${found.get(offset)}, was told ${text}`);
      }
    }
    const seen = new Set<string>();
    for (const [offset, text] of found) {
      if (seen.has(text)) throw new Violation(`${name}: ${text} is there twice`);
      seen.add(text);
      if (known.forbidden.has(text)) throw new Violation(`${name}: ${text} came back at ${offset}`);
      if (!known.maybe.has(text)) throw new Violation(`${name}: nobody wrote ${text}`);
      const placed = known.placed.get(text);
      if (placed !== undefined && placed !== offset) {
        throw new Violation(`${name}: ${text} is at ${offset}, was told ${placed}`);
      }
      known.certain.set(offset, text);
    }
    for (const text of known.maybe) {
      if (seen.has(text)) continue;
      known.maybe.delete(text);
      known.placed.delete(text);
      known.forbidden.add(text);
    }
  }

  /** One in `many`. */
  #chance(many: number): boolean {
    return below(this.#random, many) === 0;
  }
}

function textOf(key: Uint8Array | undefined): string {
  return key === undefined ? '' : new TextDecoder().decode(key);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Without a look at the disk, which would be one more chance for it to fail. */
async function countsOf(log: Log, name: string): Promise<TopicStats> {
  const found = (await log.topics()).find((topic) => topic.name === name);
  if (found === undefined) throw new Error(`There is no topic ${name}`);
  return found;
}
