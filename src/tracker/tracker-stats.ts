// What a tracker tells of itself, and the same of several threads as one.

import type { SwarmTotals } from '#swarm/swarm-views.ts';
import type { ControlStatus } from '#tracker/directory/control-follower.ts';
import type { WsTotals } from '#tracker/websocket/ws-counts.ts';
import type { CountKind } from './tracker-counts.ts';

export interface TrackerStats {
  readonly addresses: readonly string[];
  readonly mode: string;
  readonly swarm: SwarmTotals;
  readonly directory: { readonly members: number; readonly torrents: number };
  /** Of several threads the one that is behind. */
  readonly control: ControlStatus;
  readonly requests: Readonly<Record<CountKind, number>>;
  readonly waiting: number;
  readonly recordsPending: number;
  readonly backPressured: number;
  readonly recordsLost: number;
  readonly httpConnections: number;
  readonly webSocket: WsTotals;
}

/** Of at least one thread. What they share is told by the first. */
export function statsOfAll(
  first: TrackerStats,
  others: readonly TrackerStats[],
): TrackerStats & { readonly workers: number } {
  const all = [first, ...others];
  const sum = (of: (stats: TrackerStats) => number): number =>
    all.reduce((total, stats) => total + of(stats), 0);
  return {
    ...first,
    workers: all.length,
    control: all.map((stats) => stats.control).reduce((a, b) => (isBehind(b, a) ? b : a)),
    requests: sumFields(all.map((stats) => stats.requests)),
    waiting: sum((stats) => stats.waiting),
    backPressured: sum((stats) => stats.backPressured),
    recordsLost: sum((stats) => stats.recordsLost),
    httpConnections: sum((stats) => stats.httpConnections),
    webSocket: sumFields(all.map((stats) => stats.webSocket)),
  };
}

function isBehind(one: ControlStatus, other: ControlStatus): boolean {
  if (one.connected !== other.connected) return !one.connected;
  return one.appliedOffset < other.appliedOffset;
}

function sumFields<Name extends string>(
  list: readonly Readonly<Record<Name, number>>[],
): Readonly<Record<Name, number>> {
  const sums = {} as Record<Name, number>;
  for (const numbers of list) {
    for (const name of Object.keys(numbers) as Name[]) {
      sums[name] = (sums[name] ?? 0) + numbers[name];
    }
  }
  return sums;
}
