// Writes a batch's days into the ledger's table of days: one upsert of many rows, in the caller's
// transaction.

import type { Transaction } from 'kysely';
import { insertColumns } from '#sql/row-columns.ts';
import { addOnConflict, numbers } from './ledger-columns.ts';
import type { LedgerDay } from './ledger-days.ts';
import { LEDGER_SUMS, type LedgerNames } from './ledger-tables.ts';

export async function writeDays<Tables>(
  transaction: Transaction<Tables>,
  names: LedgerNames,
  days: readonly LedgerDay[],
): Promise<void> {
  if (days.length === 0) return;
  const rows = days.toSorted((one, other) => one.memberId - other.memberId || one.day - other.day);
  await insertColumns(transaction, {
    table: names.day,
    columns: [
      numbers('member_id', rows, (row) => row.memberId),
      numbers('day', rows, (row) => row.day),
      numbers('uploaded_bytes', rows, (row) => row.uploadedBytes),
      numbers('downloaded_bytes', rows, (row) => row.downloadedBytes),
      numbers('credited_uploaded_bytes', rows, (row) => row.creditedUploadedBytes),
      numbers('credited_downloaded_bytes', rows, (row) => row.creditedDownloadedBytes),
      numbers('seed_seconds', rows, (row) => row.seedSeconds),
      numbers('leech_seconds', rows, (row) => row.leechSeconds),
    ],
    onConflict: addOnConflict(names.day, {
      key: 'member_id, day',
      sums: LEDGER_SUMS.day,
      rest: [],
    }),
  });
}
