import assert from 'node:assert/strict';
import { test } from 'node:test';
import { below, SeededRandom } from '#base/random.ts';
import { insertColumns, type RowColumn } from '#sql/row-columns.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { NO_FILTERS } from './list-filters.ts';
import { listView } from './list-view.ts';
import { indexTorrents } from './search-index.ts';
import { openCatalogue, type TestCatalogue } from './test-catalogue.ts';
import { type ListQuery, listTorrents, type TorrentSort } from './torrent-list.ts';

/** In two blocks of the index, so many that no order is sorted at once where half of them fit. */
const TORRENTS = 6000;
const FIRST_ID = 65_536 - TORRENTS / 2;

const ORDERS = [
  { by: 'added', descending: true },
  { by: 'added', descending: false },
  { by: 'title', descending: false },
  { by: 'seeders', descending: true },
] as const;

interface Made {
  readonly id: number;
  readonly title: string;
  readonly words: readonly string[];
  readonly sizeBytes: number;
  readonly seeders: number;
}

/** `even` is in every second title, `third` in every third description, `rare` in four of all. */
function makeAll(): readonly Made[] {
  const random = new SeededRandom(4);
  return Array.from({ length: TORRENTS }, (_, at) => ({
    id: FIRST_ID + at,
    title: `${at % 2 === 0 ? 'even' : 'odd'} ${below(random, 50)}`,
    words: [...(at % 3 === 0 ? ['third'] : []), ...(at % 1500 === 1 ? ['rare'] : [])],
    sizeBytes: 1000 + below(random, 5),
    seeders: at % 2000 === 7 ? 900 : below(random, 3),
  }));
}

async function fill(world: TestCatalogue, all: readonly Made[]): Promise<void> {
  const numbers = (name: string, of: (made: Made) => number): RowColumn => {
    return { name, type: 'bigint', values: Float64Array.from(all, of) };
  };
  const text = (name: string, of: (made: Made) => string): RowColumn => {
    return { name, type: 'text', values: all.map(of) };
  };
  await world.sql.transaction<never, void>(async (transaction) => {
    await insertColumns(transaction, {
      table: 'torrent',
      columns: [
        numbers('id', ({ id }) => id),
        ...['size_bytes'].map((name) => numbers(name, ({ sizeBytes }) => sizeBytes)),
        numbers('seeders', ({ seeders }) => seeders),
        ...['category_id', 'uploader_id', 'piece_length', 'file_count'].map((name) =>
          numbers(name, () => 1),
        ),
        ...['leechers', 'completed', 'created_ms', 'changed_ms'].map((name) =>
          numbers(name, () => 0),
        ),
        ...['title', 'title_key'].map((name) => text(name, ({ title }) => title)),
        ...['name', 'description', 'source', 'upload_notes', 'removed_reason'].map((name) =>
          text(name, () => ''),
        ),
      ],
    });
    const texts = all.map(({ id, title, words }) => {
      const text = { title, tags: [], categoryId: 1, description: words.join(' '), files: '' };
      return { id, text };
    });
    await indexTorrents(transaction as never, texts);
  });
}

function keyOf(made: Made, by: TorrentSort): string | number {
  return by === 'title'
    ? made.title
    : by === 'size'
      ? made.sizeBytes
      : by === 'seeders'
        ? made.seeders
        : made.id;
}

function expected(all: readonly Made[], query: Partial<ListQuery>): number[] {
  const { by, descending } = query.sort ?? { by: 'added', descending: true };
  const words = (query.words ?? '').split(' ').filter((word) => word !== '');
  const fit = all.filter(
    ({ title, words: others, sizeBytes, seeders }) =>
      words.every((word) => [...title.split(' '), ...others].includes(word)) &&
      sizeBytes >= (query.sizeBytesMin ?? 0) &&
      seeders >= (query.seedersMin ?? 0),
  );
  const order = fit.toSorted((a, b) => {
    const [one, other] = [keyOf(a, by), keyOf(b, by)];
    return one < other ? -1 : one > other ? 1 : a.id - b.id;
  });
  return (descending ? order.reverse() : order).map(({ id }) => id);
}

/** Each with the columns of all torrents in memory, and without. */
const IN_TURN = ORDERS.flatMap((sort) => [
  { sort, memory: {} },
  { sort, memory: { valuesBytesMax: 0 } },
]);

