// Reads the rows of the search index, and keeps what was read for the requests that come after. Each block
// of numbers has a version, which whoever writes the block counts up in the same transaction: a set that is
// kept is used as long as its block has the version that it was read with, whichever process writes. The
// versions are read anew for each question, before anything else, so that what is read with a version is at
// least as new.

import { type RawBuilder, sql } from 'kysely';
import { asBytes, bytesOf } from '#sql/dialect.ts';
import { givenList, isOneOf, isOneOfTexts } from '#sql/given-ids.ts';
import { IdBlock } from './id-block.ts';
import { type IndexVersions, readVersions } from './index-versions.ts';
import type { Catalogue } from './search-index.ts';
import { LAST } from './search-vocabulary.ts';

/** All sets of one database that a process keeps, about. */
const KEPT_BYTES_MAX = 48 * 1024 * 1024;
/** What a set takes beside its numbers. */
const ENTRY_BYTES = 250;

type Sets = ReadonlyMap<number, ReadonlyMap<string, IdBlock>>;
type Rows = readonly { readonly block: number; readonly term: string; readonly ids: unknown }[];

/** The index as it is at one question. */
export class Postings {
  /** The last block there is; -1 without one. */
  readonly newest: number;
  readonly versions: IndexVersions;
  readonly #catalogue: Catalogue;
  readonly #kept: KeptSets;

  private constructor(catalogue: Catalogue, versions: IndexVersions) {
    this.#catalogue = catalogue;
    this.#kept = keptOf(catalogue);
    this.versions = versions;
    this.newest = Math.max(-1, ...versions.blocks.keys());
  }

  static async open(catalogue: Catalogue): Promise<Postings> {
    return new Postings(catalogue, await readVersions(catalogue));
  }

  /** By block and term; what has no numbers may be absent. */
  async sets(
    blocks: readonly number[],
    asked: { readonly terms: readonly string[]; readonly beginnings: readonly string[] },
  ): Promise<Sets> {
    const found = new Map(blocks.map((block) => [block, new Map<string, IdBlock>()]));
    if (blocks.length === 0) return found;
    const { terms, beginnings } = asked;
    const missing = { blocks: new Set<number>(), terms: new Set<string>() };
    for (const block of blocks) {
      for (const term of terms) {
        const kept = this.#kept.find(block, term, this.#versionOf(block));
        if (kept !== undefined) {
          found.get(block)?.set(term, kept);
          continue;
        }
        missing.blocks.add(block);
        missing.terms.add(term);
      }
    }
    const [read, ...begun] = await Promise.all([
      this.#read([...missing.blocks], [...missing.terms]),
      ...beginnings.map((beginning) => this.#readBeginning(blocks, beginning)),
    ]);
    const readSets = new Map(read.map((row) => [`${row.block} ${row.term}`, setOf(row)]));
    for (const block of missing.blocks) {
      for (const term of missing.terms) {
        const ids = readSets.get(`${block} ${term}`) ?? IdBlock.empty;
        this.#kept.keep(block, term, { version: this.#versionOf(block), ids });
        found.get(block)?.set(term, ids);
      }
    }
    for (const row of begun.flat()) found.get(row.block)?.set(row.term, setOf(row));
    return found;
  }

  /** A block that nobody has written has no numbers. */
  #versionOf(block: number): number {
    return this.versions.blocks.get(block)?.version ?? 0;
  }

  async #read(blocks: readonly number[], terms: readonly string[]): Promise<Rows> {
    if (blocks.length === 0) return [];
    const catalogue = this.#catalogue;
    const { rows } = await sql<
      Rows[number]
    >`select block, term, ${idsOf(catalogue)} as ids from search_posting
      where ${isOneOf(catalogue, 'block', givenList(catalogue, blocks))}
        and ${isOneOfTexts(catalogue, 'term', terms)}`.execute(catalogue);
    return rows;
  }

  async #readBeginning(blocks: readonly number[], beginning: string): Promise<Rows> {
    const catalogue = this.#catalogue;
    const { rows } = await sql<
      Rows[number]
    >`select block, term, ${idsOf(catalogue)} as ids from search_posting
      where ${isOneOf(catalogue, 'block', givenList(catalogue, blocks))}
        and term >= ${beginning} and term < ${beginning + LAST}`.execute(catalogue);
    return rows;
  }
}

function setOf({ ids }: Rows[number]): IdBlock {
  return IdBlock.read(bytesOf(ids));
}

function idsOf(catalogue: Catalogue): RawBuilder<unknown> {
  return asBytes(catalogue, sql.ref<Uint8Array>('search_posting.ids'));
}

interface KeptSet {
  readonly version: number;
  readonly ids: IdBlock;
}

class KeptSets {
  /** In order of last use; the first is the next to go. */
  readonly #sets = new Map<string, KeptSet>();
  #bytes = 0;

  find(block: number, term: string, version: number): IdBlock | undefined {
    const key = `${block} ${term}`;
    const kept = this.#sets.get(key);
    if (kept === undefined || kept.version !== version) return undefined;
    this.#sets.delete(key);
    this.#sets.set(key, kept);
    return kept.ids;
  }

  keep(block: number, term: string, set: KeptSet): void {
    const key = `${block} ${term}`;
    this.#remove(key);
    this.#sets.set(key, set);
    this.#bytes += bytesFor(set);
    for (const oldest of this.#sets.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX) break;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    const set = this.#sets.get(key);
    if (set === undefined) return;
    this.#sets.delete(key);
    this.#bytes -= bytesFor(set);
  }
}

function bytesFor({ ids }: KeptSet): number {
  return ids.byteLength + ENTRY_BYTES;
}

/** By what reads: a transaction has its own, which ends with it, as it may see what is never committed. */
const KEPT = new WeakMap<Catalogue, KeptSets>();

function keptOf(catalogue: Catalogue): KeptSets {
  const known = KEPT.get(catalogue);
  if (known !== undefined) return known;
  const kept = new KeptSets();
  KEPT.set(catalogue, kept);
  return kept;
}
