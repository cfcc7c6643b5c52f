// A ratio strategy judges a member by what the ledger knows of them: a pure function, without clock or
// database, so that a change of the rules can be tried on the past. Its verdict carries the reasons as
// data; verdict-words.ts puts them into sentences for the member's page and the command line.
//
// A strategy only says what is. What follows from it (warning, watch, restriction) is the business of
// accounting/rules/, and is the same for all of them.

/** Bytes and seconds are whole numbers; times are Unix milliseconds. */
export interface MemberHistory {
  readonly nowMs: number;
  readonly joinedMs: number;
  /** Credited, over all time: multipliers and freeleech are in it. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  /** The last days, oldest first, the last one being today (UTC). Days without transfer may be missing. */
  readonly days: readonly DayHistory[];
  /** Torrents that still exist and that the member took something of. */
  readonly torrents: readonly TorrentHistory[];
}

export interface DayHistory {
  /** Midnight UTC. */
  readonly dayMs: number;
  /** Over all torrents, so two seeded for an hour are 7,200. */
  readonly seedSeconds: number;
  readonly leechSeconds: number;
}

export interface TorrentHistory {
  readonly torrentId: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** Actual, whatever was credited. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly seedSeconds: number;
  /** 0: never completed. */
  readonly completedMs: number;
  /** Of any client, whether it seeds or downloads. */
  readonly lastSeenMs: number;
  /** Of a client that had everything; 0 for never. */
  readonly lastSeededMs: number;
  /** One of the member's clients seeds now; another that downloads takes nothing from that. */
  readonly isSeeding: boolean;
  /** Others who want it now. */
  readonly leechers: number;
  /** A moderator or a rule said that this one does not count. */
  readonly isExempt: boolean;
}

/** `short`: less was given than is asked. `warned`: it will be short unless the member acts. */
export type VerdictState = 'met' | 'warned' | 'short';

export interface Verdict {
  readonly state: VerdictState;
  readonly findings: readonly Finding[];
}

/** What was compared with what. Ratios are quotients; Infinity when nothing was taken. */
export type Finding =
  | { readonly kind: 'no-rule' }
  | { readonly kind: 'grace'; readonly downloadedBytes: number; readonly graceBytes: number }
  | { readonly kind: 'ratio'; readonly ratio: number; readonly required: number }
  | {
      readonly kind: 'seeded-share';
      readonly seededMean: number;
      readonly snatches: number;
      readonly requiredMax: number;
      readonly requiredMin: number;
    }
  | {
      readonly kind: 'seed-leech';
      readonly seeded: number;
      readonly leeched: number;
      readonly required: number;
      /** Up to so many nothing is asked. */
      readonly graceTorrents: number;
    }
  | {
      readonly kind: 'seed-leech-time';
      readonly seedSeconds: number;
      readonly leechSeconds: number;
      readonly windowDays: number;
      readonly required: number;
      /** Up to so many of downloading nothing is asked. */
      readonly graceSeconds: number;
    }
  | {
      readonly kind: 'hit-and-run' | 'left-early';
      readonly torrentId: number;
      readonly name: string;
      readonly seedSeconds: number;
      readonly seedSecondsRequired: number;
      readonly uploadedBytes: number;
      readonly uploadedBytesRequired: number;
      readonly awayMs: number;
    }
  | { readonly kind: 'hit-and-runs'; readonly count: number; readonly countMax: number };

export interface Strategy {
  readonly name: StrategyName;
  judge(history: MemberHistory): Verdict;
}

export const STRATEGY_NAMES = [
  'free',
  'upload-download',
  'required-ratio',
  'seed-leech',
  'seed-leech-time',
  'seed-time',
] as const;

export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** Given by taken; Infinity when nothing was taken. */
export function ratioOf(given: number, taken: number): number {
  return taken === 0 ? Number.POSITIVE_INFINITY : given / taken;
}
