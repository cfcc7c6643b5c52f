// The job of previews: looks through what was kept since it last ran, and has a small picture made of the
// first few files of each torrent that have one. Torrent after torrent, file after file: it never costs
// more than one picture at a time.

import { type ContentFiles, TOP } from '#archive/downloads/content-tree.ts';
import type { Job } from '#base/job.ts';
import type { Logger } from '#base/logger.ts';
import { type FolderRow, rowsBelow } from '#site/folders/folder-rows.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import { imageSize, mayHavePreview, mediaKind } from './image-head.ts';
import { type KeptTorrent, type Preview, savePreviews, torrentsToPreview } from './previews.ts';

const EVERY_MS = 600_000;
const TORRENTS_AT_ONCE = 50;
const ROWS_AT_ONCE = 500;
/** Of one torrent, that are looked through for files with a picture. */
const ROWS_MAX = 10_000;
const HEAD_BYTES = 64 * 1024;
/** Pictures up to this size are their own preview where nothing can make smaller ones. */
const OWN_BYTES_MAX = 256 * 1024;
const OWN_PIXELS_MAX = 4096;
/** Files that give none are passed over, up to so many times as there may be previews. */
const TRIES_PER_PREVIEW = 3;

/** Makes a picture of at most 320 pixels a side. */
export interface PreviewMaker {
  /** For which maker previews were made; another one makes them again. */
  readonly name: string;
  /**
   * JPEG, of an image or of the first picture in a film or of its cover. Undefined when there is none, or
   * it cannot be made within the maker's bounds. Never throws for what the file has in it.
   */
  make(content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

export interface PreviewsWorld {
  readonly sql: Sql;
  readonly logger: Logger;
  readonly files: Pick<ContentFiles, 'find'>;
  readonly store: () => Promise<Store>;
  /** Undefined where there is nothing that makes them. */
  readonly maker: () => Promise<PreviewMaker | undefined>;
  /** Of one torrent; 0 makes none. */
  readonly previewsMax: number;
}

export function previewsJob(world: PreviewsWorld): Job {
  return {
    name: 'previews',
    summary: 'Makes small pictures of what the archive keeps, for the pages of torrents.',
    schedule: { everyMs: EVERY_MS, jitterPercent: 10 },
    timeLimitMs: 6 * 3_600_000,
    async run({ signal, fenced, progress }) {
      const counts = { torrents: 0, previews: 0 };
      if (world.previewsMax === 0) return { summary: 'Previews are turned off.', counts };
      const maker = await world.maker();
      const name = maker?.name ?? 'none';
      for (;;) {
        const torrents = await torrentsToPreview(world.sql, name, TORRENTS_AT_ONCE);
        for (const torrent of torrents) {
          const previews = await previewsFor(world, { torrent, maker, signal });
          await world.sql.transaction(async (transaction) => {
            await fenced(transaction);
            await savePreviews(transaction, torrent, { maker: name, previews });
          });
          counts.torrents += 1;
          counts.previews += previews.length;
          progress(counts.torrents, undefined, 'torrents');
        }
        if (torrents.length < TORRENTS_AT_ONCE) break;
      }
      const how = maker === undefined ? ' Without ffmpeg only small pictures have one.' : '';
      return { summary: `${counts.previews} previews were made.${how}`, counts };
    },
  };
}

interface Making {
  readonly torrent: KeptTorrent;
  readonly maker: PreviewMaker | undefined;
  readonly signal: AbortSignal;
}

async function previewsFor(world: PreviewsWorld, making: Making): Promise<readonly Preview[]> {
  const previews: Preview[] = [];
  let tries = 0;
  for await (const row of candidates(world.sql, making.torrent.id)) {
    if (previews.length >= world.previewsMax) break;
    if (tries++ >= world.previewsMax * TRIES_PER_PREVIEW) break;
    making.signal.throwIfAborted();
    const preview = await previewOf(world, making, row);
    if (preview !== undefined) previews.push(preview);
  }
  return previews;
}

async function* candidates(sql: Sql, torrentId: number): AsyncGenerator<FolderRow> {
  let after: number = TOP.position;
  for (let seen = 0; seen < ROWS_MAX; ) {
    const rows = await rowsBelow(sql, { torrentId, path: '', after }, ROWS_AT_ONCE);
    for (const row of rows) if (!row.isFolder && mayHavePreview(row.name)) yield row;
    seen += rows.length;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.position;
  }
}

async function previewOf(
  world: PreviewsWorld,
  { torrent, maker, signal }: Making,
  row: FolderRow,
): Promise<Preview | undefined> {
  try {
    const content = await world.files.find(torrent, row.path);
    if (content === undefined || content.bytes === 0) return undefined;
    const head = await collected(
      content.read({ start: 0, end: Math.min(content.bytes, HEAD_BYTES) }, signal),
    );
    if (mediaKind(head) === undefined) return undefined;
    const whole = { start: 0, end: content.bytes };
    const own = maker === undefined ? imageSize(head) : undefined;
    const isOwn =
      own !== undefined &&
      content.bytes <= OWN_BYTES_MAX &&
      Math.max(own.width, own.height) <= OWN_PIXELS_MAX;
    const made = isOwn
      ? await collected(content.read(whole, signal))
      : await maker?.make(content.read(whole, signal), signal);
    const size = made && imageSize(made);
    if (made === undefined || size === undefined || size.width * size.height === 0)
      return undefined;
    const { ref } = await (await world.store()).put(made, { signal });
    return { position: row.position, ref, width: size.width, height: size.height };
  } catch (error) {
    if (signal.aborted) throw error;
    // What cannot be read is told by the scrub; a page without a picture is no failure.
    return undefined;
  }
}

async function collected(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}
