// What would be found if the power went now, or the process were killed: at a moment of a life of
// log-crashes.ts the simulated disk is copied, the copy loses power, and a log is opened on it and
// compared with what the users had been told by then. The life goes on and knows nothing of it. So one
// life yields hundreds of ends instead of one, at the price of a recovery each: these are most of the
// work of a long run.
//
// Of every sixth the recovery ends as well, at any operation, once or more. Nothing of a branch takes
// simulated time, and nothing is appended in it: what happens after a recovery is for the lives, each
// of which begins with one.

import type { Disk } from '#base/disk.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { LogConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from './clock.ts';
import type { SimDisk } from './disk.ts';
import type { RemovalWatch } from './log-hook.ts';
import { CHANGES, type UserTopic } from './log-users.ts';
import { compareTopic, isShrinking, Violation } from './log-witness.ts';
import { type PlantedBug, PlantedDisk } from './planted-disk.ts';

/** One in as many is killed instead, where the life allows it. */
const KILLED = 6;
const CUT_SHORT = 6;
const OPENING_OPERATIONS = 60;

export interface BranchWorld {
  readonly seed: number;
  /** Looked at for each moment. */
  readonly branches: number;
  readonly folder: string;
  readonly config: LogConfig;
  readonly topics: readonly UserTopic[];
  readonly removals: RemovalWatch;
  readonly planted: PlantedBug | undefined;
}

/** A moment of a life. All that can go on by itself has done so. */
export interface Moment {
  readonly disk: SimDisk;
  readonly nowMs: number;
  readonly canBeKilled: boolean;
  /** A sync has failed before. */
  readonly maybeLossy: boolean;
}

export class CrashBranches {
  crashes = 0;
  readonly #world: BranchWorld;
  readonly #random: SeededRandom;

  constructor(world: BranchWorld) {
    this.#world = world;
    // Its own: the lives of a seed are the same with any number of branches.
    this.#random = new SeededRandom(world.seed, 1);
  }

  /** @throws Violation, and whatever the log throws */
  async look(moment: Moment): Promise<void> {
    const { branches, topics, removals } = this.#world;
    const before = topics.map(({ witness }) => witness.bounds);
    for (let nth = 0; nth < branches; nth++) {
      await this.#end(moment);
      if (removals.violation !== undefined) throw removals.violation;
      for (const [at, { witness }] of topics.entries()) witness.bounds = before[at]!;
    }
  }

  async #end(moment: Moment): Promise<void> {
    const fork = moment.disk.fork({ random: this.#random });
    const isKilled = moment.canBeKilled && this.#chance(KILLED);
    let disk = isKilled ? fork.kill() : fork.crash();
    for (;;) {
      this.crashes++;
      let cutAt = this.#chance(CUT_SHORT) ? 1 + below(this.#random, OPENING_OPERATIONS) : 0;
      const lines: LogLine[] = [];
      let operations = 0;
      const next = Promise.withResolvers<SimDisk>();
      const now = disk;
      now.onOperation = (operation, path) => {
        if (operation === 'remove') this.#world.removals.onRemove(now, path);
        if (++operations === cutAt) next.resolve(isKilled ? now.kill() : now.crash());
        return undefined;
      };
      const opened = await Promise.race([this.#open(now, moment, lines), next.promise]);
      if (opened instanceof LocalLog) {
        cutAt = 0;
        await this.#compare(opened, moment, lines);
        return;
      }
      disk = opened;
    }
  }

  async #open(disk: SimDisk, moment: Moment, lines: LogLine[]): Promise<LocalLog> {
    const { planted, folder, config } = this.#world;
    let seen: Disk = disk;
    if (planted !== undefined) {
      const broken = new PlantedDisk(disk, planted, folder);
      broken.isOpening = true;
      seen = broken;
    }
    return LocalLog.open({
      disk: seen,
      clock: new SimClock(moment.nowMs),
      random: this.#random,
      logger: memoryLogger(lines),
      metrics: new Registry(),
      config,
      folder,
      changes: CHANGES,
      // It would take time, and there is none.
      hook: { run: () => new Promise(() => {}) },
      onFatal: (error) => {
        throw error;
      },
    });
  }

  async #compare(log: LocalLog, { maybeLossy }: Moment, lines: readonly LogLine[]): Promise<void> {
    const stats = new Map((await log.topics()).map((topic) => [topic.name, topic]));
    const until = <T>(promise: Promise<T>): Promise<T> => promise;
    for (const { witness, options } of this.#world.topics) {
      if (!stats.has(witness.name)) {
        if (witness.certain.size > 0) throw new Violation(`topic ${witness.name} is gone`);
        continue;
      }
      const check = { log, until, random: this.#random, maybeLossy };
      await compareTopic(witness, { ...check, isShrinking: isShrinking(options) });
    }
    for (const line of lines) {
      if (/damage/.test(line.message)) throw new Violation(`the log said: ${line.message}`);
      if (/missing/.test(line.message) && !maybeLossy) throw new Violation(line.message);
    }
  }

  /** One in `many`. */
  #chance(many: number): boolean {
    return below(this.#random, many) === 0;
  }
}
