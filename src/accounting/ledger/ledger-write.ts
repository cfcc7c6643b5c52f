// Writes a batch's sums into the ledger's tables: upserts of many rows, in the caller's transaction.
// The statements are the same for any number of rows.

import { sql, type Transaction } from 'kysely';
import type { SeedingStates } from '#accounting/seeding/seeding-states.ts';
import { insertColumns, type RowColumn } from '#sql/row-columns.ts';
import { type LedgerBatch, type LedgerEntry, sum } from './ledger-batch.ts';
import { addOnConflict, numbers, seenOnConflict } from './ledger-columns.ts';
import { byPair } from './ledger-seeding.ts';
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
  const entries = [...batch.entries].sort(byPair);
  const completions = await newCompletions(transaction, names, entries);
  const members = new Map<number, Totals>();
  const torrents = new Map<number, Totals>();
  // By parts, so that neither memory nor this thread is held by all of them at once.
  for (let from = 0; from < entries.length; from += ROWS_MAX) {
    const part = entries.slice(from, from + ROWS_MAX);
    for (const same of bySeeding(part, states)) await writeTransfers(transaction, names, same);
    for (const entry of part) {
      const completed = completions.get(entry) ?? 0;
      addTotals(members, entry.memberId, { entry, completed });
      addTotals(torrents, entry.torrentId, { entry, completed });
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
  { entries, seeding }: SameSeeding,
): Promise<void> {
  await insertColumns(transaction, {
    table: names.transfer,
    columns: [
      numbers('member_id', entries, (entry) => entry.memberId),
      numbers('torrent_id', entries, (entry) => entry.torrentId),
      ...sumColumns(entries),
      numbers('completed_ms', entries, (entry) => entry.completedMs),
      numbers('left_bytes', entries, (entry) => entry.leftBytes),
      { name: 'client', type: 'text', values: entries.map((entry) => entry.client) },
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

/** Entries of which the same columns about seeding are written. */
interface SameSeeding {
  readonly entries: readonly LedgerEntry[];
  readonly seeding: readonly RowColumn[];
}

/** What no record told anything about keeps what is known of it; few rows have more than numbers. */
function bySeeding(part: readonly LedgerEntry[], states: SeedingStates): readonly SameSeeding[] {
  const [quiet, plain, rich]: [LedgerEntry[], LedgerEntry[], LedgerEntry[]] = [[], [], []];
  const texts: string[] = [];
  for (const entry of part) {
    const place = entry.seedingPlace;
    const text = place < 0 ? undefined : states.moreToWrite(place);
    if (place < 0) quiet.push(entry);
    else if (text === undefined) plain.push(entry);
    else {
      rich.push(entry);
      texts.push(text);
    }
  }
  const columns = (entries: readonly LedgerEntry[]): RowColumn[] => [
    numbers('seeded', entries, ({ seedingPlace }) => states.seeded(seedingPlace)),
    numbers('seeder', entries, ({ seedingPlace }) => states.seeder(seedingPlace)),
  ];
  const more: RowColumn = { name: 'seeding_more', type: 'text', values: texts };
  return [
    { entries: quiet, seeding: [] },
    { entries: plain, seeding: columns(plain) },
    { entries: rich, seeding: [...columns(rich), more] },
  ];
}

/** What the rows of all tables of totals keep. */
interface Sums {
  uploadedBytes: number;
  downloadedBytes: number;
  creditedUploadedBytes: number;
  creditedDownloadedBytes: number;
  seedSeconds: number;
  records: number;
  firstSeenMs: number;
  lastSeenMs: number;
}

/** Sums of one row of ledger_member or ledger_torrent. */
interface Totals extends Sums {
  completed: number;
}

/**
 * How many completions each entry adds: every one for member 0, and one for a member who had not
 * completed the torrent before.
 */
async function newCompletions<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  entries: readonly LedgerEntry[],
): Promise<ReadonlyMap<LedgerEntry, number>> {
  const completing = entries.filter((entry) => entry.completions > 0);
  const known = new Set<string>();
  const named = completing.filter((entry) => entry.memberId !== 0);
  for (let from = 0; from < named.length; from += PAIRS_MAX) {
    const pairs = named.slice(from, from + PAIRS_MAX).map(({ memberId, torrentId }) => {
      return `(${memberId}, ${torrentId})`;
    });
    const { rows } = await sql<{ member_id: number; torrent_id: number }>`
      select member_id, torrent_id from ${sql.table(names.transfer)}
      where completed_ms > 0 and (member_id, torrent_id) in (values ${sql.raw(pairs.join(', '))})
    `.execute(transaction);
    for (const row of rows) known.add(`${row.member_id}:${row.torrent_id}`);
  }
  const result = new Map<LedgerEntry, number>();
  for (const entry of completing) {
    if (entry.memberId === 0) result.set(entry, entry.completions);
    else if (!known.has(`${entry.memberId}:${entry.torrentId}`)) result.set(entry, 1);
  }
  return result;
}

function addTotals(
  all: Map<number, Totals>,
  key: number,
  { entry, completed }: { readonly entry: LedgerEntry; readonly completed: number },
): void {
  const totals = all.get(key);
  if (totals === undefined) {
    all.set(key, {
      uploadedBytes: entry.uploadedBytes,
      downloadedBytes: entry.downloadedBytes,
      creditedUploadedBytes: entry.creditedUploadedBytes,
      creditedDownloadedBytes: entry.creditedDownloadedBytes,
      seedSeconds: entry.seedSeconds,
      records: entry.records,
      firstSeenMs: entry.firstSeenMs,
      lastSeenMs: entry.lastSeenMs,
      completed,
    });
    return;
  }
  totals.uploadedBytes = sum(totals.uploadedBytes, entry.uploadedBytes);
  totals.downloadedBytes = sum(totals.downloadedBytes, entry.downloadedBytes);
  totals.creditedUploadedBytes = sum(totals.creditedUploadedBytes, entry.creditedUploadedBytes);
  totals.creditedDownloadedBytes = sum(
    totals.creditedDownloadedBytes,
    entry.creditedDownloadedBytes,
  );
  totals.seedSeconds = sum(totals.seedSeconds, entry.seedSeconds);
  totals.records += entry.records;
  totals.firstSeenMs = Math.min(totals.firstSeenMs, entry.firstSeenMs);
  totals.lastSeenMs = Math.max(totals.lastSeenMs, entry.lastSeenMs);
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
        ...sumColumns(values),
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

function sumColumns(values: readonly Sums[]): RowColumn[] {
  return [
    numbers('uploaded_bytes', values, (value) => value.uploadedBytes),
    numbers('downloaded_bytes', values, (value) => value.downloadedBytes),
    numbers('credited_uploaded_bytes', values, (value) => value.creditedUploadedBytes),
    numbers('credited_downloaded_bytes', values, (value) => value.creditedDownloadedBytes),
    numbers('seed_seconds', values, (value) => value.seedSeconds),
    numbers('records', values, (value) => value.records),
    numbers('first_seen_ms', values, (value) => value.firstSeenMs),
    numbers('last_seen_ms', values, (value) => value.lastSeenMs),
  ];
}
