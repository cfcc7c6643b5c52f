// The job of previews: looks through what was kept since it last ran, has a small picture made of the first
// few files of each torrent that have one, tells what media are, and takes the beginnings of texts and
// subtitles. Torrent after torrent, file after file: it never costs more than one picture at a time.

import { type ContentFiles, TOP } from '#archive/downloads/content-tree.ts';
import { utf8 } from '#base/bytes.ts';
import type { Job } from '#base/job.ts';
import type { Logger } from '#base/logger.ts';
import { type FolderRow, rowsBelow } from '#site/folders/folder-rows.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import type { Extracts, MediaExtract, TextExtract } from './extracts.ts';
import { imageSize, mayHavePreview, mediaKind } from './image-head.ts';
import { factsOf, type MediaFacts } from './media-facts.ts';
import { type KeptTorrent, type Preview, savePreviews, torrentsToPreview } from './previews.ts';
import { mayBeText, TEXT_HEAD_BYTES, type TextKind, textPreview } from './text-preview.ts';

const EVERY_MS = 600_000;
const TORRENTS_AT_ONCE = 50;
const ROWS_AT_ONCE = 500;
/** Of one torrent, that are looked through for files with a picture. */
const ROWS_MAX = 10_000;
const HEAD_BYTES = 64 * 1024;
/** Pictures up to this size are their own preview where nothing can make smaller ones. */
const OWN_BYTES_MAX = 256 * 1024;
const OWN_PIXELS_MAX = 4096;
const WAY = 2;
/** Files that give none are passed over, up to so many times as there may be previews. */
const TRIES_PER_PREVIEW = 3;

