// A generated community for the benchmark of the site: torrents, members, tags, files and what members
// moved, from one seed, written in bulk. Words have frequencies as words of a language have (Zipf), so
// that there are some that stand in a third of all torrents and many that stand in one.

import { sql as raw, type Transaction } from 'kysely';
import { below, type Random, SeededRandom } from '#base/random.ts';
import { nameKey } from '#site/catalogue/file-entries.ts';
import { BLOCK_IDS, blockOf } from '#site/catalogue/id-block.ts';
import { indexTorrents } from '#site/catalogue/search-index.ts';
import type { SearchText } from '#site/catalogue/search-terms.ts';
import { sortKey } from '#site/catalogue/search-words.ts';
import { dialectOf } from '#sql/dialect.ts';
import { insertColumns, type RowColumn } from '#sql/row-columns.ts';
import type { Sql } from '#sql/sql.ts';

export interface CommunitySize {
  readonly torrents: number;
  readonly members: number;
  /** Of which each member has a row in the ledger. */
  readonly torrentsPerMember: number;
  readonly seed: number;
  /** "Now": all times lie before it. */
  readonly nowMs: number;
}

const WORDS = 60_000;
const TAGS = 2_000;
const CATEGORIES = 7;
const DAYS = 5 * 365;
const DAY_MS = 86_400_000;
const ENDINGS = ['csv', 'mkv', 'flac', 'pdf', 'iso', 'zip', 'nc', 'txt', 'jpg', 'epub'];

type Tables = Record<string, never>;

export interface Community {
  /** Common ones first. */
  readonly words: readonly string[];
  readonly tags: readonly string[];
}

/** The words alone, which follow from the seed: for queries. */
export function communityWords(seed: number): Community {
  const words = makeWords(new SeededRandom(seed, 1), WORDS);
  return { words, tags: words.slice(50, 50 + TAGS) };
}

/** Fills empty tables, or goes on where it was ended among the torrents. `said` hears of the way. */
export async function fillCommunity(
  sql: Sql,
  size: CommunitySize,
  said: (words: string) => void,
): Promise<void> {
  const { words, tags } = communityWords(size.seed);
  const last = await lastTorrent(sql);
  if (last === 0) await insertMembersAndTags(sql, size, tags);
  // Block by block of the search index, so that each of its rows is written once.
  for (let from = last + 1, through = 0; from <= size.torrents; from = through + 1) {
    through = Math.min(size.torrents, (blockOf(from) + 1) * BLOCK_IDS - 1);
    const random = new SeededRandom(size.seed, 1000 + from);
    const made = makeTorrents(random, { from, through, size, words, tags });
    await sql.transaction<Tables, void>((transaction) => insertTorrents(transaction, made));
    said(`${through} torrents`);
  }
  await sql.transaction<Tables, void>(async (transaction) => {
    await raw`update tag set torrents =
      (select count(*) from torrent_tag where tag_id = tag.id)`.execute(transaction);
  });
  await insertTransfers(sql, size, new SeededRandom(size.seed, 2));
  said('ledger');
  const analyze = sql.dialect === 'sqlite' ? raw`pragma optimize = 0x10002` : raw`analyze`;
  await sql.transaction<Tables, void>(async (transaction) => {
    await analyze.execute(transaction);
  });
}

async function lastTorrent(sql: Sql): Promise<number> {
  const { rows } = await raw<{ last: number | null }>`select max(id) as last from torrent`.execute(
    sql.read<Tables>(),
  );
  return rows[0]?.last ?? 0;
}

async function insertMembersAndTags(
  sql: Sql,
  size: CommunitySize,
  tags: readonly string[],
): Promise<void> {
  await sql.transaction<Tables, void>(async (transaction) => {
    await insertMembers(transaction, size);
    await insertColumns(transaction, {
      table: 'tag',
      columns: [
        numbers('id', tags, (_, at) => at + 1),
        { name: 'name', type: 'text', values: tags },
        numbers('torrents', tags, () => 0),
      ],
    });
  });
}

interface MadeTorrent {
  readonly id: number;
  readonly text: SearchText;
  readonly tagIds: readonly number[];
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  readonly category: number;
  readonly uploader: number;
  readonly seeders: number;
  readonly leechers: number;
  readonly createdMs: number;
}

