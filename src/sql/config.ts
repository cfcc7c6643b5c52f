// The `[sql]` part of the configuration.

import { z } from 'zod';
import { count, ms } from '#base/field.ts';

export const sqlConfig = z.strictObject({
  url: z
    .string()
    .default('')
    .describe(
      'Empty for SQLite inside the data folder, or a `postgres://` URL. A server is needed only for more than one machine.',
    ),
  transactionQueueMax: count({ min: 1, max: 100_000 })
    .default(1024)
    .describe('Transactions that may wait for the writer. More are refused at once.'),
  transactionMsMax: ms({ min: 100, max: 3_600_000 })
    .default(60_000)
    .describe(
      'The longest a transaction may take; then it is rolled back, so that one that hangs cannot stop all others.',
    ),
  readQueueMax: count({ min: 1, max: 100_000 })
    .default(4096)
    .describe('Queries that may wait for a reader. More are refused at once.'),
  readers: count({ min: 1, max: 32 })
    .default(2)
    .describe('SQLite only: threads that read. Each takes about 10 MB and a share of a core.'),
  cacheKiB: count({ min: 256, max: 4_194_304 })
    .default(16_384)
    .describe('SQLite only: page cache of each connection, in KiB.'),
  connectionsMax: count({ min: 2, max: 1000 })
    .default(16)
    .describe(
      'PostgreSQL only: connections of this process, half of them for reading. All processes together must stay below `max_connections` of the server.',
    ),
  connectMsMax: ms({ min: 100, max: 600_000 })
    .default(10_000)
    .describe('PostgreSQL only: how long to wait for a connection.'),
  outboxBatchMax: count({ min: 1, max: 4096 })
    .default(512)
    .describe('Changes that are relayed to the trackers in one step.'),
  outboxPollIntervalMs: ms({ min: 10, max: 60_000 })
    .default(250)
    .describe(
      'How often to look for changes that another process made. Changes of this process are relayed at once.',
    ),
});

export type SqlConfig = z.output<typeof sqlConfig>;
