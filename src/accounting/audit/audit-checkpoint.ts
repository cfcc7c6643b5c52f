// How far an audit came, as bytes: so that one that was ended goes on. Everything it has added up is in
// them, with a hash in front; they are read by the program that wrote them, or not at all.

import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { LedgerBatch, LedgerEntry } from '#accounting/ledger/ledger-batch.ts';
import type { LedgerDay } from '#accounting/ledger/ledger-days.ts';
import type { SeedingRow, SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { SavedChain } from './audit-chain.ts';

/** Where the bytes are kept; the caller's, so that this room has no files. */
export interface AuditCheckpoint {
  load(): Promise<Uint8Array | undefined>;
  /** Replaces what was there. */
  save(bytes: Uint8Array): Promise<void>;
  clear(): Promise<void>;
}

/** Of which audit it is: another log, or a log whose beginning went since, is another audit. */
export interface WalkIdentity {
  readonly logId: string;
  readonly epoch: number;
  readonly firstOffset: number;
  readonly baseOffset: number;
  readonly baselinesMax: number;
}

export interface SavedWalk extends WalkIdentity {
  /** The next record to look at; every one before it is in the sums. */
  readonly from: number;
  readonly records: number;
  readonly differences: readonly string[];
  readonly unlisted: number;
  readonly chain: SavedChain;
  readonly entries: readonly SavedEntry[];
  readonly days: readonly LedgerDay[];
}

type SavedEntry = LedgerEntry & { readonly row: SeedingRow | undefined };

const HASH_BYTES = 32;

export function encodeWalk(walk: SavedWalk): Uint8Array {
  const body = serialize(walk);
  return Buffer.concat([hashOf(body), body]);
}

/** Undefined when the bytes are torn, or of another audit. */
export function decodeWalk(bytes: Uint8Array, identity: WalkIdentity): SavedWalk | undefined {
  const body = bytes.subarray(HASH_BYTES);
  if (!bytesEqual(bytes.subarray(0, HASH_BYTES), hashOf(body))) return undefined;
  const walk = deserialize(body) as SavedWalk;
  const names = ['logId', 'epoch', 'firstOffset', 'baseOffset', 'baselinesMax'] as const;
  return names.every((name) => walk[name] === identity[name]) ? walk : undefined;
}

export function savedEntries(totals: LedgerBatch, states: SeedingStates): readonly SavedEntry[] {
  return totals.entries.map((entry) => {
    const place = entry.seedingPlace;
    const row =
      place < 0
        ? undefined
        : {
            seeded: states.seeded(place),
            seeder: states.seeder(place),
            seeding_more: states.more(place),
          };
    return { ...entry, row };
  });
}

/** Both are empty. */
export function loadEntries(
  entries: readonly SavedEntry[],
  totals: LedgerBatch,
  states: SeedingStates,
): void {
  for (const { row, ...entry } of entries) {
    if (row !== undefined) {
      entry.seedingPlace = states.placeOf(entry.memberId, entry.torrentId);
      states.put(entry.seedingPlace, row);
    }
    totals.begin(entry);
  }
}

function hashOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
