// Settings of the archive, by consequence. `config print` shows these sentences.

import { z } from 'zod';
import { bytes, count, ms } from '#base/field.ts';
import { parseIp } from '#net/ip-address.ts';
import { isSegmentBytes, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from './content/segments.ts';
import { isPutFolder } from './ingest/put-folder.ts';

const MIB = 1024 * 1024;

const ipAddress = z
  .string()
  .refine((text) => parseIp(text, new Uint8Array(16)) !== 0, 'expected an IPv4 or IPv6 address');

export const archiveConfig = z.strictObject({
  segmentBytes: bytes({ min: SEGMENT_BYTES_MIN, max: SEGMENT_BYTES_MAX })
    .refine(isSegmentBytes, 'expected a power of two, such as 4 MiB')
    .default(4 * MIB)
    .describe(
      'Bytes of the segments that new files are cut into, a power of two. Larger ones make smaller maps and fewer blobs; smaller ones let a reader of a few bytes wait less. Files that are there stay as they are.',
    ),
  readCacheBytes: bytes({ min: 0 })
    .default(64 * MIB)
    .describe(
      'Bytes of verified segments that stay in memory for the next reader. Clients ask for parts of a segment; without it each part costs reading and hashing the whole of it.',
    ),
  seedStreamsMax: count({ min: 0, max: 100_000 })
    .default(100)
    .describe(
      'Files that the web seed gives at once; more are told to try again later. Each may hold two segments in memory. 0 turns the web seed off.',
    ),
  seedStreamsPerMemberMax: count({ min: 1, max: 100_000 })
    .default(16)
    .describe('Files that the web seed gives to one member at once.'),
  seedVerifiedMs: ms({ min: 0 })
    .default(600_000)
    .describe(
      'Milliseconds for which a segment that was verified is given by the web seed without being hashed again, from a pack that nobody else has changed since. Longer costs less processor time for what many take; what a disk falsifies in that time without an error is only noticed by who receives it. 0 verifies for each reader.',
    ),
  peerAddresses: z
    .array(ipAddress)
    .min(1)
    .max(64)
    .default(['127.0.0.1'])
    .describe(
      'Addresses on which the archive takes connections of BitTorrent clients, IPv4 and IPv6: it shares what it keeps, and takes in what is wanted from clients that cannot be dialled. "0.0.0.0" and "::" are all of the machine\'s, and then `peerPublicAddresses` must say which ones clients are told.',
    ),
  peerPort: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe(
      'TCP port for that. 0 lets the system choose another one at each start, which is fine unless a firewall or a router has to let it through.',
    ),
  peerPublicAddresses: z
    .array(ipAddress)
    .max(4)
    .default([])
    .describe(
      'Addresses at which clients are told to find the archive: those of the router in front of it, say. Empty tells them `peerAddresses`.',
    ),
  peerConnectionsMax: count({ min: 0, max: 10_000 })
    .default(200)
    .describe(
      'Connections of clients to the archive at once, a few MiB of memory each at most; further ones are closed. 0 turns it off: then clients have the web seed only, and cannot bring what they alone have unless they can be dialled.',
    ),
  peerSlotsMax: count({ min: 1, max: 1000 })
    .default(16)
    .describe(
      'Clients that are given pieces at once; others wait for their turn of half a minute. More share the same line in smaller parts.',
    ),
  peerRequestsMax: count({ min: 16, max: 10_000 })
    .default(500)
    .describe('Blocks that one client may have asked for and not got yet; more are refused.'),
  peerUploadBytesPerSecond: bytes()
    .default(0)
    .describe(
      'Bytes a second that clients are given by the archive at most, together. 0 is no bound.',
    ),
  peerServes: z
    .enum(['announced', 'anyone'])
    .default('announced')
    .describe(
      "`announced` gives only to addresses from which somebody is in the torrent's swarm right now, so that who was banned, or found a .torrent file, gets nothing. `anyone` gives to whoever knows the torrent, for communities whose clients announce by another address than they connect from.",
    ),
  credit: z
    .enum(['count', 'free'])
    .default('count')
    .describe(
      "What bytes from the web seed do to a member's credited downloads. `count`: what the client announces counts, wherever it came from. `free`: what is given from now on is taken off again, at most what the client announces for that torrent; some clients announce these bytes and some do not (docs/archive.md).",
    ),
  previewsPerTorrentMax: count({ min: 0, max: 100 })
    .default(12)
    .describe(
      'Small pictures that are made of a kept torrent, for its page: of its images, and, with ffmpeg, of films and covers. Each costs a few seconds of a processor that nobody else wants. 0 makes none.',
    ),
  downloadsMax: count({ min: 0, max: 100_000 })
    .default(100)
    .describe(
      'Downloads at once of files and folders, by the site, by shares and by WebDAV together; more are told to try again later. Each may hold two segments in memory. 0 turns them off.',
    ),
  downloadsPerHolderMax: count({ min: 1, max: 100_000 })
    .default(16)
    .describe('Of those, how many one member, or one share, may have at once.'),
  takenAtOnceMax: count({ min: 1, max: 100 })
    .default(2)
    .describe(
      'Wanted torrents that are taken from their swarms at once; others wait. Each may hold 64 MiB of pieces in memory.',
    ),
  webSourcesPrivate: z
    .boolean()
    .default(false)
    .describe(
      'Whether wanted torrents are also taken from web seeds at addresses of this machine and of private networks. Off keeps whoever may name a web seed from having this server ask its neighbours.',
    ),
  putFolders: z
    .array(z.string().max(5000).refine(isPutFolder, 'expected a category and a whole path'))
    .max(100)
    .default([])
    .describe(
      'Files and folders of this machine that are put into the archive by themselves: for each a line of a category of the site and of the whole path, `datasets /srv/measurements`. When something below it has changed, all of it becomes one more torrent, which shares with those before it what is the same.',
    ),
  putFoldersEveryMs: ms({ min: 60_000, max: 365 * 86_400_000 })
    .default(86_400_000)
    .describe(
      'Milliseconds from one look at `putFolders` to the next. A look reads names, sizes and times only; what has changed is then read whole.',
    ),
  putFoldersQuietMs: ms({ min: 0, max: 30 * 86_400_000 })
    .default(600_000)
    .describe(
      'Milliseconds for which nothing below one of `putFolders` may have changed before it is put, so that no torrent is made of what is still being written. What changes more often than this is never put.',
    ),
  scrubPeriodMs: ms({ min: 60_000 })
    .default(30 * 86_400_000)
    .describe(
      'Milliseconds within which everything that is kept is read and proven again, so that rot is found while there is something to heal it from.',
    ),
  scrubBytesPerSecond: bytes()
    .default(20 * MIB)
    .describe(
      'Bytes a second that the scrub reads at most, so that members have the disk. Too few, and the period is not kept. 0 turns the scrub off.',
    ),
  keeperCopies: count({ min: 0, max: 100 })
    .default(1)
    .describe(
      'Copies of each kept file with keepers, who prove that they hold them: members with `swarmkeep keeper run`, other servers. As many as there is room for; 0 asks for none.',
    ),
  keeperProofEveryMs: ms({ min: 1000 })
    .default(86_400_000)
    .describe(
      'Milliseconds between two challenges of one copy, half to one and a half times that. Shorter finds a lying keeper sooner and costs a read of a segment on both sides each time.',
    ),
  keeperUnprovenMsMax: ms({ min: 1000 })
    .default(3 * 86_400_000)
    .describe(
      'Milliseconds that a copy may go without a proof, because its keeper is away; then its credit is taken back and the copy is made elsewhere. At least twice `keeperProofEveryMs`, whatever is set.',
    ),
  keeperPointsPerGibDay: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe('Bonus points that a member gets for a GiB that is held, and proven, for a day.'),
  keepFor: z
    .array(z.string().max(2000))
    .max(100)
    .default([])
    .describe(
      "Servers whose kept torrents this one holds copies of: for each a line of the site's address and of a file with the token that `keeper add` printed there, `https://swarm.example.org /etc/swarmkeep/keeper-token`.",
    ),
  keepForBytesMax: bytes()
    .default(100 * 1024 * MIB)
    .describe('Bytes of copies that are held for each of `keepFor` at most.'),
  hashThreads: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe(
      'Threads that hash content while it comes in. More is faster as long as there are processors.',
    ),
});

export type ArchiveConfig = z.output<typeof archiveConfig>;
