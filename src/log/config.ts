// Settings of the log, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { bytes, ms } from '#base/field.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

export const logConfig = z.strictObject({
  segmentBytesMax: bytes({ min: 4096, max: 1024 * MIB })
    .default(64 * MIB)
    .describe(
      'Bytes after which a topic goes on in a new file. Smaller files are read faster at start and removed in finer steps; larger ones need fewer open files. A batch that is larger by itself gets a file of its own.',
    ),
  segmentAgeMsMax: ms({ min: 1000, max: 366 * DAY_MS })
    .default(7 * DAY_MS)
    .describe(
      'Milliseconds after which a topic goes on in a new file, however small the old one is.',
    ),
  preallocateBytes: bytes({ min: 0, max: 64 * MIB })
    .default(MIB)
    .describe(
      'Bytes of zeros written ahead of the data at a time, so that a sync need not also record a new file size. 0 turns it off; small topics take less, and an append of more than a quarter of it writes none.',
    ),
  batchBytesMax: bytes({ min: 1024, max: 16 * MIB })
    .default(MIB)
    .describe(
      'Bytes that one append, and one batch on disk, may have. Readers hold whole batches in memory.',
    ),
  batchRecordsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(65_536)
    .describe('Records that one append, and one batch on disk, may have.'),
  writeBytesMax: bytes({ min: 1024, max: 64 * MIB })
    .default(4 * MIB)
    .describe(
      'Bytes that are written before one sync. More gives more throughput when many write at once, at the price of memory per busy topic.',
    ),
  gatherMsMax: ms({ min: 0, max: 100 })
    .default(1)
    .describe(
      'Milliseconds that a sync waits at most until most of those who were appending are there again. Longer makes fewer, larger syncs when many append at once; 0 never waits. Who appends alone never waits.',
    ),
  queueBytesMax: bytes({ min: 1024, max: 1024 * MIB })
    .default(16 * MIB)
    .describe(
      'Bytes of appends that may wait in one topic. Beyond it appends are refused, to be tried again.',
    ),
  topicsMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Topics that may exist. One more is refused.'),
  transfersBytesMax: bytes({ min: 0, max: Number.MAX_SAFE_INTEGER })
    .default(0)
    .describe(
      'Bytes that the topic `transfers` may have; nothing of it is removed, appends are refused beyond. 0 is no limit but the disk.',
    ),
  controlBytesMax: bytes({ min: 0, max: Number.MAX_SAFE_INTEGER })
    .default(0)
    .describe(
      'Bytes that the topic `control` may have; nothing of it is removed, appends are refused beyond. 0 is no limit but the disk.',
    ),
  transfersAgeMsMax: ms({ min: 0, max: 100 * 366 * DAY_MS })
    .default(0)
    .describe(
      'Milliseconds for which the topic `transfers` keeps its records; 0 keeps them for ever. Older ones go only once a verified snapshot of the ledger covers them; the audit then begins at that snapshot.',
    ),
  transfersCodec: z
    .enum(['none', 'zstd', 'gzip'])
    .default('none')
    .describe(
      'How batches of `transfers` are stored. Compressed they take less disk and more time of whoever appends and reads; batches that were written before stay as they are.',
    ),
  controlCompact: z
    .boolean()
    .default(true)
    .describe(
      'Keeps of the topic `control` only the newest state of each member, torrent and setting, so that a tracker without a snapshot starts sooner. Off, every change is kept for ever.',
    ),
  controlCodec: z
    .enum(['none', 'zstd', 'gzip'])
    .default('none')
    .describe('How batches of `control` are stored; as `transfersCodec`.'),
  retentionEveryMs: ms({ min: 10, max: 7 * DAY_MS })
    .default(60_000)
    .describe(
      'Milliseconds between looks at what topics may let go and compact. Longer leaves old records a little longer; a look costs little.',
    ),
  deleteHook: z
    .array(z.string().min(1))
    .max(64)
    .default([])
    .describe(
      'A command and its arguments, run with the path of a segment as one more before retention removes it: to copy it away, for example. The segment goes when the command exits 0; else it is run again at the next look. Empty is none.',
    ),
  deleteHookMsMax: ms({ min: 100, max: DAY_MS })
    .default(600_000)
    .describe('Milliseconds that the delete hook may take; then it is killed and tried again.'),
  deleteHookTriesMax: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe(
      'Failures of the delete hook for one segment after which it goes without; 0 never gives up, and old segments then stay until the hook is mended.',
    ),
  compactionDirtyPercent: z
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .describe(
      'A topic is compacted when what was sealed since the last time is as many percent of what that left. Lower keeps it smaller and rewrites it more often.',
    ),
  compactionKeysMax: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(1_000_000)
    .describe(
      'Keys of a topic that compaction holds in memory, some 100 bytes each. Records of keys beyond stay as they are.',
    ),
  tombstoneMsMin: ms({ min: 0, max: 366 * DAY_MS })
    .default(DAY_MS)
    .describe(
      'Milliseconds for which compaction keeps a tombstone, so that readers who are behind learn that its key is gone. Consumers with a position hold it longer.',
    ),
  intervalMs: ms({ min: 1, max: 60_000 })
    .default(200)
    .describe(
      'Milliseconds between syncs for appends that ask for `interval`; they are answered by the sync. A power loss takes at most what is not answered.',
    ),
  readRecordsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(65_536)
    .describe('Records that one read answers at most; a reader goes on with the next read.'),
  readBytesMax: bytes({ min: 4096, max: 64 * MIB })
    .default(MIB)
    .describe('Bytes after which one read stops, at the end of a batch.'),
  readersMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(1024)
    .describe('Readers that may wait for new records of one topic. One more is refused.'),
  consumersMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Named consumers that may keep their position with one topic. One more is refused.'),
  producersMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe(
      'Producers of one topic whose last append is remembered, so that its repetition is not written twice. The longest silent is forgotten first; each takes about 100 bytes.',
    ),
  scrubBytesPerSecond: bytes({ min: 0, max: 1024 * MIB })
    .default(4 * MIB)
    .describe(
      'Bytes a second that the scrub reads of sealed segments, to find what rotted before someone needs it. More finds it sooner and takes from what the disk has for others; 0 turns the scrub off.',
    ),
  scrubEveryMs: ms({ min: 60_000, max: 366 * DAY_MS })
    .default(14 * DAY_MS)
    .describe(
      'Milliseconds from the begin of one whole scrub to the begin of the next. A scrub that takes longer at its rate is followed by the next at once.',
    ),
  openFilesMax: z
    .int()
    .min(4)
    .max(65_536)
    .default(256)
    .describe(
      'Segment files kept open when nobody uses them at the moment. More avoids opening them again; a file being read or written is not counted against others.',
    ),
  indexesMax: z
    .int()
    .min(1)
    .max(65_536)
    .default(256)
    .describe(
      'Indexes of sealed segments kept in memory, about 16 kB each at the default segment size.',
    ),
  portRequestsMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(4096)
    .describe('Requests that another thread may have in flight to the log. One more is refused.'),
  portBytesMax: bytes({ min: 1024, max: 1024 * MIB })
    .default(32 * MIB)
    .describe('Bytes of appends that another thread may have in flight to the log.'),
  serverConnectionsMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(1024)
    .describe(
      'Connections that a log server has at a time. One more is told so and closed. Each costs some kilobytes.',
    ),
  serverRequestsMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(1024)
    .describe(
      'Requests that one connection may have unanswered at the log server. One more is refused.',
    ),
  serverSockets: z
    .enum(['auto', 'batched', 'node'])
    .default('auto')
    .describe(
      'Which sockets the log server takes connections with: "batched" ones by the addon in native/, which answer all connections of a turn together, or "node", Node\'s own. "auto" and "batched" take the batched ones where the addon is there; TLS is always Node\'s.',
    ),
  serverIdleMs: ms({ min: 50, max: 86_400_000 })
    .default(300_000)
    .describe(
      'Milliseconds that a connection to the log server may be silent while nothing is asked; then it is closed. Clients connect again by themselves.',
    ),
  serverReadMs: ms({ min: 50, max: 3_600_000 })
    .default(30_000)
    .describe(
      'Milliseconds from the first byte of a request to its last. Shorter frees connections of broken peers sooner; a slow line needs time for a large batch.',
    ),
  serverWriteMs: ms({ min: 50, max: 3_600_000 })
    .default(30_000)
    .describe(
      'Milliseconds in which a client must have taken what was sent to it; then the connection is closed.',
    ),
  serverAuthMs: ms({ min: 50, max: 600_000 })
    .default(5_000)
    .describe(
      'Milliseconds that a new connection to the log server has to prove that it knows the secret.',
    ),
  serverOutputBytesMax: bytes({ min: 65_536, max: 64 * MIB })
    .default(256 * 1024)
    .describe(
      'Bytes that may wait for a client that reads slowly; beyond it nothing more is read from the disk for it, nor from it.',
    ),
  serverWaitMsMax: ms({ min: 100, max: 86_400_000 })
    .default(600_000)
    .describe('Milliseconds that a read over a connection may wait for records at most.'),
});

export type LogConfig = z.output<typeof logConfig>;
