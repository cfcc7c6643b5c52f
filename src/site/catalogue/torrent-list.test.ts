import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { Refusal } from '#site/refusal.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { commonTags, listCategories } from './categories.ts';
import { saveSwarmCounts } from './swarm-readings.ts';
import { makeTorrent, openCatalogue, type TestCatalogue } from './test-catalogue.ts';
import { type ListQuery, listTorrents, type TorrentSort } from './torrent-list.ts';
import { addTorrent, removeTorrent } from './torrents.ts';

const DAY_MS = 86_400_000;

interface Some {
  readonly title: string;
  readonly category?: string;
  readonly tags?: readonly string[];
  readonly description?: string;
  readonly files?: Readonly<Record<string, number>>;
}

async function fill(world: TestCatalogue, all: readonly Some[]): Promise<number[]> {
  const ids: number[] = [];
  for (const [at, one] of all.entries()) {
    const { title, category = 'books', tags = [], description = '' } = one;
    const files = one.files ?? { 'a.bin': 1000 + at };
    const bytes = await makeTorrent({ name: `n${at}`, seed: at + 1, files });
    const result = await addTorrent(world, {
      bytes,
      uploaderId: 1,
      title,
      category,
      tags,
      description,
    });
    assert.ok(!(result instanceof Refusal) && result.kind === 'added');
    ids.push(result.torrent.id);
  }
  return ids;
}

async function titles(world: TestCatalogue, query: Partial<ListQuery>): Promise<string[]> {
  const { rows } = await listTorrents(world.sql, { words: '', tags: [], rowsMax: 50, ...query });
  return rows.map((row) => row.title);
}

