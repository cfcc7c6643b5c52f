// Where `ledger audit` leaves how far it came: one file in the data folder, of this version of the program
// only. Without it, or when it is torn, an audit begins anew.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditCheckpoint } from '#accounting/audit/audit-checkpoint.ts';
import { VERSION } from './version.ts';

const PREFIX = 'audit-';

export function auditFile(dataPath: string): AuditCheckpoint {
  const name = `${PREFIX}${VERSION}.part`;
  const path = join(dataPath, name);
  return {
    load: async () => (existsSync(path) ? readFileSync(path) : undefined),
    async save(bytes) {
      writeFileSync(`${path}.new`, bytes, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    async clear() {
      const ours = (one: string) => one.startsWith(PREFIX) && /\.part(\.new)?$/.test(one);
      for (const one of readdirSync(dataPath).filter(ours)) rmSync(join(dataPath, one));
    },
  };
}
