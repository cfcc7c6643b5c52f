// Settings of the store, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { bytes, count, ms } from '#base/field.ts';
import { parseStack } from '#store/stack/stack-text.ts';

const MIB = 1024 * 1024;

export const storeConfig = z.strictObject({
  stack: z
    .string()
    .max(4000)
    .superRefine((text, context) => {
      const parsed = parseStack(text);
      if ('why' in parsed) context.addIssue({ code: 'custom', message: parsed.why });
    })
    .default('packed')
    .describe(
      'Where blobs are kept, as one line, outermost first: "packed", or "cache(50GB) > encrypt > replica(packed, s3)". docs/store.md explains each part.',
    ),
  keyFile: z
    .string()
    .default('')
    .describe(
      'Path of the key file of `encrypt`, made by `store keys new`. Without it nothing that was encrypted can be read again: keep a copy elsewhere.',
    ),
  cacheSmallBytesMax: bytes({ min: 0, max: 16 * MIB })
    .default(65_536)
    .describe(
      'Blobs up to this size stay in a cache longer than others, while they take no more than a tenth of it.',
    ),
  replicaRaceMs: ms({ min: 1, max: 600_000 })
    .default(100)
    .describe(
      'Milliseconds after which a read that one copy has not answered is asked of the next one too. Less answers faster and reads more.',
    ),
  garbage: z
    .enum(['off', 'mark', 'remove'])
    .default('mark')
    .describe(
      'What becomes of blobs that nothing refers to, such as those of removed torrents: "remove" gives back their space by itself, "mark" notes since when they are not needed and leaves the rest to `store gc`, "off" does not look.',
    ),
  garbageEveryMs: ms({ min: 60_000, max: 365 * 86_400_000 })
    .default(86_400_000)
    .describe(
      'Milliseconds between looks for garbage. Each lists the whole store, which some S3 services bill.',
    ),
  garbageAgeMs: ms({ min: 1000, max: 365 * 86_400_000 })
    .default(86_400_000)
    .describe(
      'Milliseconds that a blob stays when nothing refers to it, counted anew whenever it is put or asked for. Less than an upload may take loses what was uploaded before its torrent was made.',
    ),
  garbageRootsMax: count({ min: 1000, max: 1_000_000_000 })
    .default(4_000_000)
    .describe(
      'Names of needed blobs in memory at once while garbage is collected, 11 to 22 bytes each. With more blobs than that, the references are read once for each stretch of so many.',
    ),
  syncs: z
    .array(
      z
        .string()
        .max(4000)
        .superRefine((text, context) => {
          const parsed = parseStack(text);
          if ('why' in parsed) context.addIssue({ code: 'custom', message: parsed.why });
        }),
    )
    .max(16)
    .default([])
    .describe(
      'Stores that get a copy of every blob as it comes, each a line as in `store.stack`: ["directory(/mnt/copy)"]. They may be away for as long as they like; what is removed here stays there.',
    ),
  syncQueueBytesMax: bytes({ min: 65_536, max: 1024 * 1024 * MIB })
    .default(256 * MIB)
    .describe(
      'Bytes of the queue of blobs that `store.syncs` have not copied yet: 512 for each that comes alone, a tenth of it among many. When a far store is away for so long that more wait, the oldest are let go, and both stores are compared when it is back.',
    ),
  syncCompareEveryMs: ms({ min: 60_000, max: 365 * 86_400_000 })
    .default(7 * 86_400_000)
    .describe(
      'Milliseconds between comparisons of all names with each of `store.syncs`, which find whatever the queue did not bring.',
    ),
  syncSampleBytes: bytes({ min: 0, max: 1024 * 1024 * MIB })
    .default(64 * MIB)
    .describe(
      'Bytes of each of `store.syncs` that are read and hashed every hour, beginning anywhere. More finds rot sooner and costs transfer.',
    ),
  packBytesMax: bytes({ min: 65_536, max: 16_384 * MIB })
    .default(512 * MIB)
    .describe(
      'Bytes after which the store goes on in a new pack. Space is given back a pack at a time: smaller packs need less free space for it, larger ones fewer open files.',
    ),
  openPacksMax: count({ min: 2, max: 100_000 })
    .default(128)
    .describe(
      'Packs that stay open although nobody reads them. Fewer open files cost a moment more for a read of a pack that was closed.',
    ),
  writeBytesMax: bytes({ min: 4096, max: 64 * MIB })
    .default(4 * MIB)
    .describe(
      'Bytes of blobs that are written before one sync; a larger blob is written alone. More gives more throughput when many put at once, at the price of as much memory.',
    ),
  queueBytesMax: bytes({ min: 4096, max: 1024 * MIB })
    .default(64 * MIB)
    .describe('Bytes of blobs that may wait for the disk. Beyond it puts wait for room.'),
  noRushMsMax: ms({ min: 1, max: 60_000 })
    .default(200)
    .describe(
      'Milliseconds that a put without hurry waits at most for others to share a sync with.',
    ),
  compactDeadPercent: z
    .int()
    .min(1)
    .max(100)
    .default(30)
    .describe(
      'Percent of a pack that must be removed blobs before compaction rewrites it. Lower gives back more space and writes more.',
    ),
});

