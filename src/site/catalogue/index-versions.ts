// How often what the search index keeps of each block of torrents' numbers was written, so that what a
// process has read of it before is known to be as it was, whichever process writes (search-postings.ts,
// torrent-values.ts). They stand beside the sets of the index, in blocks that have no torrents:
//
//   block -1   a row for each block of sets: term, what is listed, titles
//   block -2   a row for each block of seeders, leechers and downloads as last saved
//
// The term is the number of the block. The bytes are the version, a count, 8 bytes, little-endian; in block
// -1 behind it the torrents that were written last, the latest at the end: one for each of the last versions,
// its number within the block, 2 bytes, little-endian. A write of many torrents leaves none there.

import { sql } from 'kysely';
import { assert } from '#base/assert.ts';
import { asBytes, bytesOf } from '#sql/dialect.ts';
import { BLOCK_IDS } from './id-block.ts';
import type { Catalogue } from './search-index.ts';

export const VERSIONS_BLOCK = -1;
const COUNTS_BLOCK = -2;
/** Of a block: whoever has not looked for so many writes reads all of it again. */
const LATEST_MAX = 32;

const VERSION_BYTES = 8;

export interface BlockVersion {
  readonly version: number;
  /** Numbers within the block, one for each of the last versions, the latest at the end. */
  readonly latest: readonly number[];
}

const UNWRITTEN: BlockVersion = { version: 0, latest: [] };

export interface IndexVersions {
  readonly blocks: ReadonlyMap<number, BlockVersion>;
  readonly counts: ReadonlyMap<number, number>;
}

export function versionBytes({ version, latest }: BlockVersion): Uint8Array {
  const bytes = new Uint8Array(VERSION_BYTES + 2 * latest.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(version), true);
  for (const [at, number] of latest.entries()) view.setUint16(VERSION_BYTES + 2 * at, number, true);
  return bytes;
}

export function versionOf(bytes: Uint8Array): BlockVersion {
  assert(bytes.length >= VERSION_BYTES && bytes.length % 2 === 0, 'a version has its size');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const latest: number[] = [];
  for (let at = VERSION_BYTES; at < bytes.length; at += 2) latest.push(view.getUint16(at, true));
  return { version: Number(view.getBigUint64(0, true)), latest };
}

export async function readVersions(catalogue: Catalogue): Promise<IndexVersions> {
  const { rows } = await sql<{ block: number; term: string; ids: unknown }>`
    select block, term, ${asBytes(catalogue, sql.ref<Uint8Array>('search_posting.ids'))} as ids
    from search_posting where block in (${VERSIONS_BLOCK}, ${COUNTS_BLOCK})`.execute(catalogue);
  const blocks = new Map<number, BlockVersion>();
  const counts = new Map<number, number>();
  for (const { block, term, ids } of rows) {
    const version = versionOf(bytesOf(ids));
    if (block === VERSIONS_BLOCK) blocks.set(Number(term), version);
    else counts.set(Number(term), version.version);
  }
  return { blocks, counts };
}

/** Under the lock of the index, so that no two count the same. @param written as it is written */
export async function countWrite(
  transaction: Catalogue,
  block: number,
  written: readonly number[],
): Promise<void> {
  const before = await versionIn(transaction, VERSIONS_BLOCK, block);
  const [one, ...others] = written;
  const latest =
    one === undefined || others.length > 0
      ? []
      : [...before.latest, one % BLOCK_IDS].slice(-LATEST_MAX);
  await write(transaction, VERSIONS_BLOCK, block, { version: before.version + 1, latest });
}

/** The same of counts of swarms, under the lock of those; returns the version that is written now. */
export async function countSwarmsWrite(transaction: Catalogue, block: number): Promise<number> {
  const version = (await versionIn(transaction, COUNTS_BLOCK, block)).version + 1;
  await write(transaction, COUNTS_BLOCK, block, { version, latest: [] });
  return version;
}

async function versionIn(
  transaction: Catalogue,
  kind: number,
  block: number,
): Promise<BlockVersion> {
  const row = await transaction
    .selectFrom('search_posting')
    .select('ids')
    .where('block', '=', kind)
    .where('term', '=', String(block))
    .executeTakeFirst();
  return row === undefined ? UNWRITTEN : versionOf(row.ids);
}

async function write(
  transaction: Catalogue,
  kind: number,
  block: number,
  version: BlockVersion,
): Promise<void> {
  const ids = versionBytes(version);
  await transaction
    .insertInto('search_posting')
    .values({ block: kind, term: String(block), ids })
    .onConflict((conflict) => conflict.columns(['block', 'term']).doUpdateSet({ ids }))
    .execute();
}