function makeTorrents(
  random: Random,
  of: {
    readonly from: number;
    readonly through: number;
    readonly size: CommunitySize;
    readonly words: readonly string[];
    readonly tags: readonly string[];
  },
): readonly MadeTorrent[] {
  const { size, words, tags } = of;
  const some = (from: number, more: number): string =>
    Array.from({ length: from + below(random, more) }, () => words[zipf(random, WORDS)]).join(' ');
  const made: MadeTorrent[] = [];
  for (let id = of.from; id <= of.through; id++) {
    const year = 1990 + below(random, 36);
    const title = `${some(2, 5)} ${year}`;
    const tagIds = [...new Set([0, 1, 2].slice(below(random, 3)).map(() => zipf(random, TAGS)))];
    const ending = ENDINGS[below(random, ENDINGS.length)];
    const paths = Array.from(
      { length: 1 + below(random, 3) },
      (_, at) => `${some(1, 3).replaceAll(' ', '_')}-x${id.toString(36)}.${at}.${ending}`,
    );
    const category = 1 + Math.min(below(random, CATEGORIES), below(random, CATEGORIES));
    const seeders = Math.floor(2 ** (below(random, 1100) / 100)) - 1;
    made.push({
      id,
      text: {
        categoryId: category,
        title,
        tags: tagIds.map((tag) => tags[tag] ?? ''),
        description: some(8, 40),
        files: paths.join(' '),
      },
      tagIds: tagIds.map((tag) => tag + 1),
      paths,
      sizeBytes: Math.floor(2 ** (16 + below(random, 24_000) / 1000)),
      category,
      uploader: 1 + zipf(random, size.members),
      seeders,
      leechers: below(random, seeders + 2),
      createdMs: size.nowMs - Math.floor((1 - id / size.torrents) * DAYS * DAY_MS),
    });
  }
  return made;
}

async function insertTorrents(
  transaction: Transaction<Tables>,
  made: readonly MadeTorrent[],
): Promise<void> {
  const text = (name: string, of: (torrent: MadeTorrent) => string): RowColumn => ({
    name,
    type: 'text',
    values: made.map(of),
  });
  await insertColumns(transaction, {
    table: 'torrent',
    columns: [
      numbers('id', made, ({ id }) => id),
      text('name', ({ paths }) => paths[0] ?? ''),
      text('title', (torrent) => torrent.text.title),
      text('title_key', (torrent) => sortKey(torrent.text.title)),
      text('description', (torrent) => torrent.text.description),
      numbers('category_id', made, ({ category }) => category),
      numbers('uploader_id', made, ({ uploader }) => uploader),
      text('source', () => 'Swarmkeep'),
      text('upload_notes', () => ''),
      numbers('piece_length', made, () => 1 << 20),
      numbers('size_bytes', made, ({ sizeBytes }) => sizeBytes),
      numbers('file_count', made, ({ paths }) => paths.length),
      numbers('seeders', made, ({ seeders }) => seeders),
      numbers('leechers', made, ({ leechers }) => leechers),
      numbers('completed', made, ({ seeders }) => seeders * 3),
      numbers('created_ms', made, ({ createdMs }) => createdMs),
      numbers('changed_ms', made, ({ createdMs }) => createdMs),
      text('removed_reason', () => ''),
    ],
  });
  await nameHashes(transaction, made);
  const files = made.flatMap(({ id, paths, sizeBytes }) =>
    paths.map((path, position) => ({ id, path, position, bytes: sizeBytes / paths.length })),
  );
  await insertColumns(transaction, {
    table: 'torrent_entry',
    columns: [
      numbers('torrent_id', files, ({ id }) => id),
      numbers('position', files, ({ position }) => position),
      { name: 'path', type: 'text', values: files.map(({ path }) => path) },
      numbers('file_count', files, () => 1),
      numbers('size_bytes', files, ({ bytes }) => Math.floor(bytes)),
      numbers('parent', files, () => -1),
      numbers('name_key', files, ({ path }) => nameKey(path)),
    ],
  });
  const tagged = made.flatMap(({ id, tagIds }) => tagIds.map((tag) => ({ id, tag })));
  await insertColumns(transaction, {
    table: 'torrent_tag',
    columns: [
      numbers('torrent_id', tagged, ({ id }) => id),
      numbers('tag_id', tagged, ({ tag }) => tag),
    ],
  });
  await indexTorrents(
    transaction as never,
    made.map(({ id, text: texts }) => ({ id, text: texts })),
  );
}

/** Info hashes that follow from the id, as `hashOf` says them. */
async function nameHashes(
  transaction: Transaction<Tables>,
  made: readonly MadeTorrent[],
): Promise<void> {
  const [first, last] = [made[0]?.id ?? 0, made.at(-1)?.id ?? 0];
  const hash =
    dialectOf(transaction) === 'postgres'
      ? raw`decode(lpad(to_hex((id * 2654435761) % 4294967296), 8, '0') || lpad(to_hex(id), 32, '0'), 'hex')`
      : raw`unhex(printf('%08x%032x', (id * 2654435761) % 4294967296, id))`;
  await raw`update torrent set info_hash_v1 = ${hash}
    where id between ${first} and ${last}`.execute(transaction);
}

export function hashOf(id: number): string {
  const mixed = (BigInt(id) * 2_654_435_761n) % 4_294_967_296n;
  return mixed.toString(16).padStart(8, '0') + id.toString(16).padStart(32, '0');
}

