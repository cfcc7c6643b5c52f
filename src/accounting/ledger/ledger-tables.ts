// The ledger's tables. Everything in them follows from the log's topic `transfers` alone, so they
// can be made anew from it, equal to the byte, whatever the batches were. Real and credited bytes
// are kept apart. A sum that would pass 2^53-1 stays there: clients say what they like.

import { type Kysely, sql, type Transaction } from 'kysely';
import { dialectOf } from '#sql/dialect.ts';

/** Percent of a page that PostgreSQL fills at first; the rest is for rows that change. */
export const POSTGRES_FILL = 50;

/** Totals that all three tables keep in the same way, except that torrents have no seed time. */
export interface LedgerSums {
  uploaded_bytes: number;
  downloaded_bytes: number;
  credited_uploaded_bytes: number;
  credited_downloaded_bytes: number;
  seed_seconds: number;
  /** Announces that were counted. */
  records: number;
}

/** One row for each member and torrent; member 0 is whoever was not named. */
export interface LedgerTransferRow extends LedgerSums {
  member_id: number;
  torrent_id: number;
  /** Unix milliseconds. */
  first_seen_ms: number;
  last_seen_ms: number;
  /** When the member first completed the torrent; 0 for never. */
  completed_ms: number;
  /** Bytes missing as last announced; 2^53-1 when unknown. */
  left_bytes: number;
  /** The first 8 characters of the last peer id, empty when they are not printable. */
  client: string;
  /** When the member seeded, as accounting/seeding/seeding-states.ts keeps it. */
  seeded: number;
  seeder: number;
  seeding_more: string;
}

export interface LedgerMemberRow extends LedgerSums {
  member_id: number;
  /** Torrents completed; each counts once, except for member 0. */
  completed: number;
  first_seen_ms: number;
  last_seen_ms: number;
}

export interface LedgerTorrentRow extends LedgerSums {
  torrent_id: number;
  /** Members who completed it, and each anonymous completion. */
  completed: number;
  first_seen_ms: number;
  last_seen_ms: number;
}

/** One row for each member and day (UTC) with a transfer or a seed; who was not named has none. */
export interface LedgerDayRow {
  member_id: number;
  /** Days since 1970. */
  day: number;
  uploaded_bytes: number;
  downloaded_bytes: number;
  credited_uploaded_bytes: number;
  credited_downloaded_bytes: number;
  seed_seconds: number;
  leech_seconds: number;
}

export interface LedgerTables {
  ledger_transfer: LedgerTransferRow;
  ledger_member: LedgerMemberRow;
  ledger_torrent: LedgerTorrentRow;
  ledger_day: LedgerDayRow;
}

/** The ledger itself, or the one that a rebuild makes beside it. */
export interface LedgerNames {
  readonly transfer: string;
  readonly member: string;
  readonly torrent: string;
  readonly day: string;
  /** The consumer whose position belongs to these tables. */
  readonly consumer: string;
}

export const LEDGER: LedgerNames = {
  transfer: 'ledger_transfer',
  member: 'ledger_member',
  torrent: 'ledger_torrent',
  day: 'ledger_day',
  consumer: 'ledger',
};

export const REBUILT_LEDGER: LedgerNames = {
  transfer: 'rebuilt_ledger_transfer',
  member: 'rebuilt_ledger_member',
  torrent: 'rebuilt_ledger_torrent',
  day: 'rebuilt_ledger_day',
  consumer: 'rebuilt_ledger',
};

/** As the ledger stood when it was proven last (ledger-snapshot.ts). */
export const SNAPSHOT_LEDGER: LedgerNames = {
  transfer: 'snapshot_ledger_transfer',
  member: 'snapshot_ledger_member',
  torrent: 'snapshot_ledger_torrent',
  day: 'snapshot_ledger_day',
  consumer: 'snapshot_ledger',
};

const SUMS: readonly (keyof LedgerSums)[] = [
  'uploaded_bytes',
  'downloaded_bytes',
  'credited_uploaded_bytes',
  'credited_downloaded_bytes',
  'seed_seconds',
  'records',
];

/** Columns that are added up, by table. */
export const LEDGER_SUMS = {
  transfer: SUMS,
  member: [...SUMS, 'completed'],
  torrent: [...SUMS, 'completed'],
  day: [
    'uploaded_bytes',
    'downloaded_bytes',
    'credited_uploaded_bytes',
    'credited_downloaded_bytes',
    'seed_seconds',
    'leech_seconds',
  ],
} as const;

/**
 * SQLite keeps such a table in the order of its key: one tree to write instead of two. PostgreSQL
 * writes a row anew whenever it changes: beside the old one, and without a new index entry, as long
 * as its page has room.
 */
const TABLE_END = {
  sqlite: 'without rowid',
  postgres: `with (fillfactor = ${POSTGRES_FILL})`,
} as const;

/** Makes all of them. */
export async function createLedger<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
): Promise<void> {
  await createLedgerTables(transaction, names);
  await createDayTable(transaction, names);
  await addSeedingColumns(transaction, names);
}

/** The tables of totals as they were first: without days, and without what is kept of seeding. */
export async function createLedgerTables<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
): Promise<void> {
  await createTable(transaction, {
    name: names.transfer,
    keys: ['member_id', 'torrent_id'],
    numbers: [...SUMS, 'first_seen_ms', 'last_seen_ms', 'completed_ms', 'left_bytes'],
    texts: ['client'],
  });
  const totals = [...SUMS, 'completed', 'first_seen_ms', 'last_seen_ms'];
  await createTable(transaction, {
    name: names.member,
    keys: ['member_id'],
    numbers: totals,
    texts: [],
  });
  await createTable(transaction, {
    name: names.torrent,
    keys: ['torrent_id'],
    numbers: totals,
    texts: [],
  });
}

/** What came later; rows of a member who never seeded have what the columns say by themselves. */
export async function addSeedingColumns<Tables>(
  executor: Kysely<Tables>,
  names: LedgerNames,
): Promise<void> {
  for (const column of ['seeded', 'seeder']) {
    await executor.schema
      .alterTable(names.transfer)
      .addColumn(column, 'bigint', (of) => of.notNull().defaultTo(0))
      .execute();
  }
  await executor.schema
    .alterTable(names.transfer)
    .addColumn('seeding_more', 'text', (of) => of.notNull().defaultTo(''))
    .execute();
}

/** Makes the table of days. */
export async function createDayTable<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
): Promise<void> {
  await createTable(transaction, {
    name: names.day,
    keys: ['member_id', 'day'],
    numbers: LEDGER_SUMS.day,
    texts: [],
  });
}

/** Removes all of them; fine when they are not there. */
export async function dropLedgerTables<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
): Promise<void> {
  for (const name of [names.transfer, names.member, names.torrent, names.day]) {
    await transaction.schema.dropTable(name).ifExists().execute();
  }
}

async function createTable<Tables>(
  executor: Kysely<Tables>,
  table: {
    readonly name: string;
    readonly keys: readonly string[];
    readonly numbers: readonly string[];
    readonly texts: readonly string[];
  },
): Promise<void> {
  let create = executor.schema.createTable(table.name);
  for (const column of [...table.keys, ...table.numbers]) {
    create = create.addColumn(column, 'bigint', (of) => of.notNull());
  }
  for (const column of table.texts) create = create.addColumn(column, 'text', (of) => of.notNull());
  const withKey = create.addPrimaryKeyConstraint(`${table.name}_key`, [...table.keys] as never);
  await withKey.modifyEnd(sql.raw(TABLE_END[dialectOf(executor)])).execute();
}
