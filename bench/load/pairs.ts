// Two or more programs under the same load, in turn: A, B, A, B, … so that whatever else the machine
// does falls on all of them. What is compared is the CPU time per answer, from each process's own
// accounting, which holds where answers a second do not; the medians of all turns count.

import { cpuMicrosByThread } from '#bench/server-use.ts';
import { Community } from './community.ts';
import { HttpReplay } from './http-replay.ts';
import { faultOf, Load, type LoadOrder, type LoadReport, lostOf } from './load.ts';
import { isWsOrder, WsLoad } from './ws-load.ts';

const TURN_SPARE_SECONDS = 20;

export interface Side {
  readonly name: string;
  readonly pid: number;
  readonly order: LoadOrder;
  /** It answers without peers on purpose: their number is not checked. */
  readonly isConstant?: boolean;
  /** Resolves when what a turn has caused is done; its CPU time belongs to the turn. */
  readonly settled?: () => Promise<void>;
}

export interface Measured {
  readonly name: string;
  /** Medians over the turns. */
  readonly microsPerAnswer: number;
  readonly answersPerSecond: number;
  readonly peersPerAnswer: number;
  readonly loaderMicros: number;
  readonly p99Ms: number;
  readonly lost: number;
  /** Of each turn, to be divided by another side's of the same turn. */
  readonly turns: readonly number[];
  readonly p99Turns: readonly number[];
  /** CPU time per answer of each turn, by the names of the threads. */
  readonly threadTurns: readonly ReadonlyMap<string, number>[];
  readonly fault: string | undefined;
}

export interface Turns {
  readonly turns: number;
  readonly seconds: number;
  /** Of each turn that does not count: compilers and caches are warm afterwards. */
  readonly warmSeconds?: number;
  /** How many of them come first: 1 unless it is said. What a turn's beginning and end bring is warm then. */
  readonly warmTurns?: number;
  /** 0 is the closed loop. */
  readonly ratePerSecond?: number;
  /** By performance.now(): no turn begins later. A turn itself cannot last for ever. */
  readonly endsMs: number;
}

/** Fills all sides, one after another, then measures them in turn. */
export async function measureInTurn(
  sides: readonly Side[],
  how: Turns,
): Promise<readonly Measured[]> {
  const loads: Generator[] = [];
  try {
    for (const { order } of sides) {
      loads.push(await generatorOf(order));
    }
    for (const load of loads) await load.fill();
    return await measureFilled(sides, loads, how);
  } finally {
    for (const load of loads) await load.end();
  }
}

async function measureFilled(
  sides: readonly Side[],
  loads: readonly Generator[],
  how: Turns,
): Promise<readonly Measured[]> {
  const all: Turn[][] = sides.map(() => []);
  // The first turns only show compilers and caches warming up.
  for (let turn = -(how.warmTurns ?? 1); turn < how.turns; turn++) {
    for (const [at, side] of sides.entries()) {
      if (performance.now() > how.endsMs) throw new Error('the time for all rows is over');
      const before = cpuMicrosByThread(side.pid);
      const seconds = turn < 0 ? (how.warmSeconds ?? how.seconds) : how.seconds;
      const measured = loads[at]!.measure(seconds, how.ratePerSecond ?? 0);
      const report = await withinTurnTime(side.name, seconds, measured);
      await side.settled?.();
      if (turn < 0) continue;
      const threads = differences(cpuMicrosByThread(side.pid), before, report.answers);
      all[at]!.push({ report, threads });
    }
  }
  return sides.map((side, at) => summary(side, all[at]!));
}

/** @throws when a turn takes far longer than it should: somebody hangs, and the row ends */
async function withinTurnTime(
  name: string,
  seconds: number,
  measured: Promise<LoadReport>,
): Promise<LoadReport> {
  const secondsMax = seconds + TURN_SPARE_SECONDS;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`${name}: a turn of ${seconds} s did not end in ${secondsMax} s`);
    timer = setTimeout(() => reject(error), secondsMax * 1000);
  });
  return await Promise.race([measured, late]).finally(() => clearTimeout(timer));
}

async function generatorOf(order: LoadOrder): Promise<Generator> {
  if (isWsOrder(order)) return new WsLoad(order);
  return order.door === 'http' ? await HttpReplay.start(order) : new Load(order);
}

type Generator = Pick<Load, 'fill' | 'measure' | 'end'>;

interface Turn {
  readonly report: LoadReport;
  /** CPU time per answer by the name of the thread, µs. */
  readonly threads: ReadonlyMap<string, number>;
}

function differences(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
  answers: number,
): ReadonlyMap<string, number> {
  const each = ([name, micros]: [string, number]): [string, number] => [
    name,
    (micros - (before.get(name) ?? 0)) / Math.max(1, answers),
  ];
  return new Map([...after].map(each));
}

function summary(side: Side, turns: readonly Turn[]): Measured {
  const of = (value: (turn: Turn) => number): number => median(turns.map(value));
  const perAnswer = ({ threads }: Turn): number =>
    [...threads.values()].reduce((sum, micros) => sum + micros, 0);
  const expected = side.isConstant === true ? 0 : new Community(side.order).peersExpected();
  const faults = turns.map(({ report }) => {
    const lost = lostOf(report.losses);
    return faultOf(report, expected) ?? (lost > 0 ? `${lost} lost` : undefined);
  });
  return {
    name: side.name,
    microsPerAnswer: of(perAnswer),
    answersPerSecond: of(({ report }) => report.answers / report.seconds),
    peersPerAnswer: of(({ report }) => report.peersInAnswers / (report.answers - report.scrapes)),
    loaderMicros: of(({ report }) => report.ownCpuMicros / Math.max(1, report.answers)),
    p99Ms: of(({ report }) => report.p99Ms),
    lost: turns.reduce((sum, { report }) => sum + lostOf(report.losses), 0),
    turns: turns.map(perAnswer),
    p99Turns: turns.map(({ report }) => report.p99Ms),
    threadTurns: turns.map(({ threads }) => threads),
    fault: faults.find((fault) => fault !== undefined),
  };
}

/** The median of the turns' own ratios: both halves of each were measured next to each other. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, turn) => value / (theirs[turn] ?? Number.NaN)));
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
