// Compares the ledger's totals per member and per torrent with the rows they are sums of. The rows
// themselves are compared with the log by audit.ts.

import { type Kysely, sql as raw } from 'kysely';
import { sum } from '#accounting/ledger/ledger-batch.ts';
import { LEDGER, LEDGER_SUMS, type LedgerTables } from '#accounting/ledger/ledger-tables.ts';

type Row = Readonly<Record<string, number>>;

const PAGE_ROWS = 2000;
const COLUMNS = LEDGER_SUMS.transfer;

export interface SumsCheck {
  /** Completions by member 0, by torrent, from the log; undefined when the log does not have all. */
  readonly anonymous: ReadonlyMap<number, number> | undefined;
  readonly report: (difference: string) => void;
}

/** Returns how many members the ledger knows. */
export async function compareSums(
  snapshot: Kysely<LedgerTables>,
  check: SumsCheck,
): Promise<number> {
  const members = await compareTable(snapshot, { ...check, noun: 'member', table: LEDGER.member });
  await compareTable(snapshot, { ...check, noun: 'torrent', table: LEDGER.torrent });
  return members;
}

/** Both sides come in pages by id; each page of totals is compared with the rows of its ids. */
async function compareTable(
  snapshot: Kysely<LedgerTables>,
  to: SumsCheck & { readonly noun: 'member' | 'torrent'; readonly table: string },
): Promise<number> {
  const key = raw.ref(`${to.noun}_id`);
  let count = 0;
  let after = -1;
  for (;;) {
    const kept = await raw<Row>`select * from ${raw.table(to.table)} where ${key} > ${after}
      order by ${key} limit ${PAGE_ROWS}`.execute(snapshot);
    const isLast = kept.rows.length < PAGE_ROWS;
    const through = isLast ? 0xffff_ffff : kept.rows.at(-1)![`${to.noun}_id`]!;
    const summed = await sumsOf(snapshot, { ...to, after, through });
    for (const row of kept.rows) {
      const id = row[`${to.noun}_id`]!;
      const expected = summed.get(id);
      summed.delete(id);
      compareRow({ ...to, name: `${to.noun} ${id}`, expected, row });
    }
    for (const id of summed.keys()) to.report(`${to.noun} ${id}: its total is missing`);
    count += kept.rows.length;
    if (isLast) return count;
    after = through;
  }
}

function compareRow(of: {
  readonly name: string;
  readonly expected: Record<string, number> | undefined;
  readonly row: Row;
  readonly report: (difference: string) => void;
}): void {
  if (of.expected === undefined) {
    of.report(`${of.name}: there is a total without anything it is a sum of`);
    return;
  }
  for (const [column, expected] of Object.entries(of.expected)) {
    const kept = of.row[column];
    if (kept !== expected) {
      of.report(`${of.name}: ${column} is ${kept}, but its transfers make ${expected}`);
    }
  }
}

/**
 * Sums over ledger_transfer for ids in (after, through]. Rows are read and added here: a sum in SQL
 * could pass 2^53, and ours are held there. Completions of member 0 stand in none of its rows, which
 * is why the log's count of them is given; without it, totals that have any are not compared.
 */
async function sumsOf(
  snapshot: Kysely<LedgerTables>,
  range: Pick<SumsCheck, 'anonymous'> & {
    readonly noun: 'member' | 'torrent';
    readonly after: number;
    readonly through: number;
  },
): Promise<Map<number, Record<string, number>>> {
  const sums = new Map<number, Record<string, number>>();
  const uncountable = new Set<number>();
  const key = raw.ref(`${range.noun}_id`);
  const other = raw.ref(range.noun === 'member' ? 'torrent_id' : 'member_id');
  let last = { key: range.after, other: 0xffff_ffff };
  for (;;) {
    const { rows } = await raw<Row>`select * from ledger_transfer
      where (${key}, ${other}) > (${last.key}, ${last.other}) and ${key} <= ${range.through}
      order by ${key}, ${other} limit ${PAGE_ROWS}`.execute(snapshot);
    for (const row of rows) {
      const id = row[`${range.noun}_id`]!;
      const entry = sums.get(id) ?? { completed: 0 };
      for (const column of COLUMNS) entry[column] = sum(entry[column] ?? 0, row[column]!);
      if (row['member_id'] !== 0) entry['completed']! += row['completed_ms']! > 0 ? 1 : 0;
      else if (range.anonymous === undefined) uncountable.add(id);
      else entry['completed']! += range.anonymous.get(row['torrent_id']!) ?? 0;
      sums.set(id, entry);
    }
    const end = rows.at(-1);
    if (end === undefined) break;
    last = {
      key: end[`${range.noun}_id`]!,
      other: end[range.noun === 'member' ? 'torrent_id' : 'member_id']!,
    };
  }
  for (const id of uncountable) delete sums.get(id)!['completed'];
  return sums;
}
