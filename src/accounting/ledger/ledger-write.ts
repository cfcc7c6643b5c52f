// Writes a batch's sums into the ledger's tables: upserts of many rows, in the caller's transaction.
// The statements are the same for any number of rows.

import { sql, type Transaction } from 'kysely';
import type { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { insertColumns, type RowColumn } from '#sql/row-columns.ts';
import { byPair, type LedgerBatch, type PairNumber, sum } from './ledger-batch.ts';
import { addOnConflict, numbers, seenOnConflict } from './ledger-columns.ts';
import { LEDGER_SUMS, type LedgerNames } from './ledger-tables.ts';

/** Pairs looked up by one query. */
const PAIRS_MAX = 500;
/** Rows that one statement writes. */
const ROWS_MAX = 32_768;

/** Returns how often each torrent that somebody completed in this batch is completed in all. */
export async function writeBatch<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  { batch, states }: { readonly batch: LedgerBatch; readonly states: SeedingStates },
): Promise<ReadonlyMap<number, number>> {
  const pairs = new Uint32Array(batch.size);
  for (let pair = 0; pair < pairs.length; pair++) pairs[pair] = pair;
  pairs.sort(byPair(batch));
  const completions = await newCompletions(transaction, names, { batch, pairs });
  const members = new Map<number, Totals>();
  const torrents = new Map<number, Totals>();
  // By parts, so that neither memory nor this thread is held by all of them at once.
  for (let from = 0; from < pairs.length; from += ROWS_MAX) {
    const part = pairs.subarray(from, from + ROWS_MAX);
    for (const same of bySeeding(batch, part, states)) {
      await writeTransfers(transaction, names, same);
    }
    for (let nth = 0; nth < part.length; nth++) {
      const pair = part[nth]!;
      const completed = completions.get(pair) ?? 0;
      addTotals(totalsOf(members, batch.memberAt(pair)), batch, pair, completed);
      addTotals(totalsOf(torrents, batch.torrentAt(pair)), batch, pair, completed);
    }
  }
  await writeTotals(transaction, { table: names.member, key: 'member_id' }, members);
  await writeTotals(transaction, { table: names.torrent, key: 'torrent_id' }, torrents);
  const changed = [...torrents].filter(([, totals]) => totals.completed > 0).map(([id]) => id);
  return await completedOf(transaction, names, changed);
}

async function writeTransfers<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  { batch, pairs, seeding }: SameSeeding,
): Promise<void> {
  await insertColumns(transaction, {
    table: names.transfer,
    columns: [
      numbers('member_id', pairs, (pair) => batch.memberAt(pair)),
      numbers('torrent_id', pairs, (pair) => batch.torrentAt(pair)),
      ...SUMS.map(([name, what]) => numbers(name, pairs, (pair) => batch.numberAt(pair, what))),
      numbers('completed_ms', pairs, (pair) => batch.numberAt(pair, 'completedMs')),
      numbers('left_bytes', pairs, (pair) => batch.numberAt(pair, 'left')),
      { name: 'client', type: 'text', values: pairs.map((pair) => batch.clientAt(pair)) },
      ...seeding,
    ],
    onConflict: addOnConflict(names.transfer, {
      key: 'member_id, torrent_id',
      sums: LEDGER_SUMS.transfer,
      rest: [
        ...seenOnConflict(names.transfer),
        `completed_ms = case when ${names.transfer}.completed_ms = 0 then excluded.completed_ms
          else ${names.transfer}.completed_ms end`,
        'left_bytes = excluded.left_bytes',
        'client = excluded.client',
        ...seeding.map(({ name }) => `${name} = excluded.${name}`),
      ],
    }),
  });
}

/** Pairs of which the same columns about seeding are written. */
interface SameSeeding {
  readonly batch: LedgerBatch;
  readonly pairs: readonly number[];
  readonly seeding: readonly RowColumn[];
}

/** What no record told anything about keeps what is known of it; few rows have more than numbers. */
function bySeeding(
  batch: LedgerBatch,
  part: Uint32Array,
  states: SeedingStates,
): readonly SameSeeding[] {
  const [quiet, plain, rich]: [number[], number[], number[]] = [[], [], []];
  const texts: string[] = [];
  for (let nth = 0; nth < part.length; nth++) {
    const pair = part[nth]!;
    const place = batch.seedingPlaceAt(pair);
    const text = place < 0 ? undefined : states.moreToWrite(place);
    if (place < 0) quiet.push(pair);
    else if (text === undefined) plain.push(pair);
    else {
      rich.push(pair);
      texts.push(text);
    }
  }
  const columns = (pairs: readonly number[]): RowColumn[] => [
    numbers('seeded', pairs, (pair) => states.seeded(batch.seedingPlaceAt(pair))),
    numbers('seeder', pairs, (pair) => states.seeder(batch.seedingPlaceAt(pair))),
  ];
  const more: RowColumn = { name: 'seeding_more', type: 'text', values: texts };
  return [
    { batch, pairs: quiet, seeding: [] },
    { batch, pairs: plain, seeding: columns(plain) },
    { batch, pairs: rich, seeding: [...columns(rich), more] },
  ];
}

