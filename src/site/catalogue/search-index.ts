// The search index: for each term (search-terms.ts) the set of torrents that have it, in blocks of
// numbers (id-block.ts), as rows of a table. It is the same on both databases, written in the transaction
// that writes what it is of, and read by search-matches.ts. docs/decisions/0030 tells why it is our own.

import { type Kysely, sql } from 'kysely';
import { lockForTransaction } from '#sql/dialect.ts';
import { insertColumns } from '#sql/row-columns.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { BLOCK_IDS, blockOf, IdBlock } from './id-block.ts';
import { countWrite } from './index-versions.ts';
import { type SearchText, termsOf } from './search-terms.ts';
import { addWords } from './search-vocabulary.ts';
import { storedTexts } from './stored-texts.ts';

/** A transaction or, for reading, the database. */
export type Catalogue = Kysely<CatalogueTables>;

const TERMS_AT_ONCE = 500;

/**
 * Whoever writes the index waits here for whoever writes it now, since they write the same rows. Taken
 * before anything else that a transaction waits for, so that no two wait for each other.
 */
export async function lockSearchIndex(transaction: Catalogue): Promise<void> {
  await lockForTransaction(transaction, 'searchIndex');
}

/** Puts a torrent's words in, as they stand in the database. */
export async function indexTorrent(transaction: Catalogue, torrentId: number): Promise<void> {
  await indexTorrents(transaction, await storedTexts(transaction, [torrentId]));
}

/** Takes a torrent's words out, as they stand in the database: before they are changed there. */
export async function unindexTorrent(transaction: Catalogue, torrentId: number): Promise<void> {
  for (const { id, text } of await storedTexts(transaction, [torrentId])) {
    const number = IdBlock.of([id % BLOCK_IDS]);
    await changeTerms(transaction, {
      block: blockOf(id),
      ids: [id],
      terms: [...termsOf(text).terms],
      change: (_, before) => before.without(number),
    });
  }
}

/** Adds what is not there yet; doing it twice is doing it once. */
export async function indexTorrents(
  transaction: Catalogue,
  torrents: readonly { readonly id: number; readonly text: SearchText }[],
): Promise<void> {
  if (torrents.length === 0) return;
  await lockSearchIndex(transaction);
  const vocabulary = new Set<string>();
  const blocks = new Map<number, Map<string, number[]>>();
  for (const { id, text } of torrents) {
    const { terms, words } = termsOf(text);
    for (const word of words) vocabulary.add(word);
    const lists = blocks.get(blockOf(id)) ?? new Map<string, number[]>();
    blocks.set(blockOf(id), lists);
    for (const term of terms) {
      const list = lists.get(term);
      if (list === undefined) lists.set(term, [id % BLOCK_IDS]);
      else list.push(id % BLOCK_IDS);
    }
  }
  for (const [block, lists] of blocks) {
    await changeTerms(transaction, {
      ...{ block, terms: [...lists.keys()] },
      ids: torrents.map(({ id }) => id).filter((id) => blockOf(id) === block),
      change: (term, before) => IdBlock.union([before, IdBlock.of(lists.get(term) ?? [])]),
    });
  }
  await addWords(transaction, vocabulary);
}

async function changeTerms(
  transaction: Catalogue,
  of: {
    readonly block: number;
    /** Torrents of the block whose terms they are. */
    readonly ids: readonly number[];
    readonly terms: readonly string[];
    readonly change: (term: string, before: IdBlock) => IdBlock;
  },
): Promise<void> {
  const { block, change } = of;
  // In the table's own order, which is a third of the work where there are many.
  const all = of.terms.toSorted();
  for (let at = 0; at < all.length; at += TERMS_AT_ONCE) {
    const terms = all.slice(at, at + TERMS_AT_ONCE);
    const before = await transaction
      .selectFrom('search_posting')
      .select(['term', 'ids'])
      .where('block', '=', block)
      .where('term', 'in', terms)
      .execute();
    const known = new Map(before.map(({ term, ids }) => [term, IdBlock.read(ids)]));
    const changed = terms.map((term) => ({
      term,
      ids: change(term, known.get(term) ?? IdBlock.empty),
    }));
    await writeBlocks(
      transaction,
      block,
      changed.filter(({ ids }) => ids.count > 0),
    );
    const empty = changed.filter(({ term, ids }) => ids.count === 0 && known.has(term));
    if (empty.length > 0) await deleteTerms(transaction, block, empty);
  }
  await countWrite(transaction, block, of.ids);
}

async function writeBlocks(
  transaction: Catalogue,
  block: number,
  sets: readonly { readonly term: string; readonly ids: IdBlock }[],
): Promise<void> {
  await insertColumns(transaction, {
    table: 'search_posting',
    columns: [
      { name: 'block', type: 'bigint', values: new Float64Array(sets.length).fill(block) },
      { name: 'term', type: 'text', values: sets.map(({ term }) => term) },
      { name: 'ids', type: 'bytes', values: sets.map(({ ids }) => ids.bytes()) },
    ],
    onConflict: '(block, term) do update set ids = excluded.ids',
  });
}

async function deleteTerms(
  transaction: Catalogue,
  block: number,
  empty: readonly { readonly term: string }[],
): Promise<void> {
  await sql`delete from search_posting where block = ${block}
    and term in (${sql.join(empty.map(({ term }) => term))})`.execute(transaction);
}