/** Makes small pictures. */
export interface PreviewMaker {
  /** For which maker previews were made; another one makes them again. */
  readonly name: string;
  /**
   * JPEG, of an image or of the first picture in a film or of its cover, of at most so many pixels a side
   * (320 unless given). Undefined when there is none, or it cannot be made within the maker's bounds. Never
   * throws for what the file has in it.
   */
  make(
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    pixelsMax?: number,
  ): Promise<Uint8Array | undefined>;
  /** What a film or a sound is. Undefined when it cannot be said; never throws for what the file has. */
  facts?(content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<MediaFacts | undefined>;
}

export interface PreviewsWorld {
  readonly sql: Sql;
  readonly logger: Logger;
  readonly files: Pick<ContentFiles, 'find'>;
  readonly store: () => Promise<Store>;
  /** Undefined where there is nothing that makes them. */
  readonly maker: () => Promise<PreviewMaker | undefined>;
  /** Of one torrent, pictures, and as many texts; 0 makes none. */
  readonly previewsMax: number;
}

export function previewsJob(world: PreviewsWorld): Job {
  return {
    name: 'previews',
    summary:
      'Makes small pictures of what the archive keeps, tells what media are, and takes the beginnings of texts, for the pages of torrents.',
    schedule: { everyMs: EVERY_MS, jitterPercent: 10 },
    timeLimitMs: 6 * 3_600_000,
    async run({ signal, fenced, progress }) {
      const counts = { torrents: 0, previews: 0, texts: 0 };
      if (world.previewsMax === 0) return { summary: 'Previews are turned off.', counts };
      const maker = await world.maker();
      // Another number has everything looked at anew.
      const name = `${maker?.name ?? 'none'} ${WAY}`;
      for (;;) {
        const torrents = await torrentsToPreview(world.sql, name, TORRENTS_AT_ONCE);
        for (const torrent of torrents) {
          const made = await previewsFor(world, { torrent, maker, signal });
          await world.sql.transaction(async (transaction) => {
            await fenced(transaction);
            await savePreviews(transaction, torrent, { maker: name, ...made });
          });
          counts.torrents += 1;
          counts.previews += made.previews.length;
          counts.texts += made.texts.length;
          progress(counts.torrents, undefined, 'torrents');
        }
        if (torrents.length < TORRENTS_AT_ONCE) break;
      }
      const how = maker === undefined ? ' Without ffmpeg only small pictures have one.' : '';
      const made = `${counts.previews} pictures and ${counts.texts} texts were made.`;
      return { summary: made + how, counts };
    },
  };
}

interface Making {
  readonly torrent: KeptTorrent;
  readonly maker: PreviewMaker | undefined;
  readonly signal: AbortSignal;
}

interface Made extends Extracts {
  readonly previews: readonly Preview[];
}

async function previewsFor(world: PreviewsWorld, making: Making): Promise<Made> {
  const previews: Preview[] = [];
  const texts: TextExtract[] = [];
  const media: MediaExtract[] = [];
  const most = world.previewsMax;
  const tries = { media: 0, text: 0 };
  for await (const row of candidates(world.sql, making.torrent.id)) {
    making.signal.throwIfAborted();
    const wantsMedia = previews.length < most && tries.media < most * TRIES_PER_PREVIEW;
    const wantsText = texts.length < most && tries.text < most * TRIES_PER_PREVIEW;
    if (!wantsMedia && !wantsText) break;
    const kind = mayBeText(row.name);
    if (kind !== undefined && wantsText) {
      tries.text += 1;
      const text = await attempt(making.signal, () => textOf(world, making, { row, kind }));
      if (text !== undefined) texts.push(text);
    } else if (mayHavePreview(row.name) && wantsMedia) {
      tries.media += 1;
      const found = await attempt(making.signal, () => mediaAt(world, making, row));
      if (found?.preview !== undefined) previews.push(found.preview);
      const facts = found?.facts;
      if (facts !== undefined) media.push({ position: row.position, facts });
    }
  }
  return { previews, texts, media };
}

/** What cannot be read is told by the scrub; a page without a picture is no failure. */
async function attempt<Found>(
  signal: AbortSignal,
  find: () => Promise<Found | undefined>,
): Promise<Found | undefined> {
  try {
    return await find();
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

async function* candidates(sql: Sql, torrentId: number): AsyncGenerator<FolderRow> {
  let after: number = TOP.position;
  for (let seen = 0; seen < ROWS_MAX; ) {
    const rows = await rowsBelow(sql, { torrentId, path: '', after }, ROWS_AT_ONCE);
    for (const row of rows) if (!row.isFolder) yield row;
    seen += rows.length;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.position;
  }
}

async function textOf(
  world: PreviewsWorld,
  { torrent, signal }: Making,
  { row, kind }: { readonly row: FolderRow; readonly kind: TextKind },
): Promise<TextExtract | undefined> {
  const content = await world.files.find(torrent, row.path);
  if (content === undefined || content.bytes === 0) return undefined;
  const end = Math.min(content.bytes, TEXT_HEAD_BYTES);
  const head = await collected(content.read({ start: 0, end }, signal));
  const text = textPreview(head, { kind, isWhole: end === content.bytes });
  if (text === undefined) return undefined;
  const { ref } = await (await world.store()).put(utf8(text), { signal });
  return { position: row.position, ref, kind };
}

interface Media {
  readonly preview: Preview | undefined;
  readonly facts: MediaFacts | undefined;
}

async function mediaAt(
  world: PreviewsWorld,
  { torrent, maker, signal }: Making,
  row: FolderRow,
): Promise<Media | undefined> {
  const content = await world.files.find(torrent, row.path);
  if (content === undefined || content.bytes === 0) return undefined;
  const end = Math.min(content.bytes, HEAD_BYTES);
  const head = await collected(content.read({ start: 0, end }, signal));
  const kind = mediaKind(head);
  if (kind === undefined) return undefined;
  const whole = (): AsyncGenerator<Uint8Array> =>
    content.read({ start: 0, end: content.bytes }, signal);
  const own = imageSize(head);
  const facts =
    own === undefined
      ? await maker?.facts?.(whole(), signal)
      : factsOf({ width: own.width, height: own.height, picture: own.type.slice('image/'.length) });
  const isOwn =
    maker === undefined &&
    own !== undefined &&
    content.bytes <= OWN_BYTES_MAX &&
    Math.max(own.width, own.height) <= OWN_PIXELS_MAX;
  const made = isOwn ? await collected(whole()) : await maker?.make(whole(), signal);
  const size = made && imageSize(made);
  if (made === undefined || size === undefined || size.width * size.height === 0) {
    return { preview: undefined, facts };
  }
  const { ref } = await (await world.store()).put(made, { signal });
  const { width, height } = size;
  return { preview: { position: row.position, ref, width, height }, facts };
}

async function collected(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}
