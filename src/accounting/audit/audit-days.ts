// The audit's look at days: every day of every member in the log is added up and compared with the
// ledger's row. Days that the ledger has let go by age are no difference.

import { type Kysely, sql as raw } from 'kysely';
import { type LedgerDay, LedgerDays } from '#accounting/ledger/ledger-days.ts';
import {
  LEDGER,
  type LedgerDayRow,
  type LedgerNames,
  type LedgerTables,
  SNAPSHOT_LEDGER,
} from '#accounting/ledger/ledger-tables.ts';
import type { TransferRecord } from '#accounting/transfers/transfer-record.ts';

const PAGE_MEMBERS = 200;

type DayColumn = Exclude<keyof LedgerDayRow, 'member_id' | 'day'>;

export class AuditDays {
  readonly #isMine: (memberId: number) => boolean;
  readonly #totals = new LedgerDays();

  /** Looks at these members. */
  constructor(isMine: (memberId: number) => boolean) {
    this.#isMine = isMine;
  }

  get size(): number {
    return this.#totals.size;
  }

  save(): readonly LedgerDay[] {
    return this.#totals.days;
  }

  load(days: readonly LedgerDay[]): void {
    for (const day of days) this.#totals.begin(day);
  }

  /** `seededSeconds`: what the record added to the seed time of its pair. */
  add(record: TransferRecord, seededSeconds: number): void {
    if (record.memberId === 0) return;
    this.#totals.add(record);
    if (seededSeconds > 0) this.#totals.addSeeded(record.memberId, record.timeMs, seededSeconds);
  }

  /** What the ledger's snapshot says. False when there is no room. */
  async begin(snapshot: Kysely<LedgerTables>, daysMax: number): Promise<boolean> {
    for await (const row of dayRows(snapshot, SNAPSHOT_LEDGER)) {
      if (!this.#isMine(row.member_id)) continue;
      if (this.size >= daysMax) return false;
      this.#totals.begin({
        memberId: row.member_id,
        day: row.day,
        uploadedBytes: row.uploaded_bytes,
        downloadedBytes: row.downloaded_bytes,
        creditedUploadedBytes: row.credited_uploaded_bytes,
        creditedDownloadedBytes: row.credited_downloaded_bytes,
        seedSeconds: row.seed_seconds,
        leechSeconds: row.leech_seconds,
      });
    }
    return true;
  }

  /** `isCut`: the log has lost its beginning, so its sums are what there is at least. */
  async compare(
    snapshot: Kysely<LedgerTables>,
    check: { readonly isCut: boolean; readonly report: (difference: string) => void },
  ): Promise<void> {
    const expected = new Map(this.#totals.days.map((day) => [nameOf(day.memberId, day.day), day]));
    const first = await firstDay(snapshot);
    for await (const row of dayRows(snapshot)) {
      if (!this.#isMine(row.member_id)) continue;
      const name = nameOf(row.member_id, row.day);
      const day = expected.get(name);
      expected.delete(name);
      if (day === undefined) {
        if (!check.isCut) check.report(`${name}: the ledger has it, the log has not`);
        continue;
      }
      for (const [column, recomputed] of columnsOf(day)) {
        const kept = row[column];
        if (kept === recomputed || (check.isCut && kept > recomputed)) continue;
        check.report(`${name}: ${column} is ${kept} in the ledger and ${recomputed} by the log`);
      }
    }
    for (const [name, { day }] of expected) {
      if (first === undefined || day >= first) {
        check.report(`${name}: the log has it, the ledger has not`);
      }
    }
  }
}

function columnsOf(day: LedgerDay): readonly (readonly [DayColumn, number])[] {
  return [
    ['uploaded_bytes', day.uploadedBytes],
    ['downloaded_bytes', day.downloadedBytes],
    ['credited_uploaded_bytes', day.creditedUploadedBytes],
    ['credited_downloaded_bytes', day.creditedDownloadedBytes],
    ['seed_seconds', day.seedSeconds],
    ['leech_seconds', day.leechSeconds],
  ];
}

function nameOf(memberId: number, day: number): string {
  const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
  return `member ${memberId}, day ${date}`;
}

/** The earliest day that is kept; undefined when none is. */
async function firstDay(snapshot: Kysely<LedgerTables>): Promise<number | undefined> {
  const row = await snapshot
    .selectFrom('ledger_day')
    .select((of) => of.fn.min('day').as('day'))
    .executeTakeFirst();
  return row?.day ?? undefined;
}

async function* dayRows(
  snapshot: Kysely<LedgerTables>,
  names: LedgerNames = LEDGER,
): AsyncGenerator<LedgerDayRow> {
  const table = raw.table(names.day);
  for (let after = 0; ; ) {
    // All days of some members at a time: a member's days are few.
    const members = await raw<{ member_id: number }>`select distinct member_id from ${table}
      where member_id > ${after} order by member_id limit ${PAGE_MEMBERS}`.execute(snapshot);
    const last = members.rows.at(-1)?.member_id;
    if (last === undefined) return;
    const days = await raw<LedgerDayRow>`select * from ${table}
      where member_id > ${after} and member_id <= ${last}`.execute(snapshot);
    yield* days.rows;
    after = last;
  }
}
