// What `swarmkeep put` and the folders of a timetable both do: content of this machine into the archive, a
// torrent of it into the catalogue, and the torrent kept. Its bytes are read once.

import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { matchFiles } from '#archive/catalogue/match-files.ts';
import { type PutContent, putContent } from '#archive/ingest/put-content.ts';
import { assert } from '#base/assert.ts';
import { endInTurns } from '#base/steps.ts';
import type { ContentFolder } from '#cli/content-folder.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import { findTorrent, type Torrent } from '#site/catalogue/find-torrent.ts';
import { titleOf } from '#site/catalogue/prepared-torrent.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import { addTorrent, type NewTorrent, refusalOfWords } from '#site/catalogue/torrents.ts';
import { METAINFO_BYTES_MAX, parseInSteps } from '#wire/metainfo.ts';
import type { MetainfoRequest } from '#wire/metainfo-maker.ts';

/** Stands for the operator where a member would be named. */
const OPERATOR = 0;

export type PutRooms = Pick<Rooms, 'archive' | 'sql' | 'clock' | 'config' | 'changed'> & {
  readonly events: Pick<Rooms['events'], 'flush'>;
};

export interface PutTorrent
  extends Pick<NewTorrent, 'category' | 'tags' | 'title' | 'description'> {
  readonly folder: ContentFolder;
  readonly version: MetainfoRequest['version'];
  readonly signal: AbortSignal;
  /** Told as bytes are read, with how many that were. */
  readonly onBytes: (bytes: number) => void;
  /** Called when all was read, before the torrent is added; it may throw. */
  readonly whenRead?: () => Promise<void>;
}

export interface TorrentPut {
  readonly infoHash: string;
  /** False when the catalogue had it already. */
  readonly isNew: boolean;
  /** Of the torrent: of one that was there it need not be what was asked for. */
  readonly version: MetainfoRequest['version'];
  readonly files: number;
  /** Bytes that the store did not have. */
  readonly newBytes: number;
}

type Stored = Extract<PutContent, { ok: true }>;

/** Everything is on disk when it resolves. @throws CliError CLI_REFUSED; ArchiveError, StoreError */
export async function putTorrent(rooms: PutRooms, request: PutTorrent): Promise<TorrentPut> {
  const { sql, clock } = rooms;
  await refuseEarly(rooms, request);
  const stored = await store(rooms, request);
  await request.whenRead?.();
  const { id, isNew } = await add(rooms, request, stored);
  const files = isNew ? stored.files : await filesOf(rooms, id, stored);
  await keepTorrent(sql, { id, files, nowMs: clock.nowMs() });
  await rooms.events.flush();
  const torrent = await findTorrent(sql, id);
  assert(torrent !== undefined, 'a torrent is found by its id');
  const { infoHash } = torrent;
  const version = versionOf(torrent);
  return { infoHash, isNew, version, files: stored.files.length, newBytes: stored.newBytes };
}

function versionOf({ infoHashV1, infoHashV2 }: Torrent): MetainfoRequest['version'] {
  if (infoHashV2 === undefined) return 'v1';
  return infoHashV1 === undefined ? 'v2' : 'hybrid';
}

/** What its words are refused for is told before hours of reading. @throws CliError */
async function refuseEarly({ sql }: PutRooms, request: PutTorrent): Promise<void> {
  const { folder, title = titleOf(folder), category, tags, description } = request;
  accepted(await refusalOfWords(sql, { title, category, tags, description }));
}

async function store(rooms: PutRooms, request: PutTorrent): Promise<Stored> {
  const { folder, version, signal, onBytes } = request;
  const stored = await putContent(
    { ...rooms.archive, store: await rooms.archive.store() },
    {
      ...{ version, name: folder.name, singleFile: folder.singleFile, files: folder.files },
      ...{ private: true, createdBy: 'Swarmkeep', signal, onBytes },
      creationDate: Math.floor(rooms.clock.nowMs() / 1000),
    },
  );
  if (!stored.ok) throw new CliError('CLI_REFUSED', stored.reason);
  return stored;
}

async function add(
  { sql, clock, config, changed }: PutRooms,
  { category, tags, title, description }: PutTorrent,
  stored: Stored,
): Promise<{ readonly id: number; readonly isNew: boolean }> {
  // What it describes is stored already, and whoever made it here needs no bound of uploads.
  const ownConfig = { ...config.site, torrentBytesMax: METAINFO_BYTES_MAX };
  const result = accepted(
    await addTorrent(
      { sql, clock, config: ownConfig, changed },
      {
        ...{ bytes: stored.bytes, uploaderId: OPERATOR, isStaff: true },
        ...{ category, tags, description },
        ...(title === undefined ? {} : { title }),
      },
    ),
  );
  const isNew = result.kind === 'added';
  return { id: isNew ? result.torrent.id : result.existing.id, isNew };
}

/** The files in the order of the torrent that was there before. */
async function filesOf(rooms: PutRooms, id: number, stored: Stored): Promise<Stored['files']> {
  const bytes = await torrentFile(rooms.sql, id);
  const parsed = bytes && (await endInTurns(parseInSteps(bytes)));
  const files = parsed?.ok === true ? matchFiles(parsed.metainfo, stored.files) : undefined;
  if (files === undefined) {
    const message = 'A torrent with the same pieces is there, of files that are cut elsewhere';
    throw new CliError('CLI_REFUSED', message);
  }
  return files;
}
