// The `[accounting]` part of the configuration.

import { z } from 'zod';
import { bytes, count, ms } from '#base/field.ts';
import { parseFormula } from './bonus/formula.ts';
import { parseClasses } from './classes/class-list.ts';

export const accountingConfig = z.strictObject({
  ack: z
    .enum(['durable', 'memory'])
    .default('durable')
    .describe(
      'When a client is answered: "durable" after its started, completed, stopped or first announce is on disk, "memory" at once, which is faster and may lose the last second in a crash.',
    ),
  batchRecordsMax: count({ min: 1, max: 65_536 })
    .default(7000)
    .describe(
      'Transfer records appended to the log at once. More cost fewer disk flushes. They take 140 bytes each, together no more than `log.batchBytesMax`.',
    ),
  batchAgeMsMax: ms({ min: 1, max: 10_000 })
    .default(1000)
    .describe(
      'How long a transfer record may wait for its batch. A crash costs at most this much credit until the client announces again.',
    ),
  recordsPendingMax: count({ min: 1, max: 4_194_304 })
    .default(65_536)
    .describe(
      'Transfer records waiting for the disk, 140 bytes each. At the limit ordinary announces are answered and credited with the next one; started, completed, stopped and first announces are told to try again.',
    ),
  resetAfterMs: ms({ min: 1000 })
    .default(120_000)
    .describe(
      'How long lower counters are taken for a late announce, when the client neither started nor changed its key. Shorter credits restarted clients sooner, and risks counting bytes twice when announces overtake each other.',
    ),
  baselineSilentDays: count({ min: 1, max: 365 })
    .default(21)
    .describe(
      'How long the counters of a client that went silent are kept, in days. After that its next announce credits nothing.',
    ),
  baselineOverlayEntriesMax: count({ min: 1024 })
    .default(1_000_000)
    .describe(
      'Silent baselines held in memory since the last snapshot, about 300 bytes each. At the limit the oldest are forgotten, and a snapshot is due.',
    ),
  baselineSnapshotIntervalMs: ms({ min: 1000 })
    .default(300_000)
    .describe(
      'Time between two snapshots of the baselines. Shorter makes a start quicker and writes more.',
    ),
  ledgerBatchRecordsMax: count({ min: 1, max: 1_048_576 })
    .default(262_144)
    .describe(
      'Transfer records that the ledger applies in one transaction, at most. More catch up faster, since what they add to one row is written once, and hold the database longer at a time; on SQLite, where everybody who writes waits for it, about 65,536 rows end one sooner. On PostgreSQL a ledger that is further behind than that takes up to a million.',
    ),
  addressDaysKept: count({ min: 1, max: 36_500 })
    .default(30)
    .describe(
      'Days for which the addresses of clients stay in the log, and those of devices with their sessions. After that they are removed by rewriting; nobody can then tell from where an old announce came. Fewer protect members more and give moderators less to look at.',
    ),
  daysKept: count({ min: 31, max: 36_500 })
    .default(400)
    .describe(
      'Days for which the ledger keeps what a member moved and seeded on each day, for charts and for rules that look back. Totals are kept for ever.',
    ),
  bonusFormula: z
    .string()
    .superRefine((text, check) => {
      const formula = parseFormula(text);
      if (typeof formula === 'string') check.addIssue({ code: 'custom', message: formula });
    })
    .default('sizeGiB * (0.0433 + 0.07 * ln(1 + seedDays) / seeders ^ 0.35)')
    .describe(
      'Points for each hour and torrent that a member seeds, of `sizeGiB`, `seedDays` and `seeders` with + - * / ^, ln, sqrt, min and max. "0" grants nothing.',
    ),
  classes: z
    .array(z.string())
    .max(100)
    .superRefine((lines, check) => {
      const classes = parseClasses(lines);
      if (typeof classes === 'string') check.addIssue({ code: 'custom', message: classes });
    })
    .default([
      'Member',
      'Power member: given 25 GiB, ratio 1.05, age 14 d; keeps ratio 0.95',
      'Elite: given 100 GiB, ratio 1.05, age 28 d; keeps ratio 0.95',
      'Master: given 500 GiB, ratio 1.05, uploads 10, age 56 d; keeps ratio 0.95',
    ])
    .describe(
      'Member classes, the lowest first: a name, what it takes to rise into it (`given`, `ratio`, `age`, `uploads`, `seeded`), and after "keeps" what it takes to stay. The console changes them without a restart. One class promotes nobody.',
    ),
  classGraceMs: ms()
    .default(7 * 86_400_000)
    .describe(
      'How long a member who falls short of their class is warned before they are demoted, in milliseconds. 0 demotes with the second check.',
    ),
  bonusTokenPoints: count({ max: 1_000_000 })
    .default(500)
    .describe('Points for which a member may buy a freeleech token; 0 sells none.'),
  creditLineBytesPerSecond: bytes({ min: 1024 })
    .default(12_500_000_000)
    .describe(
      'What an announce claims beyond this many bytes a second since the client’s last one, over a minute or more, is recorded and credited to nobody, up or down. 100 Gbit/s unless changed; more than any line of a member has is safe.',
    ),
  signalLineBytesPerSecond: bytes({ min: 1024 })
    .default(1_250_000_000)
    .describe(
      'Whoever gives faster than this, in bytes a second over a minute or more, is shown to moderators. 10 Gbit/s unless changed.',
    ),
  signalNetworksMax: count({ min: 1, max: 16 })
    .default(3)
    .describe(
      'Networks (/16 of IPv4, /32 of IPv6) from which a member may announce within an hour before moderators are told. Home, a seedbox and a phone are three.',
    ),
  ledgerIntervalMs: ms({ min: 0, max: 60_000 })
    .default(200)
    .describe(
      'Pause of the ledger after a small batch, up to ten times as long after one of many records. Longer writes fewer, larger transactions and shows totals later.',
    ),
});

export type AccountingConfig = z.output<typeof accountingConfig>;
