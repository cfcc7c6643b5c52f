// Settings of the doors by which browsers and programs use the store, by consequence.

import { z } from 'zod';
import { bytes, count, ms } from '#base/field.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

export const uploadConfig = z.strictObject({
  connectionsMax: count({ min: 1, max: 65_536 })
    .default(256)
    .describe('WebSockets to the store that may be open at once; one more is refused.'),
  connectionsPerMemberMax: count({ min: 1, max: 65_536 })
    .default(32)
    .describe('The same for one member: so none can take all places.'),
  memoryBytesMax: bytes({ min: 32 * MIB })
    .default(512 * MIB)
    .describe(
      'Bytes of blobs that come or go over the network at once, in all. At the bound puts are refused with STORE_BUSY and reads wait. It is what the doors cost in memory at most.',
    ),
  memberMemoryBytesMax: bytes({ min: 32 * MIB })
    .default(192 * MIB)
    .describe('The same for one member: what one may hold of it, however slow.'),
  unansweredBytesMax: bytes({ min: 16 * MIB, max: GIB })
    .default(32 * MIB)
    .describe(
      'Bytes of puts of one WebSocket that may be unanswered. More fills a long line better; clients are told it and keep to it.',
    ),
  requestsMax: count({ min: 1, max: 65_536 })
    .default(1024)
    .describe('Requests of one WebSocket that may be unanswered; one more ends the connection.'),
  sendWindowBytes: bytes({ min: 64 * KIB, max: 64 * MIB })
    .default(2 * MIB)
    .describe(
      'Bytes that are sent for one request ahead of what its reader said that it took. More fills a long line better and costs slow readers memory.',
    ),
  readsAtOnceMax: count({ min: 1, max: 256 })
    .default(4)
    .describe('Requests of one WebSocket that send blobs at once; others wait for their turn.'),
  stallMsMax: ms({ min: 100, max: 3_600_000 })
    .default(60_000)
    .describe(
      'Milliseconds after which a connection ends that owes the rest of a blob, or does not take what is sent to it.',
    ),
  idleMsMax: ms({ min: 100, max: 86_400_000 })
    .default(300_000)
    .describe('Milliseconds after which a WebSocket ends on which nothing is asked.'),
  rightsMsMax: ms({ min: 100, max: 600_000 })
    .default(2_000)
    .describe(
      'Milliseconds until a revoked token, an ended session or a ban ends the WebSockets opened with it.',
    ),
  batchBytesMax: bytes({ min: 17 * MIB, max: 64 * GIB })
    .default(256 * MIB)
    .describe('Bytes of one multipart request at most. Its blobs are stored as they come.'),
  segmentBytes: bytes({ min: 64 * KIB, max: 16 * MIB })
    .default(4 * MIB)
    .describe(
      'Bytes of the blobs that an upload of any size is cut into. Of each upload that runs so much is in memory. Changing it affects uploads begun afterwards.',
    ),
  uploadBytesMax: bytes({ min: MIB, max: 1024 * 1024 * GIB })
    .default(1024 * GIB)
    .describe('Bytes of one resumable upload at most.'),
  uploadsPerMemberMax: count({ min: 1, max: 100_000 })
    .default(64)
    .describe('Resumable uploads of one member that may be kept at once, finished ones counted.'),
  uploadAgeMsMax: ms({ min: 1000, max: 365 * 86_400_000 })
    .default(86_400_000)
    .describe(
      'Milliseconds after its last byte for which an upload can be gone on with, or its list be fetched. Then it is forgotten, and its blobs go with the next collections unless something else refers to them.',
    ),
});

export type UploadConfig = z.output<typeof uploadConfig>;