forEachDatabase((name, open) => {
  test(`every order over many torrents shows each that fits once, forwards and back (${name})`, async () => {
    const world = await openCatalogue(open);
    const all = makeAll();
    await fill(world, all);
    const narrowed: Partial<ListQuery>[] = [
      {},
      { words: 'even' },
      { words: 'third even', sizeBytesMin: 1003 },
      { words: 'rare' },
      { words: 'even', seedersMin: 100 },
      { seedersMin: 100 },
      { sizeBytesMin: 1004 },
      { sizeBytesMin: 2000 },
    ];
    const pages = 3;
    for (const narrow of narrowed) {
      for (const { sort, memory } of IN_TURN) {
        const query = { ...narrow, sort, ...memory };
        const wanted = expected(all, query);
        const what = JSON.stringify(query);
        const asked = { words: '', tags: [], rowsMax: 40, ...query };
        let page = await listTorrents(world.sql, asked);
        assert.ok(page.total <= wanted.length, what);
        if (page.isTotalExact) assert.equal(page.total, wanted.length, what);
        const seen = page.rows.map(({ id }) => id);
        let at = 1;
        for (; at < pages && page.nextCursor !== undefined; at++) {
          page = await listTorrents(world.sql, { ...asked, cursor: page.nextCursor });
          seen.push(...page.rows.map(({ id }) => id));
        }
        assert.deepEqual(seen, wanted.slice(0, 40 * pages), what);
        const last = page.rows.map(({ id }) => id);
        if (page.previousCursor === undefined) continue;
        page = await listTorrents(world.sql, { ...asked, cursor: page.previousCursor });
        const before = page.rows.map(({ id }) => id);
        assert.deepEqual([...before, ...last], wanted.slice((at - 2) * 40, at * 40), what);
      }
    }
    await world.sql.close();
  });

  test(`a page that looked at much ends, and the next ones go on where it was left (${name})`, async () => {
    const world = await openCatalogue(open);
    const all = makeAll();
    await fill(world, all);
    for (const sort of ORDERS) {
      const query = { words: 'even', seedersMin: 2, sizeBytesMin: 1004, sort };
      const asked = { tags: [], rowsMax: 40, lookedMax: 100, valuesBytesMax: 0, ...query };
      const wanted = expected(all, query);
      const seen: number[] = [];
      let page = await listTorrents(world.sql, asked);
      for (let short = 0; ; ) {
        seen.push(...page.rows.map(({ id }) => id));
        if (page.nextCursor === undefined) {
          assert.ok(short > 0 || sort.by === 'seeders');
          break;
        }
        if (page.rows.length < 40) short++;
        page = await listTorrents(world.sql, { ...asked, cursor: page.nextCursor });
      }
      assert.deepEqual(seen, wanted, JSON.stringify(sort));
    }
    await world.sql.close();
  });

  test(`the best matches of many are shown first, and those that fit a range also when few do (${name})`, async () => {
    const world = await openCatalogue(open);
    const all = makeAll();
    await fill(world, all);
    for (const memory of [{}, { valuesBytesMax: 0 }]) await bestFirst(world, all, memory);
    await world.sql.close();
  });
});

async function bestFirst(
  world: TestCatalogue,
  all: readonly Made[],
  memory: Partial<ListQuery>,
): Promise<void> {
  const list = async (query: Partial<ListQuery>) =>
    await listTorrents(world.sql, { words: '', tags: [], rowsMax: 40, ...memory, ...query });
  // In a title, "7" is a word of its own; "third" stands in descriptions.
  const best = await list({ words: 'third 7' });
  assert.deepEqual(
    best.rows.map(({ id }) => id),
    expected(all, { words: 'third 7' }).slice(0, 40),
  );
  const even = await list({ words: 'even', seedersMin: 100 });
  const wanted = expected(all, { words: 'even', seedersMin: 100 });
  assert.deepEqual(
    even.rows.map(({ id }) => id),
    wanted,
  );
  const exact = await list({ words: 'rare' });
  assert.deepEqual([exact.total, exact.isTotalExact], [4, true]);
  assert.deepEqual([(await list({})).total, (await list({})).isTotalExact], [TORRENTS, true]);
}

test('a page that ended before anything was found says so and leads on', async () => {
  const list = { total: 0, isTotalExact: false, corrections: [] };
  const page = {
    ...{ filters: { ...NO_FILTERS, seeds: 'none' as const }, rows: [], categories: [] },
    ...{ commonTags: [], searches: [], csrf: '', mayUpload: false, nowMs: 0 },
  };
  const text = String(await listView({ ...page, list: { ...list, nextCursor: 'abc' } }));
  assert.match(text, /None of the torrents that were looked at/);
  assert.match(text, /href="[^"]*seeds=none[^"]*at=abc"/);
  assert.match(String(await listView({ ...page, list })), /Nothing fits all of that/);
});
