// The rows of a PostgreSQL database as files of a backup, one for each table.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { CopiedPosition } from '#sql/consumer-position.ts';
import { exportRows } from '#sql/rows-copy.ts';
import type { Sql } from '#sql/sql.ts';
import { throwIfCancelled } from '#store/calls.ts';

export interface ExportedRows {
  readonly names: readonly string[];
  readonly positions: CopiedPosition[];
}

export async function exportPostgres(
  sql: Sql,
  to: { readonly folder: string; readonly signal: AbortSignal },
): Promise<ExportedRows> {
  const names: string[] = [];
  const positions = await exportRows(sql, async (table, lines) => {
    throwIfCancelled(to.signal);
    const file = await open(join(to.folder, table), 'wx', 0o600);
    try {
      for await (const line of lines) {
        throwIfCancelled(to.signal);
        await file.writeFile(line);
      }
    } finally {
      await file.close();
    }
    names.push(table);
  });
  return { names, positions };
}

/** The lines of an exported table. Not by readline, for which a text's U+2028 ends a line too. */
export async function* linesOfFile(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const part of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const lines = `${rest}${part}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
