// What lists are narrowed and ordered by, of all torrents, in memory: for each block of their numbers and
// each column that was asked for a number for each torrent. So a list that is narrowed by three filters and
// put in an order touches the rows of one page only. docs/decisions/0035 tells why, with numbers.
//
// A block is read when it is first needed. What is written of torrents is known by the version of their block
// (index-versions.ts): of one that was written since, the torrents that were are read again, or all of it
// when those are too many. Counts of swarms, which pages show living and lists are only ordered by, are
// put right by whoever saves them in this process; saved by another, they are read again in the background.

import { type RawBuilder, sql } from 'kysely';
import { utf8 } from '#base/bytes.ts';
import { asNumbers, indexedBy, numbersOf } from '#sql/dialect.ts';
import { givenList, isOneOf } from '#sql/given-ids.ts';
import { BLOCK_IDS } from './id-block.ts';
import type { IndexVersions } from './index-versions.ts';
import type { Catalogue } from './search-index.ts';

/** `title`: the beginning of its sort key; titles that have the same are told apart by the database. */
export type ValueColumn =
  | 'created'
  | 'size'
  | 'files'
  | 'seeders'
  | 'leechers'
  | 'completed'
  | 'title';

/** Bytes of a sort key that make its number: the most that a number has room for. */
const TITLE_BYTES = 6;

const COLUMNS: Readonly<Record<ValueColumn, string>> = {
  created: 'created_ms',
  size: 'size_bytes',
  files: 'file_count',
  seeders: 'seeders',
  leechers: 'leechers',
  completed: 'completed',
  title: 'title_key',
};
const SWARM_COLUMNS: ReadonlySet<ValueColumn> = new Set(['seeders', 'leechers', 'completed']);

/** 2.3 million torrents with all columns. Of more, the database is asked for each list. */
export const VALUES_BYTES_MAX = 128 * 1024 * 1024;
const BLOCK_BYTES = Object.keys(COLUMNS).length * BLOCK_IDS * Float64Array.BYTES_PER_ELEMENT;

/** As statements name it. */
export function columnName(column: ValueColumn): string {
  return `torrent.${COLUMNS[column]}`;
}

interface Kept {
  /** Of its block, as of when it was read. */
  version: number;
  /** Of the counts of its block; it says nothing of other columns. */
  counts: number;
  readonly values: Float64Array;
}

/** By what reads: as the sets of the index are kept (search-postings.ts). */
class KeptValues {
  /** By block and column. */
  readonly kept = new Map<string, Kept>();
  readonly reading = new Map<string, { readonly version: number; readonly done: Promise<Kept> }>();
}

const KEPT = new WeakMap<Catalogue, KeptValues>();

/** The values as they are at one question. */
export class TorrentValues {
  readonly #catalogue: Catalogue;
  readonly #versions: IndexVersions;
  readonly #all: KeptValues;

  private constructor(catalogue: Catalogue, versions: IndexVersions) {
    this.#catalogue = catalogue;
    this.#versions = versions;
    this.#all = keptOf(catalogue);
  }

  /** Undefined when all of them may take more than `bytesMax`. */
  static of(
    catalogue: Catalogue,
    versions: IndexVersions,
    bytesMax = VALUES_BYTES_MAX,
  ): TorrentValues | undefined {
    const newest = Math.max(-1, ...versions.blocks.keys());
    if ((newest + 1) * BLOCK_BYTES > bytesMax) return undefined;
    return new TorrentValues(catalogue, versions);
  }

  /** Of each column the value of each number of the block; 0 where there is no torrent. */
  async block(block: number, columns: readonly ValueColumn[]): Promise<readonly Float64Array[]> {
    const kept = columns.map((column) => this.#known(block, column));
    if (kept.every((one) => one !== undefined)) return kept.map(({ values }) => values);
    const all = await Promise.all(columns.map((column) => this.#find(block, column)));
    return all.map(({ values }) => values);
  }

  /** What is there already and as it should be. */
  #known(block: number, column: ValueColumn): Kept | undefined {
    const kept = this.#all.kept.get(keyOf(block, column));
    if (kept === undefined || kept.version < this.#versionOf(block)) return undefined;
    if (SWARM_COLUMNS.has(column) && kept.counts < this.#countsOf(block)) {
      // Whoever asks next finds them, or, should this fail, tries again.
      this.#read(block, column).catch(() => undefined);
    }
    return kept;
  }

  async #find(block: number, column: ValueColumn): Promise<Kept> {
    const known = this.#known(block, column);
    if (known !== undefined) return known;
    const kept = this.#all.kept.get(keyOf(block, column));
    const { version, latest } = this.#versions.blocks.get(block) ?? { version: 0, latest: [] };
    const behind = kept === undefined ? Number.POSITIVE_INFINITY : version - kept.version;
    if (kept === undefined || behind > latest.length) return await this.#read(block, column);
    const ids = [...new Set(latest.slice(-behind))].map((number) => block * BLOCK_IDS + number);
    const given = givenList(this.#catalogue, ids);
    const read = await this.#numbers(column, isOneOf(this.#catalogue, 'id', given));
    // Somebody who came later was sooner.
    if (kept.version >= version) return kept;
    for (const [at, id] of read.ids.entries()) kept.values[id % BLOCK_IDS] = read.values[at] ?? 0;
    kept.version = version;
    return kept;
  }

  /** All of a block; those who want the same wait for one reading. */
  #read(block: number, column: ValueColumn): Promise<Kept> {
    const key = keyOf(block, column);
    const { reading, kept } = this.#all;
    const version = this.#versionOf(block);
    const running = reading.get(key);
    if (running !== undefined && running.version >= version) return running.done;
    const done = this.#readAll(block, column).then((read) => {
      const other = kept.get(key);
      if (other === undefined || other.version <= read.version) kept.set(key, read);
      return read;
    });
    const entry = { version, done };
    reading.set(key, entry);
    const end = (): void => {
      if (reading.get(key) === entry) reading.delete(key);
    };
    void done.then(end, end);
    return done;
  }