/** What the rows of all tables keep, by column. */
const SUMS = [
  ['uploaded_bytes', 'uploaded'],
  ['downloaded_bytes', 'downloaded'],
  ['credited_uploaded_bytes', 'creditedUploaded'],
  ['credited_downloaded_bytes', 'creditedDownloaded'],
  ['seed_seconds', 'seedSeconds'],
  ['records', 'records'],
  ['first_seen_ms', 'firstSeenMs'],
  ['last_seen_ms', 'lastSeenMs'],
] as const satisfies readonly (readonly [string, PairNumber])[];

/** Sums of one row of ledger_member or ledger_torrent. */
type Totals = Record<(typeof SUMS)[number][1] | 'completed', number>;

/**
 * How many completions each pair adds: every one for member 0, and one for a member who had not
 * completed the torrent before.
 */
async function newCompletions<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  { batch, pairs: all }: { readonly batch: LedgerBatch; readonly pairs: Uint32Array },
): Promise<ReadonlyMap<number, number>> {
  const completing = [...all.filter((pair) => batch.numberAt(pair, 'completions') > 0)];
  const known = new Set<string>();
  const named = completing.filter((pair) => batch.memberAt(pair) !== 0);
  for (let from = 0; from < named.length; from += PAIRS_MAX) {
    const pairs = named.slice(from, from + PAIRS_MAX).map((pair) => {
      return `(${batch.memberAt(pair)}, ${batch.torrentAt(pair)})`;
    });
    const { rows } = await sql<{ member_id: number; torrent_id: number }>`
      select member_id, torrent_id from ${sql.table(names.transfer)}
      where completed_ms > 0 and (member_id, torrent_id) in (values ${sql.raw(pairs.join(', '))})
    `.execute(transaction);
    for (const row of rows) known.add(`${row.member_id}:${row.torrent_id}`);
  }
  const result = new Map<number, number>();
  for (const pair of completing) {
    const member = batch.memberAt(pair);
    if (member === 0) result.set(pair, batch.numberAt(pair, 'completions'));
    else if (!known.has(`${member}:${batch.torrentAt(pair)}`)) result.set(pair, 1);
  }
  return result;
}

function totalsOf(all: Map<number, Totals>, key: number): Totals {
  let totals = all.get(key);
  if (totals === undefined) {
    totals = {
      ...{ uploaded: 0, downloaded: 0, creditedUploaded: 0, creditedDownloaded: 0 },
      ...{ seedSeconds: 0, records: 0, firstSeenMs: Number.MAX_SAFE_INTEGER, lastSeenMs: 0 },
      completed: 0,
    };
    all.set(key, totals);
  }
  return totals;
}

function addTotals(totals: Totals, batch: LedgerBatch, pair: number, completed: number): void {
  const { uploaded, downloaded, creditedUploaded, creditedDownloaded, seedSeconds } = totals;
  totals.uploaded = sum(uploaded, batch.numberAt(pair, 'uploaded'));
  totals.downloaded = sum(downloaded, batch.numberAt(pair, 'downloaded'));
  totals.creditedUploaded = sum(creditedUploaded, batch.numberAt(pair, 'creditedUploaded'));
  totals.creditedDownloaded = sum(creditedDownloaded, batch.numberAt(pair, 'creditedDownloaded'));
  totals.seedSeconds = sum(seedSeconds, batch.numberAt(pair, 'seedSeconds'));
  totals.records += batch.numberAt(pair, 'records');
  totals.firstSeenMs = Math.min(totals.firstSeenMs, batch.numberAt(pair, 'firstSeenMs'));
  totals.lastSeenMs = Math.max(totals.lastSeenMs, batch.numberAt(pair, 'lastSeenMs'));
  totals.completed += completed;
}

async function writeTotals<Tables>(
  transaction: Transaction<Tables>,
  to: { readonly table: string; readonly key: string },
  totals: ReadonlyMap<number, Totals>,
): Promise<void> {
  const rows = [...totals].sort(([one], [other]) => one - other);
  for (let from = 0; from < rows.length; from += ROWS_MAX) {
    const part = rows.slice(from, from + ROWS_MAX);
    const values = part.map(([, value]) => value);
    await insertColumns(transaction, {
      table: to.table,
      columns: [
        numbers(to.key, part, ([id]) => id),
        ...SUMS.map(([name, what]) => numbers(name, values, (value) => value[what])),
        numbers('completed', values, (value) => value.completed),
      ],
      onConflict: addOnConflict(to.table, {
        key: to.key,
        sums: LEDGER_SUMS.member,
        rest: seenOnConflict(to.table),
      }),
    });
  }
}

async function completedOf<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const completed = new Map<number, number>();
  for (let from = 0; from < torrentIds.length; from += PAIRS_MAX) {
    const ids = torrentIds.slice(from, from + PAIRS_MAX);
    const { rows } = await sql<{ torrent_id: number; completed: number }>`
      select torrent_id, completed from ${sql.table(names.torrent)}
      where torrent_id in (${sql.raw(ids.join(', '))})`.execute(transaction);
    for (const row of rows) completed.set(row.torrent_id, row.completed);
  }
  return completed;
}