forEachDatabase((name, open) => {
  test(`${name}: the search looks at titles, tags, descriptions and file names, titles first`, async () => {
    const world = await openCatalogue(open);
    await fill(world, [
      { title: 'Glacier survey', description: 'Ice of the **Ötztal** Alps', tags: ['lidar'] },
      { title: 'Alpine flora', files: { 'glacier/ice_plants.csv': 10 } },
      { title: '東京の地図', category: 'datasets', description: 'maps' },
      { title: 'Something else', description: 'O\'Neill & sons: 100% "quoted" (really) *' },
    ]);
    assert.deepEqual(await titles(world, { words: 'glacier' }), ['Glacier survey', 'Alpine flora']);
    assert.deepEqual(await titles(world, { words: 'OTZTAL alp' }), ['Glacier survey']);
    assert.deepEqual(await titles(world, { words: 'lidar' }), ['Glacier survey']);
    assert.deepEqual(await titles(world, { words: 'plants.csv' }), ['Alpine flora']);
    assert.deepEqual(await titles(world, { words: '京' }), ['東京の地図']);
    assert.deepEqual(await titles(world, { words: 'glacier flora survey' }), []);
    for (const words of [
      '"',
      "'",
      "o'neill",
      'a & b | !c',
      '*:',
      '\\',
      "' or 1=1 --",
      'NEAR(',
      '((',
      '\0x',
    ]) {
      await titles(world, { words });
    }
    assert.deepEqual(await titles(world, { words: "O'NEILL quoted" }), ['Something else']);
    assert.equal((await titles(world, { words: '!!!' })).length, 4);
    await world.sql.close();
  });

  test(`S10: a mistyped word finds what it nearly says, in titles, tags, descriptions and file names (${name})`, async () => {
    const world = await openCatalogue(open);
    await fill(world, [
      { title: 'Glacier survey', description: 'Measurements of the Ötztal', tags: ['lidar'] },
      { title: 'Flora', files: { 'herbarium/edelweiss.csv': 10 } },
      { title: 'Glazier' },
    ]);
    const found = async (words: string) => {
      const { rows, corrections } = await listTorrents(world.sql, { words, tags: [], rowsMax: 9 });
      return [...rows.map((row) => row.title), ...corrections.flatMap(({ read }) => read)];
    };
    assert.deepEqual(await found('galcier'), ['Glacier survey', 'glacier']);
    assert.deepEqual(await found('glacer survey'), ['Glacier survey', 'glacier']);
    assert.deepEqual(await found('edelwess'), ['Flora', 'edelweiss']);
    assert.deepEqual(await found('hebrarum'), ['Flora', 'herbarium']);
    assert.deepEqual(await found('meaurments'), ['Glacier survey', 'measurements']);
    assert.deepEqual(await found('lidra'), ['Glacier survey', 'lidar']);
    // Two words are as near as each other: both.
    assert.deepEqual(await found('glaxier'), ['Glazier', 'Glacier survey', 'glacier', 'glazier']);
    // What is there, or begins a word that is, is not read as something else.
    assert.deepEqual(await found('glacier'), ['Glacier survey']);
    assert.deepEqual(await found('edelw'), ['Flora']);
    assert.deepEqual(await found('xyzzyquux'), []);
    assert.deepEqual(await found('flo'), ['Flora']);
    await world.sql.close();
  });

  test(`S10: size, age, seeders and the reader's own state narrow the list (${name})`, async () => {
    const world = await openCatalogue(open);
    const ids = await fill(world, [
      { title: 'small', files: { 'a.bin': 1000 } },
      { title: 'large', files: { 'a.bin': 50_000 }, tags: ['x'] },
    ]);
    world.clock.advance(DAY_MS);
    ids.push(...(await fill(world, [{ title: 'later', files: { 'b.bin': 2000 }, tags: ['x'] }])));
    const counts = new Map([[ids[1], { seeders: 6, leechers: 0, completed: 0 }]]);
    await saveSwarmCounts(world.sql, { counts: (id) => counts.get(id) });
    for (const query of [
      {},
      { sort: { by: 'size', descending: true } as const },
      { words: 'bin' },
      { words: 'bin', sort: { by: 'added', descending: true } as const },
    ]) {
      const narrowed = async (more: Partial<ListQuery>): Promise<string> =>
        (await titles(world, { ...query, ...more })).sort().join(' ');
      assert.equal(await narrowed({ sizeBytesMin: 2000 }), 'large later');
      assert.equal(await narrowed({ sizeBytesMin: 1500, sizeBytesMax: 2000 }), 'later');
      assert.equal(await narrowed({ createdMsMin: world.clock.nowMs() - 1 }), 'later');
      assert.equal(await narrowed({ seedersMin: 5 }), 'large');
      assert.equal(await narrowed({ seedersMax: 0, tags: ['x'] }), 'later');
      const mine = { memberId: 7, seeding: [ids[0]!], leeching: [ids[1]!] };
      assert.equal(await narrowed({ mine: { ...mine, kind: 'seeding' } }), 'small');
      assert.equal(await narrowed({ mine: { ...mine, kind: 'leeching' } }), 'large');
      assert.equal(await narrowed({ mine: { ...mine, kind: 'never' } }), 'later');
      assert.equal(await narrowed({ mine: { ...mine, kind: 'had' } }), 'small');
      assert.equal(await narrowed({ mine: { ...mine, seeding: [], kind: 'seeding' } }), '');
    }
    const { total } = await listTorrents(world.sql, {
      ...{ words: 'bin', tags: [], rowsMax: 5, sizeBytesMin: 1500 },
    });
    assert.equal(total, 2);
    await world.sql.close();
  });

  test(`${name}: category and tags narrow the list, several tags together`, async () => {
    const world = await openCatalogue(open);
    await fill(world, [
      { title: 'one', tags: ['a', 'b'], category: 'audio' },
      { title: 'two', tags: ['a'], category: 'audio' },
      { title: 'three', tags: ['a', 'b'] },
    ]);
    assert.deepEqual(await titles(world, { tags: ['a', 'b'] }), ['three', 'one']);
    assert.deepEqual(await titles(world, { category: 'audio', tags: ['b'] }), ['one']);
    assert.deepEqual(await titles(world, { category: 'audio', words: 'two' }), ['two']);
    assert.deepEqual(await titles(world, { category: 'nonsense' }), []);
    assert.deepEqual(await titles(world, { tags: ['nonsense'] }), []);
    assert.deepEqual(await commonTags(world.sql, 1), [{ name: 'a', torrents: 3 }]);
    const slugs = (await listCategories(world.sql)).map((one) => one.slug);
    assert.deepEqual(slugs, ['datasets', 'software', 'video', 'audio', 'books', 'images', 'other']);
    await world.sql.close();
  });

  test(`${name}: every order is stable over pages, forwards and back, while torrents are added`, async () => {
    const world = await openCatalogue(open);
    const random = new SeededRandom(7);
    const some = Array.from({ length: 23 }, (_, at) => ({
      title: ['Élan', 'elbow', 'ELM', 'Zoo', 'apple'][at % 5] ?? '',
      files: { 'a.bin': 1000 + (at % 4), ...(at % 3 === 0 ? { 'b.bin': 5 } : {}) },
    }));
    const ids = await fill(world, some);
    const counts = new Map(
      ids.map((id) => [
        id,
        { seeders: random.u32() % 3, leechers: random.u32() % 3, completed: random.u32() % 3 },
      ]),
    );
    assert.ok((await saveSwarmCounts(world.sql, { counts: (id) => counts.get(id) })) > 0);
    assert.equal(await saveSwarmCounts(world.sql, { counts: (id) => counts.get(id) }), 0);
    const sorts: TorrentSort[] = [
      'added',
      'title',
      'size',
      'files',
      'seeders',
      'leechers',
      'completed',
    ];
    for (const by of sorts) {
      for (const descending of [true, false]) {
        const query = { words: '', tags: [], rowsMax: 5, sort: { by, descending } };
        const all = await listTorrents(world.sql, { ...query, rowsMax: 50 });
        assert.equal(all.rows.length, 23);
        assert.equal(all.nextCursor, undefined);
        const seen: number[] = [];
        let page = await listTorrents(world.sql, query);
        assert.equal(page.previousCursor, undefined);
        const backwards: number[][] = [];
        for (;;) {
          seen.push(...page.rows.map((row) => row.id));
          backwards.unshift(page.rows.map((row) => row.id));
          if (page.nextCursor === undefined) break;
          page = await listTorrents(world.sql, { ...query, cursor: page.nextCursor });
        }
        assert.deepEqual(
          seen,
          all.rows.map((row) => row.id),
          by,
        );
        const back = [page.rows.map((row) => row.id)];
        while (page.previousCursor !== undefined) {
          page = await listTorrents(world.sql, { ...query, cursor: page.previousCursor });
          back.push(page.rows.map((row) => row.id));
        }
        assert.deepEqual(back.flat().sort(), seen.toSorted());
        assert.equal(back.length, backwards.length);
      }
    }
    const first = await listTorrents(world.sql, { words: '', tags: [], rowsMax: 5 });
    await fill(world, [{ title: 'new', files: { 'z.bin': 77_777 } }]);
    assert.ok(first.nextCursor !== undefined);
    const second = await listTorrents(world.sql, {
      words: '',
      tags: [],
      rowsMax: 5,
      cursor: first.nextCursor,
    });
    assert.deepEqual(
      second.rows.map((row) => row.id),
      ids.toReversed().slice(5, 10),
    );
    await world.sql.close();
  });

  test(`${name}: best-first pages go through all matches once, and removed torrents are not among them`, async () => {
    const world = await openCatalogue(open);
    const ids = await fill(
      world,
      Array.from({ length: 12 }, (_, at) => ({ title: `moon ${at}` })),
    );
    await removeTorrent(world, { torrentId: ids[3] ?? 0, removedBy: 1, reason: 'gone' });
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await listTorrents(world.sql, {
        words: 'moon',
        tags: [],
        rowsMax: 4,
        ...(cursor === undefined ? {} : { cursor }),
      });
      assert.equal(page.total, 11);
      seen.push(...page.rows.map((row) => row.id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      ids.filter((_, at) => at !== 3),
    );
    await world.sql.close();
  });

  test(`${name}: a cursor that is damaged or of another order gives the first page`, async () => {
    const world = await openCatalogue(open);
    await fill(world, [{ title: 'one' }, { title: 'two' }, { title: 'three' }]);
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const odd = [
      '',
      'x',
      encode(null),
      encode(['after', 'title', 5, 1]),
      encode(['after', 'size', 'x', 1]),
      encode(['after', 'added', 1e300, 1]),
      encode([-5]),
      encode([1e9]),
      encode(['after', 'title', 'a\0b', 1]),
      'A'.repeat(5000),
    ];
    for (const cursor of odd) {
      for (const by of ['added', 'title'] as const) {
        const list = await titles(world, { cursor, sort: { by, descending: true } });
        assert.equal(list.length, 3, cursor);
      }
      await titles(world, { words: 'one', cursor });
    }
    await world.sql.close();
  });
});