async function insertMembers(
  transaction: Transaction<Tables>,
  { members, nowMs }: CommunitySize,
): Promise<void> {
  const all = Array.from({ length: members }, (_, at) => at + 1);
  const text = (name: string, of: (id: number) => string): RowColumn => ({
    name,
    type: 'text',
    values: all.map(of),
  });
  await insertColumns(transaction, {
    table: 'member',
    columns: [
      numbers('id', all, (id) => id),
      text('name', (id) => `member-${id}`),
      text('name_key', (id) => `member-${id}`),
      text('role', () => 'member'),
      text('state', () => 'active'),
      text('reason', () => ''),
      numbers('created_ms', all, () => nowMs - 1000 * DAY_MS),
    ],
  });
  await insertColumns(transaction, {
    table: 'member_key',
    columns: [
      text('passkey', (id) => `bench-passkey-of-member-${id}`),
      numbers('member_id', all, (id) => id),
      numbers('created_ms', all, () => nowMs - 1000 * DAY_MS),
    ],
  });
}

async function insertTransfers(sql: Sql, size: CommunitySize, random: Random): Promise<void> {
  const { torrents, members, torrentsPerMember, nowMs } = size;
  const sums = ['credited_uploaded_bytes', 'credited_downloaded_bytes', 'seed_seconds', 'records'];
  for (let member = 1; member <= members; member += 50) {
    const rows: { readonly member: number; readonly torrent: number; readonly bytes: number }[] =
      [];
    for (let of = member; of < Math.min(members + 1, member + 50); of++) {
      const had = new Set<number>();
      while (had.size < Math.min(torrentsPerMember, torrents / 2)) {
        had.add(1 + below(random, torrents));
      }
      for (const torrent of [...had].sort((a, b) => a - b)) {
        rows.push({ member: of, torrent, bytes: below(random, 2 ** 31) });
      }
    }
    await sql.transaction<Tables, void>((transaction) =>
      insertColumns(transaction, {
        table: 'ledger_transfer',
        columns: [
          numbers('member_id', rows, (row) => row.member),
          numbers('torrent_id', rows, (row) => row.torrent),
          numbers('uploaded_bytes', rows, (row) => row.bytes),
          numbers('downloaded_bytes', rows, (row) => Math.floor(row.bytes / 3)),
          ...sums.map((name) => numbers(name, rows, () => 5_000)),
          numbers('first_seen_ms', rows, () => nowMs - 100 * DAY_MS),
          numbers('last_seen_ms', rows, () => nowMs - DAY_MS),
          numbers('completed_ms', rows, (row) => (row.bytes % 3 > 0 ? nowMs - 90 * DAY_MS : 0)),
          numbers('left_bytes', rows, (row) => (row.bytes % 3 > 0 ? 0 : 1)),
          { name: 'client', type: 'text', values: rows.map(() => '-TR4060-') },
        ],
      }),
    );
  }
  await sql.transaction<Tables, void>(async (transaction) => {
    await raw`insert into ledger_member (member_id, uploaded_bytes, downloaded_bytes,
        credited_uploaded_bytes, credited_downloaded_bytes, seed_seconds, records, completed,
        first_seen_ms, last_seen_ms)
      select member_id, cast(sum(uploaded_bytes) as bigint), cast(sum(downloaded_bytes) as bigint),
        cast(sum(credited_uploaded_bytes) as bigint), cast(sum(credited_downloaded_bytes) as bigint),
        cast(sum(seed_seconds) as bigint), count(*), count(*), min(first_seen_ms), max(last_seen_ms)
      from ledger_transfer group by member_id`.execute(transaction);
  });
}

function numbers<Row>(
  name: string,
  rows: readonly Row[],
  of: (row: Row, at: number) => number,
): RowColumn {
  return { name, type: 'bigint', values: Float64Array.from(rows, of) };
}

/** 0 to `count` - 1; each with a chance that falls as one by its place. */
export function zipf(random: Random, count: number): number {
  const uniform = random.u32() / 2 ** 32;
  return Math.min(count - 1, Math.floor((count + 1) ** uniform) - 1);
}

function makeWords(random: Random, count: number): string[] {
  const starts = 'b c d f g h k l m n p r s t v w br cl dr fl gr pl pr sk st tr'.split(' ');
  const middles = 'a e i o u ai ea io ou'.split(' ');
  const ends = ['', '', 'n', 'r', 's', 't', 'l', 'm', 'nd', 'st'];
  const pick = (of: readonly string[]): string => of[below(random, of.length)] ?? '';
  const words = new Set<string>();
  while (words.size < count) {
    const syllables = 1 + below(random, 3);
    let word = '';
    for (let at = 0; at <= syllables; at++) word += pick(starts) + pick(middles);
    words.add(word + pick(ends));
  }
  return [...words];
}
