// The ratio watch: what follows from a strategy's verdict. A pure state machine; the job that runs it
// writes each transition down, tells the member, and has it in force at the trackers.
//
//                 verdict met    verdict warned   verdict short
//   good          good           warned           watched
//   warned        good           warned           watched
//   watched       good           warned           watched, or restricted when the watch is over:
//                                                 its time is up, or more was taken than it allows
//   restricted    good           warned           restricted
//
// A watch begins with what the member has taken by then; only what is taken later counts against it.
// Who is restricted may seed and may not take more: that is how the way back is walked. Leaving a watch
// or a restriction needs nothing but a verdict that is not short: nobody must ask for it.

import type { VerdictState } from '#accounting/strategies/strategy.ts';

export type StandingState = 'good' | 'warned' | 'watched' | 'restricted';

export interface Standing {
  readonly state: StandingState;
  /** Unix milliseconds of the last transition; 0 before the first. */
  readonly sinceMs: number;
  /** Of the watch under way; 0 and 0 when there is none. */
  readonly watchEndsMs: number;
  readonly watchFromBytes: number;
  /** Watches that were ever begun. */
  readonly watches: number;
}

export const GOOD_STANDING: Standing = {
  state: 'good',
  sinceMs: 0,
  watchEndsMs: 0,
  watchFromBytes: 0,
  watches: 0,
};

export interface WatchSettings {
  readonly watchMs: number;
  /** Bytes that may be taken during a watch. */
  readonly watchBytesMax: number;
}

export type TransitionReason =
  | 'requirement-met'
  | 'about-to-fall-short'
  | 'fell-short'
  | 'watch-time-over'
  | 'watch-bytes-over';

export interface Transition {
  readonly from: StandingState;
  readonly to: Standing;
  readonly reason: TransitionReason;
}

/** Undefined when nothing changes. `downloadedBytes` are actual bytes over all time. */
export function nextStanding(
  standing: Standing,
  now: {
    readonly verdict: VerdictState;
    readonly downloadedBytes: number;
    readonly nowMs: number;
  },
  settings: WatchSettings,
): Transition | undefined {
  const from = standing.state;
  switch (now.verdict) {
    case 'met':
      if (from === 'good') return undefined;
      return { from, to: freeOf(standing, 'good', now.nowMs), reason: 'requirement-met' };
    case 'warned':
      if (from === 'warned') return undefined;
      return {
        from,
        to: freeOf(standing, 'warned', now.nowMs),
        reason: from === 'good' ? 'about-to-fall-short' : 'requirement-met',
      };
    default:
      return whenShort(standing, now, settings);
  }
}

function whenShort(
  standing: Standing,
  now: { readonly downloadedBytes: number; readonly nowMs: number },
  settings: WatchSettings,
): Transition | undefined {
  const { state: from } = standing;
  const { nowMs, downloadedBytes } = now;
  if (from === 'restricted') return undefined;
  if (from === 'watched') {
    const isBytesOver = downloadedBytes - standing.watchFromBytes > settings.watchBytesMax;
    if (!isBytesOver && nowMs < standing.watchEndsMs) return undefined;
    const to: Standing = { ...standing, state: 'restricted', sinceMs: nowMs, watchEndsMs: 0 };
    return { from, to, reason: isBytesOver ? 'watch-bytes-over' : 'watch-time-over' };
  }
  const to: Standing = {
    state: 'watched',
    sinceMs: nowMs,
    watchEndsMs: nowMs + settings.watchMs,
    watchFromBytes: downloadedBytes,
    watches: standing.watches + 1,
  };
  return { from, to, reason: 'fell-short' };
}

function freeOf(standing: Standing, state: 'good' | 'warned', nowMs: number): Standing {
  return { state, sinceMs: nowMs, watchEndsMs: 0, watchFromBytes: 0, watches: standing.watches };
}

/** Whether the trackers let the member take more. */
export function mayLeech(state: StandingState): boolean {
  return state !== 'restricted';
}