  async #readAll(block: number, column: ValueColumn): Promise<Kept> {
    const first = block * BLOCK_IDS;
    const id = sql.ref('id');
    const read = await this.#numbers(
      column,
      sql`${id} >= ${first} and ${id} < ${first + BLOCK_IDS}`,
    );
    const values = new Float64Array(BLOCK_IDS);
    for (let at = 0; at < read.ids.length; at++) values[read.ids[at]! - first] = read.values[at]!;
    return { version: this.#versionOf(block), counts: this.#countsOf(block), values };
  }

  async #numbers(
    column: ValueColumn,
    where: RawBuilder<unknown>,
  ): Promise<{ readonly ids: readonly number[]; readonly values: readonly number[] }> {
    const catalogue = this.#catalogue;
    const name = sql.ref<number>(COLUMNS[column]);
    const index = column === 'title' ? 'torrent_titled' : 'torrent_listed';
    // Six characters are six bytes or more.
    const value = column === 'title' ? sql<number>`substr(${name}, 1, ${TITLE_BYTES})` : name;
    const { rows } = await sql<{ ids: unknown; found: unknown }>`
      select ${asNumbers(catalogue, sql.ref<number>('id'))} as ids,
        ${asNumbers(catalogue, value)} as found
      from torrent ${indexedBy(catalogue, index)} where ${where}`.execute(catalogue);
    const found: readonly unknown[] = numbersOf(rows[0]?.found);
    const values = column === 'title' ? (found as readonly string[]).map(titleNumber) : found;
    return { ids: numbersOf(rows[0]?.ids), values: values as readonly number[] };
  }

  #versionOf(block: number): number {
    return this.#versions.blocks.get(block)?.version ?? 0;
  }

  #countsOf(block: number): number {
    return this.#versions.counts.get(block) ?? 0;
  }
}

/** Orders as sort keys do, as far as its first bytes tell them apart. */
export function titleNumber(sortKey: string): number {
  let value = 0;
  for (let at = 0; at < TITLE_BYTES; at++) {
    const code = at < sortKey.length ? sortKey.charCodeAt(at) : 0;
    if (code > 0x7f) return bytesNumber(utf8(sortKey.slice(0, TITLE_BYTES)));
    value = value * 256 + code;
  }
  return value;
}

function bytesNumber(bytes: Uint8Array): number {
  let value = 0;
  for (let at = 0; at < TITLE_BYTES; at++) value = value * 256 + (bytes[at] ?? 0);
  return value;
}

export interface SavedCounts {
  readonly id: number;
  readonly seeders: number;
  readonly leechers: number;
  readonly completed: number;
}

/** What was saved for torrents of one block, once it is committed. `version` is what the block has now. */
export function noteSavedCounts(
  catalogue: Catalogue,
  saved: {
    readonly block: number;
    readonly version: number;
    readonly counts: readonly SavedCounts[];
  },
): void {
  const all = KEPT.get(catalogue);
  if (all === undefined) return;
  for (const column of ['seeders', 'leechers', 'completed'] as const) {
    const kept = all.kept.get(keyOf(saved.block, column));
    // Somebody else saved in between: all of it is read again.
    if (kept === undefined || kept.counts !== saved.version - 1) continue;
    for (const counts of saved.counts) kept.values[counts.id % BLOCK_IDS] = counts[column];
    kept.counts = saved.version;
  }
}

function keyOf(block: number, column: ValueColumn): string {
  return `${block} ${column}`;
}

function keptOf(catalogue: Catalogue): KeptValues {
  const known = KEPT.get(catalogue);
  if (known !== undefined) return known;
  const kept = new KeptValues();
  KEPT.set(catalogue, kept);
  return kept;
}
