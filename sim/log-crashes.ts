// Lives and deaths of a log on a simulated disk, from one seed: writers, readers, a consumer and
// producers that repeat themselves work on topics of every consistency, with a limit of size and
// without, until the power goes, the process is killed, or it ends in order; a recovery may be cut
// short as well. Then the log is opened again and compared with what its users had been told. The
// rules are those of log-witness.ts, and:
//
// - An append that is repeated with its stamp is answered with the offset of the first time, and
//   stands there once; one that is older than its producer's newest is refused.
// - A topic with a limit never has more bytes, and refuses only what would be more.
// - What retention and compaction let go is what they may, at whatever moment the end comes; where
//   there is a delete hook, after it (log-hook.ts).
// - What a rewriting of sealed segments has changed stays so (log-fills.ts).
// - Recovery never takes a torn tail for damage.
//
// Not promised, and so not tried: a disk that fails a sync, then a process that ends before it has
// cut, then a loss of power. The kernel shows the next process bytes that it will not write.

import type { Disk } from '#base/disk.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { TopicOptions } from '#log/log.ts';
import { segmentOffset } from '#log/segment/segment.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock, settle } from './clock.ts';
import { SimDisk } from './disk.ts';
import { CrashBranches } from './log-branches.ts';
import { RemovalWatch } from './log-hook.ts';
import { CHANGES, LogUsers } from './log-users.ts';
import { checkTopic, isShrinking, Violation } from './log-witness.ts';
import { type PlantedBug, PlantedDisk } from './planted-disk.ts';

export interface CrashOptions {
  readonly seed: number;
  readonly lives: number;
  /** Ends to be looked at beside each life's own, at each of its moments (log-branches.ts). */
  readonly branches?: number;
  readonly planted?: PlantedBug;
}

export interface CrashOutcome {
  /** What was broken, or undefined. */
  readonly violation: string | undefined;
  readonly crashes: number;
  readonly acknowledged: number;
}

const FOLDER = '/log';
const FAULTY = new Set(['write', 'datasync', 'truncate', 'create', 'syncFolder', 'remove']);
const FEW_TOPICS_MAX = 3;
/** The first two always, of the others each in every second world. */
const TOPICS: readonly (readonly [string, TopicOptions])[] = [
  ['safe', { consistency: 'durable' }],
  ['fast', { consistency: 'memory' }],
  [
    'ring',
    { consistency: 'durable', bytesMax: 12_288, whenFull: 'removeOldest', whenUnread: 'remove' },
  ],
  ['small', { consistency: 'interval', bytesMax: 8192, whenFull: 'refuse' }],
  ['short', { consistency: 'durable', recordsMax: 16 }],
  ['young', { consistency: 'interval', ageMsMax: 150, whenUnread: 'remove' }],
  ['state', { consistency: 'durable', compact: true, codec: 'zstd' }],
];

export async function runCrashes(options: CrashOptions): Promise<CrashOutcome> {
  const world = new CrashWorld(options);
  let violation: string | undefined;
  try {
    await world.run();
  } catch (error) {
    violation = error instanceof Violation ? error.message : `it threw ${describe(error)}`;
  }
  const crashes = world.crashes + world.branches.crashes;
  return { violation, crashes, acknowledged: world.users.acknowledged };
}

