// Columns and conflict clauses that the ledger's upserts share.

import type { RowColumn } from '#sql/row-columns.ts';

export function numbers<Row>(
  name: string,
  rows: ArrayLike<Row>,
  read: (row: Row) => number,
): RowColumn {
  const values = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at++) values[at] = read(rows[at]!);
  return { name, type: 'bigint', values };
}

/** The update half of an upsert: sums are held at 2^53-1, as ledger-batch.ts holds them. */
export function addOnConflict(
  table: string,
  parts: {
    readonly key: string;
    readonly sums: readonly string[];
    readonly rest: readonly string[];
  },
): string {
  const max = Number.MAX_SAFE_INTEGER;
  const sets = parts.sums.map(
    (column) =>
      `${column} = case when ${table}.${column} > ${max} - excluded.${column} then ${max}
        else ${table}.${column} + excluded.${column} end`,
  );
  return `(${parts.key}) do update set ${[...sets, ...parts.rest].join(', ')}`;
}

/** The earliest first and the latest last sight of both rows. */
export function seenOnConflict(table: string): readonly string[] {
  return [
    `first_seen_ms = case when excluded.first_seen_ms < ${table}.first_seen_ms
      then excluded.first_seen_ms else ${table}.first_seen_ms end`,
    `last_seen_ms = case when excluded.last_seen_ms > ${table}.last_seen_ms
      then excluded.last_seen_ms else ${table}.last_seen_ms end`,
  ];
}
