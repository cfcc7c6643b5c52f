// When this data folder was last backed up, and where to, for `doctor`: `<data>/last-backup.json`.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const lastBackup = z.object({ madeMs: z.int().min(0), place: z.string() });
export type LastBackup = z.output<typeof lastBackup>;

const NAME = 'last-backup.json';

export function writeLastBackup(dataPath: string, last: LastBackup): void {
  const path = join(dataPath, NAME);
  writeFileSync(`${path}.new`, `${JSON.stringify(last)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}

/** Undefined when there was none, or when nobody knows. */
export function readLastBackup(dataPath: string): LastBackup | undefined {
  try {
    return lastBackup.parse(JSON.parse(readFileSync(join(dataPath, NAME), 'utf8')));
  } catch {
    return undefined;
  }
}
