// Covers: what is sent is told by its first bytes, bounded before anything decodes it, and made anew by the
// program that makes previews, so that nothing of the file itself is kept or given on. Without that
// program a small picture is kept as it is, but for its metadata.

import type { Kysely, Transaction } from 'kysely';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { CatalogueConfig } from '#site/catalogue/catalogue-config.ts';
import { cleanTitle } from '#site/catalogue/torrent-words.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { imageSize } from '#site/previews/image-head.ts';
import type { PreviewMaker } from '#site/previews/previews-job.ts';
import { Refusal } from '#site/refusal.ts';
import { type NewChange, noteChange } from '#site/torrent-history/torrent-changes.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { RootSource } from '#store/gc/roots.ts';
import { coverHead } from './cover-head.ts';
import { strippedPicture } from './strip-metadata.ts';

export interface CoverTables {
  torrent_cover: {
    torrent_id: number;
    blob_ref: string;
    /** For lists; the same blob where nothing makes smaller ones. */
    thumb_ref: string;
    width: number;
    height: number;
    /** What it shows, in words; empty when its uploader wrote none. */
    alt: string;
  };
}

/** Where pictures are kept, and who makes them. */
export interface Pictures {
  /** In the store when it resolves. @throws StoreError */
  put(bytes: Uint8Array): Promise<BlobRef>;
  /** Undefined where there is nothing that makes them. */
  maker(): Promise<PreviewMaker | undefined>;
}

export interface PreparedCover {
  readonly ref: BlobRef;
  readonly thumbRef: BlobRef;
  readonly width: number;
  readonly height: number;
}

export interface Cover extends PreparedCover {
  readonly alt: string;
}

export const COVER_LIMITS = {
  sidePixelsMax: 16_384,
  pixelsMax: 40_000_000,
  altCharsMax: 300,
  /** Of one that is kept as it is. */
  ownBytesMax: 512 * 1024,
  ownSidePixelsMax: 4096,
} as const;

const COVER_PIXELS = 640;
const THUMB_PIXELS = 160;
const PAGE = 1000;

