// What a batch adds to seed times. It follows from what was known of each pair before the batch, which
// another batch may have changed while this one was read: so it is found in the transaction that writes.
// States that this ledger wrote are remembered; that nobody else wrote since is what the position says.

import { sql, type Transaction } from 'kysely';
import type { SeedingRow, SeedingStates } from '#accounting/seeding/seeding-states.ts';
import type { LedgerBatch, LedgerEntry } from './ledger-batch.ts';
import type { LedgerDays } from './ledger-days.ts';
import type { LedgerNames } from './ledger-tables.ts';

/** Pairs looked up by one query. */
const PAIRS_MAX = 1000;
/** States remembered from batch to batch, 70 bytes each. */
const STATES_MAX = 524_288;

/** What is counted, and what is known of seeding before it. */
export interface SeedingStep {
  readonly batch: LedgerBatch;
  readonly days: LedgerDays;
  readonly states: SeedingStates;
}

/** Fills seed times and places of the batch's entries, and the seed times of its days. */
export async function settleSeeding<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  step: SeedingStep,
): Promise<void> {
  const { entries, tells } = step.batch;
  if (tells.size === 0) return;
  if (step.states.size > STATES_MAX) step.states.clear();
  const places = new Uint32Array(entries.length);
  await readStates(transaction, names, placed(step, places));
  tells.forEach((at, tell) => {
    const seconds = step.states.advance(places[at]!, tell);
    if (seconds === 0) return;
    const entry = entries[at]!;
    entry.seedSeconds += seconds;
    step.days.addSeeded(entry.memberId, tell.atSeconds * 1000, seconds);
  });
}

/** In the order of the table. */
export function byPair(one: LedgerEntry, other: LedgerEntry): number {
  return one.memberId - other.memberId || one.torrentId - other.torrentId;
}

/**
 * Gives each entry that has anything told its place, in `places` by its number too, and returns those
 * whose states are not known.
 */
function placed({ batch, states }: SeedingStep, places: Uint32Array): Unknown {
  const { entries, tells } = batch;
  const unknown: LedgerEntry[] = [];
  for (const at of tells.pairs) {
    const entry = entries[at]!;
    const { size } = states;
    entry.seedingPlace = states.placeOf(entry.memberId, entry.torrentId);
    places[at] = entry.seedingPlace;
    if (entry.seedingPlace === size) unknown.push(entry);
  }
  return { entries: unknown.sort(byPair), states };
}

interface Unknown {
  readonly entries: readonly LedgerEntry[];
  readonly states: SeedingStates;
}

async function readStates<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  { entries, states }: Unknown,
): Promise<void> {
  for (let from = 0; from < entries.length; from += PAIRS_MAX) {
    const some = entries.slice(from, from + PAIRS_MAX);
    const pairs = some.map(({ memberId, torrentId }) => `(${memberId},${torrentId})`).join();
    const { rows } = await sql<SeedingRow & { member_id: number; torrent_id: number }>`
      select member_id, torrent_id, seeded, seeder, seeding_more from ${sql.table(names.transfer)}
      where (member_id, torrent_id) in (values ${sql.raw(pairs)}) and (seeded > 0 or seeder > 0)
      order by member_id, torrent_id`.execute(transaction);
    let at = 0;
    for (const row of rows) {
      // Both stand in the same order.
      while (some[at]!.memberId !== row.member_id || some[at]!.torrentId !== row.torrent_id) at++;
      states.put(some[at]!.seedingPlace, row);
    }
  }
}