export type StoreConfig = z.output<typeof storeConfig>;

export const s3Config = z.strictObject({
  endpoint: z
    .string()
    .refine((text) => text === '' || isEndpoint(text), 'write https://HOST or http://HOST:PORT')
    .default('')
    .describe(
      'Address of the S3 service, as its provider names it, without the bucket: "https://s3.eu-central-1.amazonaws.com". Empty: there is no S3 store.',
    ),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/)
    .default('us-east-1')
    .describe(
      'Region that requests are signed for. A wrong one is refused by the service, and the refusal names the right one where the service tells it. R2 calls it "auto"; MinIO and Swift are content with us-east-1 unless configured otherwise.',
    ),
  bucket: z
    .string()
    .regex(/^(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$/)
    .default('')
    .describe('The bucket that keeps the blobs. It must be there; it is not made.'),
  prefix: z
    .string()
    .regex(/^(?:[A-Za-z0-9._-]+\/)*[A-Za-z0-9._-]*$/)
    .max(256)
    .default('')
    .describe(
      'What the name of every object begins with, "swarmkeep/" for example. Objects of the bucket that begin otherwise are neither read nor touched.',
    ),
  pathStyle: z
    .boolean()
    .default(true)
    .describe(
      'True writes the bucket into the path of the address, false into its host name. Services of your own mostly know the path only; AWS recommends the host name.',
    ),
  keyFile: z
    .string()
    .default('')
    .describe(
      "Path of the file with the keys, in the format of AWS's credentials file: lines aws_access_key_id, aws_secret_access_key and, for temporary keys, aws_session_token. It should be readable for the server's account only.",
    ),
  putChecksum: z
    .enum(['none', 'md5', 'sha256'])
    .default('none')
    .describe(
      'Further checksum of each upload, beside the SHA-256 that its signature covers. Buckets with object lock want one. sha256 costs nothing, md5 some processor time and is known to more services; docs/s3.md has a table.',
    ),
  requestsAtOnceMax: count({ min: 1, max: 256 })
    .default(16)
    .describe(
      'Requests under way at the same time; others wait. More gives more throughput over long distances, until the service asks to slow down.',
    ),
  idleMsMax: ms({ min: 100, max: 600_000 })
    .default(30_000)
    .describe('Milliseconds without a byte after which a request is given up and tried again.'),
  callMsMax: ms({ min: 1000, max: 86_400_000 })
    .default(300_000)
    .describe(
      'Milliseconds that an operation may take with all its attempts. Longer rides out longer outages; shorter lets a replica or the caller take over earlier.',
    ),
  attemptsMax: count({ min: 1, max: 100 })
    .default(10)
    .describe(
      'How often a request is tried when the service is busy, fails or cannot be reached, with pauses that double.',
    ),
  retryMsMin: ms({ min: 1, max: 60_000 })
    .default(100)
    .describe('Milliseconds of the first pause before a request is tried again.'),
  retryMsMax: ms({ min: 1, max: 600_000 })
    .default(10_000)
    .describe(
      'Milliseconds of the longest pause before a request is tried again, unless the service asks for a longer one.',
    ),
});

export type S3Config = z.output<typeof s3Config>;

/** No keys in it, which would end up in logs; and nothing after the path. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}
