// What is kept beside the store: the database, the log, and when all was last backed up.

import { sql as raw } from 'kysely';
import { readLastBackup } from '#cli/backup/last-backup.ts';
import { MIGRATIONS } from '#cli/migrations.ts';
import type { Rooms } from '#cli/rooms.ts';
import { migrationStatus } from '#sql/migrate.ts';
import type { Check, Found } from './finding.ts';

const DAY_MS = 86_400_000;
const BACKUP_DAYS_MAX = 7;
/** A scrub takes as long as its pace says; one that is twice too late has stopped. */
const SCRUB_LATE = 2;

export const database: Check = {
  name: 'database',
  async run(rooms) {
    const { sql } = rooms;
    const findings: Found[] = [];
    const pending = (await migrationStatus(sql, MIGRATIONS)).filter(
      ({ appliedMs }) => appliedMs === undefined,
    );
    if (pending.length > 0) {
      findings.push({
        what: `${pending.length} steps of the schema are not applied, the first is ${pending[0]?.name}.`,
        advice: 'Back up, then start the server, which applies them; or run `db migrate`.',
      });
    }
    if (sql.dialect === 'postgres') findings.push(...(await postgresFindings(rooms)));
    return findings;
  },
};

async function postgresFindings({ sql, config }: Rooms): Promise<Found[]> {
  const { rows } = await raw<Record<string, string>>`
    select current_setting('fsync') as fsync, current_setting('full_page_writes') as pages,
      current_setting('max_connections') as connections,
      current_setting('server_version_num') as version,
      (extract(epoch from now()) * 1000)::bigint::text as now`.execute(sql.read());
  const server = rows[0] ?? {};
  const findings: Found[] = [];
  for (const setting of ['fsync', 'pages'] as const) {
    if (server[setting] === 'on') continue;
    const name = setting === 'pages' ? 'full_page_writes' : setting;
    findings.push({
      what: `PostgreSQL runs with ${name} off: a cut of power may lose what it answered, or all of it.`,
      advice: `Set ${name} = on in postgresql.conf and reload.`,
    });
  }
  if (Number(server['connections']) < config.sql.connectionsMax + 5) {
    findings.push({
      what: `PostgreSQL takes ${server['connections']} connections, and sql.connectionsMax is ${config.sql.connectionsMax}.`,
      advice: 'Raise max_connections there, or lower sql.connectionsMax.',
    });
  }
  return findings;
}

export const log: Check = {
  name: 'log',
  async run({ log: topics, config, clock }) {
    const findings: Found[] = [];
    for (const { name } of await topics.topics()) {
      const { scrub, retention, firstOffset } = await topics.stats(name);
      if (scrub !== undefined && scrub.damage > 0) {
        findings.push({
          what: `The topic "${name}" has ${scrub.damage} damaged places.`,
          advice: 'Run `log verify`, which names them; then `log repair`, or restore a backup.',
        });
      }
      const lateMs = SCRUB_LATE * config.log.scrubEveryMs;
      if (scrub !== undefined && lateMs > 0 && clock.nowMs() - scrub.finishedMs > lateMs) {
        findings.push({
          what: `The log was last read through on ${new Date(scrub.finishedMs).toISOString()}.`,
          advice: 'Raise log.scrubBytesPerSecond, so that rot is found while a copy is there.',
        });
      }
      if (retention !== undefined && retention.hooksDropped > 0) {
        findings.push({
          what: `The delete hook of the topic "${name}" was given up ${retention.hooksDropped} times.`,
          advice: `See the log for what it said; what it should have kept is gone up to offset ${firstOffset}.`,
        });
      }
    }
    return findings;
  },
};

export const backups: Check = {
  name: 'backups',
  async run({ dataPath, clock }) {
    const last = readLastBackup(dataPath);
    if (last === undefined) {
      return [
        {
          what: 'This server was never backed up.',
          advice: '`swarmkeep backup /another/disk` does it while the server runs; docs/backup.md.',
        },
      ];
    }
    const days = Math.floor((clock.nowMs() - last.madeMs) / DAY_MS);
    if (days <= BACKUP_DAYS_MAX) return [];
    return [
      {
        what: `The last backup is ${days} days old (${last.place}).`,
        advice: 'Make one, and see why the timer that makes them did not: docs/backup.md.',
      },
    ];
  },
};
