// The `[sql]` part of the configuration.

import { z } from 'zod';

export const sqlConfig = z.strictObject({
  url: z
    .string()
    .default('')
    .describe(
      'Empty for SQLite inside the data folder, or a `postgres://` URL. A server is needed only for more than one machine.',
    ),
  transactionQueueMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(1024)
    .describe('Transactions that may wait for the writer. More are refused at once.'),
  transactionMsMax: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(60_000)
    .describe(
      'The longest a transaction may take, in milliseconds; then it is rolled back, so that one that hangs cannot stop all others.',
    ),
  readQueueMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(4096)
    .describe('Queries that may wait for a reader. More are refused at once.'),
  readers: z
    .int()
    .min(1)
    .max(32)
    .default(2)
    .describe('SQLite only: threads that read. Each takes about 10 MB and a share of a core.'),
  cacheKiB: z
    .int()
    .min(256)
    .max(4_194_304)
    .default(16_384)
    .describe('SQLite only: page cache of each connection, in KiB.'),
  connectionsMax: z
    .int()
    .min(2)
    .max(1000)
    .default(16)
    .describe(
      'PostgreSQL only: connections of this process, half of them for reading. All processes together must stay below `max_connections` of the server.',
    ),
  connectMsMax: z
    .int()
    .min(100)
    .max(600_000)
    .default(10_000)
    .describe('PostgreSQL only: how long to wait for a connection, in milliseconds.'),
  outboxBatchMax: z
    .int()
    .min(1)
    .max(4096)
    .default(512)
    .describe('Changes that are relayed to the trackers in one step.'),
  outboxPollIntervalMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(250)
    .describe(
      'How often to look for changes that another process made, in milliseconds. Changes of this process are relayed at once.',
    ),
});

export type SqlConfig = z.output<typeof sqlConfig>;
