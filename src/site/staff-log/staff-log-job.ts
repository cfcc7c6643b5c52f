// Copies the staff log to the log topic `staff`, and looks on the way whether the two still say the same.

import type { Job } from '#base/job.ts';
import type { Log } from '#log/log.ts';
import { SiteError } from '#site/errors.ts';
import type { Sql } from '#sql/sql.ts';
import { actionsAfter, follows, recordOf, type StaffAction } from './staff-log.ts';

/** Line n stands at offset n - 1. */
export const STAFF_TOPIC = 'staff';

export interface StaffLogJobWorld {
  readonly sql: Sql;
  readonly log: Pick<Log, 'createTopic' | 'stats' | 'read' | 'append'>;
}

export function staffLogJob({ sql, log }: StaffLogJobWorld): Job {
  return {
    name: 'staff-log',
    summary:
      'Copies what the staff did to the log topic `staff`, so that nobody who has the database alone can rewrite it.',
    schedule: { everyMs: 60_000, jitterPercent: 10 },
    timeLimitMs: 600_000,
    async run({ signal }) {
      await log.createTopic(STAFF_TOPIC, { consistency: 'durable' });
      const { nextOffset } = await log.stats(STAFF_TOPIC);
      let last = await lastCopied({ sql, log }, nextOffset);
      let copied = 0;
      for (;;) {
        signal.throwIfAborted();
        const lines = await actionsAfter(sql, last.number);
        for (const line of lines) {
          if (!follows(line, last)) throw apart(line.number, 'does not follow from the one before');
          last = line;
        }
        if (lines.length === 0) break;
        // The lease keeps this job to one node, and the topic's end says what was appended before.
        const records = lines.map((line) => ({ value: recordOf(line) }));
        await log.append(STAFF_TOPIC, records, { consistency: 'durable' });
        copied += lines.length;
      }
      return { summary: `${last.number} lines are in the topic.`, counts: { copied } };
    },
  };
}

/** The line of the topic's last record, which the table must have as it was copied. */
async function lastCopied(
  { sql, log }: StaffLogJobWorld,
  nextOffset: number,
): Promise<Pick<StaffAction, 'number' | 'hash'>> {
  if (nextOffset === 0) return { number: 0, hash: new Uint8Array(32) };
  const [line] = await actionsAfter(sql, nextOffset - 1);
  const { records } = await log.read(STAFF_TOPIC, { from: nextOffset - 1, recordsMax: 1 });
  const record = records[0]?.value ?? new Uint8Array();
  if (line === undefined || Buffer.compare(recordOf(line), record) !== 0) {
    throw apart(nextOffset, 'is not what was copied');
  }
  return line;
}

function apart(number: number, what: string): SiteError {
  return new SiteError(
    'SITE_STAFF_LOG_APART',
    `Cannot copy the staff log: line ${number} ${what}; expected the topic "${STAFF_TOPIC}" and the database to say the same`,
  );
}
