// What the console asks of the machine below the site: its stores, and the nodes of which it consists. cli
// knows them; a site without that says so.

import type { LevelTable } from '#base/log-levels.ts';

export interface Machine {
  /** Counted within the last minute. @throws StoreError when the store cannot be opened */
  stores(): Promise<StoresNow>;
  /** One line a node; the node that answers is among them. */
  nodes(): Promise<readonly NodeNow[]>;
  /** What the server logs; of a site without a server there is none. */
  readonly logging?: LogControl;
}

/** Levels by module, in every thread, until the process ends. */
export interface LogControl {
  readonly levels: LevelTable;
  /** Those that have a logger, in order. */
  modules(): Promise<readonly string[]>;
  setLevels(table: LevelTable): void;
  /** As the settings have them. */
  resetLevels(): void;
}

export interface StoresNow {
  /** As configured: `replica(packed, s3)`. */
  readonly stack: string;
  readonly stores: readonly StoreNow[];
  /** What does not stand as it should, in words, and what to do: as `doctor` says it. */
  readonly findings: readonly { readonly what: string; readonly advice: string }[];
  /** Unix milliseconds. */
  readonly countedMs: number;
}

/** A store at the bottom of the stack. */
export interface StoreNow {
  /** As configured: `packed(/mnt/a)`. */
  readonly name: string;
  readonly kind: 'packs' | 'directory' | 'S3' | 'other';
  /** Its blobs are copies of those of others, which give them back. */
  readonly isCopy: boolean;
  /** Undefined when they could not be counted in time, or at all. */
  readonly counts: StoreCounts | undefined;
  /** Of the disk; undefined for a bucket, or when it does not answer. */
  readonly freeBytes: number | undefined;
  /** Places in packs that could not be read when it was opened. */
  readonly damagedPlaces: number;
  /** Blobs that somebody read since and found wrong. */
  readonly wrongBlobs: number;
}

export interface StoreCounts {
  readonly blobs: number;
  readonly bytes: number;
  /** On the medium, with headers and what was removed but not yet given back. */
  readonly storedBytes: number;
}

export interface NodeNow {
  readonly name: string;
  readonly isThis: boolean;
  readonly version: string;
  /** What runs it: `Node 24.12.0`. */
  readonly runtime: string;
  readonly startedMs: number;
  /** What it does: `site`, `tracker`, `jobs`. */
  readonly roles: readonly string[];
  /** Where it is reached. */
  readonly doors: readonly string[];
  /** How its tracker reads sockets: `sockets: batched`. */
  readonly sockets: string;
  /** Resident, of the whole process. */
  readonly memoryBytes: number;
  /** How late the main thread comes to what is due, since `sinceMs`. */
  readonly lag: { readonly p99Ms: number; readonly maxMs: number; readonly sinceMs: number };
}