class CrashWorld {
  crashes = 0;
  readonly users: LogUsers;
  readonly branches: CrashBranches;
  readonly #removals: RemovalWatch;
  readonly #options: CrashOptions;
  readonly #random: SeededRandom;
  readonly #clock = new SimClock();
  readonly #config;
  readonly #hasFaults: boolean;
  #disk: SimDisk;
  #lines: LogLine[] = [];
  #isDead = false;
  #syncFailed = false;
  /** In this life. */
  #syncFailedNow = false;
  #faultsNow = false;
  /** The disk as the next life finds it. */
  #next: SimDisk | undefined;

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#disk = new SimDisk({ random: this.#random, clock: this.#clock });
    this.#hasFaults = this.#chance(3);
    this.users = new LogUsers({
      random: this.#random,
      topics: this.#drawTopics(),
      hasFaults: this.#hasFaults,
      rewrites: this.#chance(2),
      segmentBefore: (topic, next) => this.#segmentBefore(topic, next),
    });
    this.#removals = new RemovalWatch({
      folder: FOLDER,
      clock: this.#clock,
      random: this.#random,
      hasHook: this.#chance(2),
      topics: this.users.topics,
    });
    this.#config = logConfig.parse({
      segmentBytesMax: 4096,
      preallocateBytes: this.#chance(2) ? 1024 : 0,
      batchRecordsMax: 4,
      writeBytesMax: this.#chance(2) ? 1024 : 4096,
      intervalMs: 5,
      openFilesMax: 4,
      indexesMax: 1,
      retentionEveryMs: 60,
      compactionDirtyPercent: 1,
    });
    this.branches = new CrashBranches({
      seed: options.seed,
      branches: options.branches ?? 0,
      folder: FOLDER,
      config: this.#config,
      topics: this.users.topics,
      removals: this.#removals,
      planted: options.planted,
    });
  }

  /** With branches they are few: each is opened and read for each of them. */
  #drawTopics(): typeof TOPICS {
    if ((this.#options.branches ?? 0) === 0) {
      return TOPICS.filter((_, nth) => nth < 2 || this.#chance(2));
    }
    const left = [...TOPICS];
    const count = 1 + below(this.#random, FEW_TOPICS_MAX);
    return Array.from(
      { length: count },
      () => left.splice(below(this.#random, left.length), 1)[0]!,
    );
  }

  async run(): Promise<void> {
    for (let life = 0; life < this.#options.lives; life++) await this.#live();
  }

  async #live(): Promise<void> {
    this.#next = undefined;
    this.#isDead = false;
    this.#syncFailedNow = false;
    this.#faultsNow = false;
    const killed = this.#chance(4);
    this.#dieAt(this.#chance(6) ? 1 + below(this.#random, 30) : 0, killed);
    const log = await this.#open(killed);
    if (log !== undefined) {
      this.#dieAt(0, killed);
      await this.#check(log);
      this.users.begin(log);
      await this.#work(log, killed);
    }
    this.#die(killed);
    this.crashes++;
    this.#disk = this.#next!;
    this.#disk.capacityBytesMax = Number.POSITIVE_INFINITY;
  }

  async #work(log: LocalLog, killed: boolean): Promise<void> {
    this.#faultsNow = this.#hasFaults && this.#chance(2);
    if (this.#faultsNow && this.#chance(3)) this.#disk.capacityBytesMax = 30_000;
    this.#dieAt(1 + below(this.#random, 160), killed);
    for (let step = 0; step < 60 && !this.#isDead; step++) {
      this.users.act();
      await settle();
      for (let turns = below(this.#random, 6); turns > 0 && !this.#isDead; turns--) {
        this.#clock.step();
        await settle();
        await this.#branch();
      }
      const wrong = this.users.violation ?? this.#removals.violation;
      if (wrong !== undefined) throw wrong;
    }
    if (!this.#isDead && this.#chance(2)) await this.#closeInOrder(log);
  }

  /** The end comes with the operation of this number, 0 for none. */
  #dieAt(deadline: number, killed: boolean): void {
    let operations = 0;
    this.#disk.onOperation = (operation, path) => {
      if (operation === 'remove') this.#removals.onRemove(this.#disk, path);
      if (++operations === deadline) this.#die(killed);
      if (!this.#faultsNow || !FAULTY.has(operation) || !this.#chance(30)) return undefined;
      if (operation === 'datasync') {
        this.#syncFailed = true;
        this.#syncFailedNow = true;
      }
      return 'EIO';
    };
  }

  #segmentBefore(topic: string, next: number): number | undefined {
    const names = this.#disk.namesIn(`${FOLDER}/${topic}`);
    return names.map(segmentOffset).findLast((offset) => offset !== undefined && offset < next);
  }

  #die(killed: boolean): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.users.end();
    this.#next = killed && !this.#syncFailedNow ? this.#disk.kill() : this.#disk.crash();
  }

  /** Undefined when the end came before it was open. */
  async #open(killed: boolean): Promise<LocalLog | undefined> {
    this.#lines = [];
    const { planted } = this.#options;
    const broken = planted && new PlantedDisk(this.#disk, planted, FOLDER);
    if (broken !== undefined) broken.isOpening = true;
    const opening = this.#openOn(broken ?? this.#disk, killed);
    let isOpen = false;
    const mark = (): void => {
      isOpen = true;
    };
    opening.then(mark, mark);
    for (let idle = 0; !isOpen && !this.#isDead && idle < 100; ) {
      await settle();
      await this.#branch();
      idle = this.#clock.step() ? 0 : idle + 1;
    }
    if (this.#isDead) return undefined;
    const log = await this.#clock.until(opening);
    // Of what the log does by itself: the end may come between its opening and its first answer.
    if (this.#isDead) return undefined;
    if (broken !== undefined) broken.isOpening = false;
    return log;
  }

  async #openOn(disk: Disk, killed: boolean): Promise<LocalLog> {
    const now = this.#disk;
    const log = await LocalLog.open({
      disk,
      clock: this.#clock,
      random: this.#random,
      logger: memoryLogger(this.#lines),
      metrics: new Registry(),
      config: this.#config,
      folder: FOLDER,
      changes: CHANGES,
      hook: this.#removals.hookOn(this.#disk, () => this.#isDead || this.#disk !== now),
      onFatal: () => this.#die(killed),
    });
    const found = new Map((await log.topics()).map((topic) => [topic.name, topic]));
    for (const { witness, options } of this.users.topics) {
      const { name } = witness;
      const isTold = witness.certain.size > 0;
      witness.opensAt = found.get(name)?.firstOffset ?? 0;
      if (isTold && !found.has(name)) throw new Violation(`topic ${name} is gone`);
      await log.createTopic(name, options);
    }
    return log;
  }

  async #branch(): Promise<void> {
    if (this.#isDead || (this.#options.branches ?? 0) === 0) return;
    await this.branches.look({
      disk: this.#disk,
      nowMs: this.#clock.nowMs(),
      canBeKilled: !this.#syncFailedNow,
      maybeLossy: this.#syncFailed,
    });
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
    if (!this.#syncFailed) for (const { witness } of this.users.topics) witness.closed();
  }

  async #check(log: LocalLog): Promise<void> {
    const until = <T>(promise: Promise<T>): Promise<T> => this.#clock.until(promise);
    for (const { witness, options } of this.users.topics) {
      const seen = { log, until, random: this.#random, maybeLossy: this.#syncFailed };
      await checkTopic(witness, { ...seen, isShrinking: isShrinking(options) });
    }
    if (this.#removals.violation !== undefined) throw this.#removals.violation;
    this.users.checked();
    for (const line of this.#lines) {
      if (/damage/.test(line.message)) throw new Violation(`the log said: ${line.message}`);
      if (/missing/.test(line.message) && !this.#syncFailed) throw new Violation(line.message);
    }
  }

  /** One in `many`. */
  #chance(many: number): boolean {
    return below(this.#random, many) === 0;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