/** Its blobs are in the store when it resolves; they go again when nothing refers to them. */
export async function prepareCover(
  world: { readonly pictures: Pictures; readonly config: CatalogueConfig },
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<PreparedCover | Refusal> {
  const { pictures, config } = world;
  if (bytes.byteLength > config.coverBytesMax) {
    return refused(`The picture is larger than ${formatBytes(config.coverBytesMax)}.`);
  }
  const head = coverHead(bytes);
  if (head === undefined) {
    return refused('This is no picture that can be a cover: send JPEG, PNG, WebP or AVIF.');
  }
  const { sidePixelsMax, pixelsMax } = COVER_LIMITS;
  const { width, height } = head;
  if (Math.max(width, height) > sidePixelsMax || width * height > pixelsMax) {
    const most = `${sidePixelsMax} pixels a side and ${pixelsMax / 1_000_000} million in all`;
    return refused(`The picture has ${width} × ${height} pixels; at most ${most} are taken.`);
  }
  const maker = await pictures.maker();
  if (maker === undefined) return await keepOwn(pictures, bytes, head);
  const made = await maker.make(once(bytes), signal, COVER_PIXELS);
  const thumb = made && (await maker.make(once(made), signal, THUMB_PIXELS));
  const size = made && imageSize(made);
  if (made === undefined || thumb === undefined || size === undefined) {
    return refused(
      'The picture cannot be made smaller: it is broken, of a kind unknown here, or took too long.',
    );
  }
  const [ref, thumbRef] = [await pictures.put(made), await pictures.put(thumb)];
  return { ref, thumbRef, width: size.width, height: size.height };
}

async function keepOwn(
  pictures: Pictures,
  bytes: Uint8Array,
  head: NonNullable<ReturnType<typeof coverHead>>,
): Promise<PreparedCover | Refusal> {
  const { ownBytesMax, ownSidePixelsMax } = COVER_LIMITS;
  const { type, width, height } = head;
  const isSmall = bytes.byteLength <= ownBytesMax && Math.max(width, height) <= ownSidePixelsMax;
  const own = isSmall ? strippedPicture(bytes, type) : undefined;
  if (own === undefined) {
    return refused(
      `This server has no ffmpeg to make pictures smaller: send a whole JPEG, PNG or WebP of at most ${formatBytes(ownBytesMax)} and ${ownSidePixelsMax} pixels a side.`,
    );
  }
  const ref = await pictures.put(own);
  return { ref, thumbRef: ref, width, height };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function refused(words: string): Refusal {
  return new Refusal('cover-invalid', words, 'cover');
}

/** What it shows, as typed. */
export function cleanAlt(text: string): string | Refusal {
  const alt = cleanTitle(text);
  const { altCharsMax } = COVER_LIMITS;
  if (alt.length <= altCharsMax) return alt;
  return new Refusal('cover-alt-invalid', `At most ${altCharsMax} characters.`, 'coverAlt');
}

/** In the place of the one that was there, whose blobs go with the next collection of garbage. */
export async function setCover(sql: Sql, change: NewChange, cover: Cover): Promise<void> {
  await sql.transaction<CoverTables, void>(async (transaction) => {
    const { torrentId: torrent_id } = change;
    const before = await transaction
      .selectFrom('torrent_cover')
      .select('blob_ref')
      .where('torrent_id', '=', torrent_id)
      .executeTakeFirst();
    const { ref: blob_ref, thumbRef: thumb_ref, width, height, alt } = cover;
    const row = { blob_ref, thumb_ref, width, height, alt };
    await transaction
      .insertInto('torrent_cover')
      .values({ torrent_id, ...row })
      .onConflict((conflict) => conflict.column('torrent_id').doUpdateSet(row))
      .execute();
    if (before?.blob_ref === blob_ref) return;
    const what = before === undefined ? 'set' : 'replaced';
    await noteChange(transaction, change, { kind: 'cover', what });
  });
}

/** The words for those who do not see it. */
export async function setCoverAlt(sql: Sql, torrentId: number, alt: string): Promise<void> {
  await sql.transaction<CoverTables, void>(async (transaction) => {
    const update = transaction.updateTable('torrent_cover').set({ alt });
    await update.where('torrent_id', '=', torrentId).execute();
  });
}

/** False when there was none. */
export async function removeCover(sql: Sql, change: NewChange): Promise<boolean> {
  return await sql.transaction<CoverTables, boolean>(async (transaction) => {
    if (!(await dropCover(transaction, change.torrentId))) return false;
    await noteChange(transaction, change, { kind: 'cover', what: 'removed' });
    return true;
  });
}

/** In the caller's transaction, and told by nothing. */
export async function dropCover<Tables>(
  transaction: Transaction<Tables>,
  torrentId: number,
): Promise<boolean> {
  const tables = transaction as unknown as Transaction<CoverTables>;
  const { numDeletedRows } = await tables
    .deleteFrom('torrent_cover')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

export async function findCover(sql: Sql, torrentId: number): Promise<Cover | undefined> {
  return (await coversOf(sql, [torrentId])).get(torrentId);
}

const coverRows = fixedQuery((reading: Kysely<CoverTables>, given: { torrentIds: GivenList }) =>
  reading
    .selectFrom('torrent_cover')
    .selectAll()
    .where(isOneOf(reading, 'torrent_id', given.torrentIds)),
);

/** By torrent; those without one are absent. */
export async function coversOf(
  sql: Sql,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, Cover>> {
  if (torrentIds.length === 0) return new Map();
  const reading = sql.read<CoverTables>();
  const rows = await coverRows(reading, { torrentIds: givenList(reading, torrentIds) });
  return new Map(
    rows.flatMap(({ torrent_id, blob_ref, thumb_ref, width, height, alt }) => {
      const [ref, thumbRef] = [blobRef(blob_ref), blobRef(thumb_ref)];
      if (ref === undefined || thumbRef === undefined) return [];
      return [[torrent_id, { ref, thumbRef, width, height, alt }] as const];
    }),
  );
}

/** What garbage collection must keep for covers. */
export class CoverRoots implements RootSource {
  readonly name = 'covers';
  readonly #sql: Sql;

  constructor(world: { readonly sql: Sql }) {
    this.#sql = world.sql;
  }

  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    for (let after = 0; ; ) {
      signal.throwIfAborted();
      const rows = await this.#sql
        .read<CoverTables>()
        .selectFrom('torrent_cover')
        .select(['torrent_id', 'blob_ref', 'thumb_ref'])
        .where('torrent_id', '>', after)
        .orderBy('torrent_id')
        .limit(PAGE)
        .execute();
      for (const { blob_ref, thumb_ref } of rows) {
        for (const text of new Set([blob_ref, thumb_ref])) {
          const ref = blobRef(text);
          if (ref !== undefined) yield ref;
        }
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = last.torrent_id;
    }
  }
}
