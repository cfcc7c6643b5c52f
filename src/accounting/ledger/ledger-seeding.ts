// What a batch adds to seed times. It follows from what was known of each pair before the batch, which
// another batch may have changed while this one was read: so it is found in the transaction that writes.
// States that this ledger wrote are remembered; that nobody else wrote since is what the position says.

import { sql, type Transaction } from 'kysely';
import type { SeedingRow, SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { byPair, type LedgerBatch } from './ledger-batch.ts';
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

/** Fills seed times and places of the batch's pairs, and the seed times of its days. */
export async function settleSeeding<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  step: SeedingStep,
): Promise<void> {
  const { batch, days, states } = step;
  const { tells } = batch;
  if (tells.size === 0) return;
  if (states.size > STATES_MAX) states.clear();
  await readStates(transaction, names, { pairs: placed(step), ...step });
  tells.forEach((pair, tell) => {
    const seconds = states.advance(batch.seedingPlaceAt(pair), tell);
    if (seconds === 0) return;
    batch.addSeeded(pair, seconds);
    days.addSeeded(batch.memberAt(pair), tell.atSeconds * 1000, seconds);
  });
}

/** Gives each pair of which anything is told its place, and returns those whose states are not known. */
function placed({ batch, states }: SeedingStep): number[] {
  const unknown: number[] = [];
  for (const pair of batch.tells.pairs) {
    const { size } = states;
    const place = states.placeOf(batch.memberAt(pair), batch.torrentAt(pair));
    batch.placeSeeding(pair, place);
    if (place === size) unknown.push(pair);
  }
  return unknown.sort(byPair(batch));
}

async function readStates<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  { pairs: unknown, batch, states }: SeedingStep & { readonly pairs: readonly number[] },
): Promise<void> {
  for (let from = 0; from < unknown.length; from += PAIRS_MAX) {
    const some = unknown.slice(from, from + PAIRS_MAX);
    const pairs = some.map((pair) => `(${batch.memberAt(pair)},${batch.torrentAt(pair)})`).join();
    const { rows } = await sql<SeedingRow & { member_id: number; torrent_id: number }>`
      select member_id, torrent_id, seeded, seeder, seeding_more from ${sql.table(names.transfer)}
      where (member_id, torrent_id) in (values ${sql.raw(pairs)}) and (seeded > 0 or seeder > 0)
      order by member_id, torrent_id`.execute(transaction);
    let at = 0;
    for (const row of rows) {
      // Both stand in the same order.
      const isAt = (pair: number): boolean =>
        batch.memberAt(pair) === row.member_id && batch.torrentAt(pair) === row.torrent_id;
      while (!isAt(some[at]!)) at++;
      states.put(batch.seedingPlaceAt(some[at]!), row);
    }
  }
}
