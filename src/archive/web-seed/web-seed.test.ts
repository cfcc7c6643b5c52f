import assert from 'node:assert/strict';
import test from 'node:test';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveConfig } from '#archive/config.ts';
import { segmentRef } from '#archive/content/file-map.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { type SeedAnswer, type SeedRequest, WebSeed } from './web-seed.ts';

const KIB = 1024;
const SEGMENT_BYTES = 256 * KIB;
const TOKEN = `7-${'0'.repeat(32)}`;
const HASH = 'ab'.repeat(20);
const BASE = `/seed/${TOKEN}/${HASH}`;

interface Seeding {
  readonly seed: WebSeed;
  readonly store: MemoryStore;
  readonly clock: SimClock;
  readonly file: WrittenFile;
  readonly bytes: Uint8Array;
  /** Bytes by member, as they were told. */
  readonly sent: Map<number, number>;
  readonly rights: { isTaken: boolean };
  release(): Promise<void>;
}

const content = Uint8Array.from({ length: 700_000 }, (_, at) => (at * 2_654_435_761) >>> 24);

async function withSeed(
  run: (seeding: Seeding) => Promise<void>,
  settings: Partial<typeof archiveConfig._output> = {},
): Promise<void> {
  const sql = await openTestSqlite();
  try {
    await migrate(sql, archiveMigrations, { clock: new SystemClock() });
    const store = new MemoryStore();
    const writer = new FileWriter(
      { store, hasher: new InPlaceHasher() },
      { bytes: content.length, segmentBytes: SEGMENT_BYTES },
    );
    await writer.write(content);
    const file = await writer.finish();
    const empty = { map: undefined, mapRef: undefined, layer: undefined, newBytes: 0 };
    await keepTorrent(sql, { id: 3, files: [file, empty], nowMs: 1 });
    const clock = new SimClock();
    const sent = new Map<number, number>();
    const rights = { isTaken: false };
    const seed = new WebSeed({
      ...{ sql, clock, hasher: new InPlaceHasher(), healers: [], logger: silentLogger },
      config: archiveConfig.parse({ readCacheBytes: 0, ...settings }),
      store: async () => store,
      catalogue: {
        torrentByHash: async (hash) => (hash === HASH ? { id: 3 } : undefined),
        listing: async () => ({
          name: 'survey',
          singleFile: false,
          files: [
            { path: ['a b', 'data.bin'], sizeBytes: content.length, pad: false },
            { path: ['.pad', '100'], sizeBytes: 100, pad: true },
            { path: ['empty'], sizeBytes: 0, pad: false },
            { path: ['why?', ' "a": <b>|*. '], sizeBytes: 0, pad: false },
            { path: ['why?', `${'l'.repeat(250)}.bin`], sizeBytes: 0, pad: false },
            { path: ['t?'], sizeBytes: 0, pad: false },
            { path: ['t*'], sizeBytes: 0, pad: false },
          ],
        }),
      },
      members: {
        memberOf: async (token) => (token === TOKEN && !rights.isTaken ? 7 : undefined),
      },
      onSent: (member, _torrent, bytes) => sent.set(member, (sent.get(member) ?? 0) + bytes),
    });
    const release = async (): Promise<void> => {
      await releaseTorrent(sql, 3);
    };
    await run({ seed, store, clock, file, bytes: content, sent, rights, release });
  } finally {
    await sql.close();
  }
}

function ask(seed: WebSeed, request: Partial<SeedRequest>): Promise<SeedAnswer> {
  const asked = { method: 'GET', target: `${BASE}/survey/a%20b/data.bin`, ...request };
  return seed.answer({ signal: new AbortController().signal, ...asked });
}

async function bodyOf(answer: SeedAnswer): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of answer.body ?? []) {
    assert.ok(part instanceof Uint8Array);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

test('a file is given whole and in any range, with its length and a strong ETag', () =>
  withSeed(async ({ seed, file, bytes, sent }) => {
    const whole = await ask(seed, {});
    assert.equal(whole.status, 200);
    assert.deepEqual(await bodyOf(whole), bytes);
    const root = Buffer.from(file.map?.root ?? []).toString('hex');
    assert.equal(whole.headers['etag'], `"${root}"`);
    for (const [first, last] of [
      [0, 0],
      [SEGMENT_BYTES - 1, SEGMENT_BYTES],
      [10, 699_999],
    ] as const) {
      const part = await ask(seed, { range: `bytes=${first}-${last}` });
      assert.equal(part.status, 206);
      assert.equal(part.headers['content-range'], `bytes ${first}-${last}/700000`);
      assert.equal(part.headers['content-length'], String(last - first + 1));
      assert.deepEqual(await bodyOf(part), bytes.slice(first, last + 1));
    }
    assert.equal(sent.get(7), 700_000 + 1 + 2 + 699_990);
  }));

test('what is beyond the end, known already or of another version is answered as HTTP has it', () =>
  withSeed(async ({ seed, bytes }) => {
    const beyond = await ask(seed, { range: 'bytes=700000-' });
    assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */700000']);
    const head = await ask(seed, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length']], [200, '700000']);
    assert.equal(head.body, undefined);
    const etag = head.headers['etag'] ?? '';
    assert.equal((await ask(seed, { ifNoneMatch: `"x", ${etag}` })).status, 304);
    assert.equal((await ask(seed, { ifNoneMatch: `W/${etag}` })).status, 304);
    assert.equal((await ask(seed, { ifNoneMatch: 'W/"x"' })).status, 200);
    for (const ifMatch of ['"x"', `W/${etag}`, '']) {
      const other = await ask(seed, { range: 'bytes=0-9', ifMatch, ifNoneMatch: etag });
      assert.deepEqual([other.status, other.body], [412, undefined], ifMatch);
    }
    for (const ifMatch of ['*', `"x", ${etag}`]) {
      assert.equal((await ask(seed, { range: 'bytes=0-9', ifMatch })).status, 206, ifMatch);
    }
    const same = await ask(seed, { range: 'bytes=0-9', ifRange: etag });
    assert.equal((await bodyOf(same)).length, 10);
    const other = await ask(seed, { range: 'bytes=0-9', ifRange: '"x"' });
    assert.equal((await bodyOf(other)).length, bytes.length);
    assert.equal((await ask(seed, { method: 'POST' })).status, 405);
    const preflight = await ask(seed, { method: 'OPTIONS' });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers['access-control-allow-headers'] ?? '', /range/);
  }));

test('a client that asks for what it calls a file on its own disk is given that file', () =>
  withSeed(async ({ seed }) => {
    const statusOf = async (...names: string[]): Promise<number> =>
      (await ask(seed, { target: [BASE, 'survey', ...names.map(encodeURIComponent)].join('/') }))
        .status;
    assert.equal(await statusOf('why?', ' "a": <b>|*. '), 200, 'as the torrent has it');
    assert.equal(await statusOf('why_', '_a__ _b___'), 200, 'as Transmission writes it');
    assert.equal(await statusOf('why_', '_a__ _b___.'), 404);
    const long = 'l'.repeat(240);
    assert.equal(await statusOf('why?', `${long}.bin`), 200, 'as libtorrent writes it');
    assert.equal(await statusOf('why?', long), 404);
    assert.equal(await statusOf('t*'), 200);
    assert.equal(await statusOf('t_'), 404, 'it could be either of two');
  }));

test('pad files are zeros, and an empty file has no bytes', () =>
  withSeed(async ({ seed }) => {
    const pad = await ask(seed, { target: `${BASE}/survey/.pad/100`, range: 'bytes=90-' });
    assert.deepEqual([...(await bodyOf(pad))], new Array(10).fill(0));
    const empty = await ask(seed, { target: `${BASE}/survey/empty` });
    assert.deepEqual([empty.status, empty.headers['content-length']], [200, '0']);
  }));

test('strangers, unknown files and torrents that are not kept are refused', () =>
  withSeed(async ({ seed, clock, release }) => {
    const stranger = `/seed/7-${'1'.repeat(32)}/${HASH}/survey/a%20b/data.bin`;
    assert.equal((await ask(seed, { target: stranger })).status, 403);
    for (const path of ['/survey/other', '/survey/a b', '/survey/a%20b/../a%20b/data.bin', '/x']) {
      assert.equal((await ask(seed, { target: BASE + path })).status, 404, path);
    }
    assert.equal((await ask(seed, {})).status, 200);
    await release();
    // Within a second, as a right that is taken back.
    clock.advance(1000);
    assert.equal((await ask(seed, {})).status, 404);
  }));

test('a right that is taken back ends an answer that runs, within a second', () =>
  withSeed(async ({ seed, clock, rights }) => {
    const answer = await ask(seed, {});
    const parts = answer.body?.[Symbol.asyncIterator]();
    await parts?.next();
    rights.isTaken = true;
    clock.advance(1000);
    await assert.rejects(async () => {
      while ((await parts?.next())?.done === false);
    });
    assert.equal((await ask(seed, {})).status, 403);
  }));

test('who takes nothing of an answer for long gives its place back', () =>
  withSeed(
    async ({ seed, clock }) => {
      const answer = await ask(seed, {});
      const parts = answer.body?.[Symbol.asyncIterator]();
      await parts?.next();
      assert.equal((await ask(seed, {})).status, 503);
      clock.advance(59_000);
      assert.equal(answer.ended?.aborted, false);
      clock.advance(2000);
      assert.equal(answer.ended?.aborted, true, 'who sends it ends the connection');
      await parts?.return?.();
      assert.equal((await ask(seed, {})).status, 200);
    },
    { seedStreamsPerMemberMax: 1 },
  ));

test('bytes that rotted are never given: refused in words, or the answer ends early', () =>
  withSeed(async ({ seed, store, file }) => {
    assert.ok(file.map !== undefined);
    const rotten = segmentRef(file.map, 1);
    await store.remove([rotten]);
    const early = await ask(seed, { range: `bytes=${SEGMENT_BYTES}-` });
    assert.equal(early.status, 503);
    assert.ok(Number(early.headers['retry-after']) > 0);
    const late = await ask(seed, {});
    assert.equal(late.status, 200);
    await assert.rejects(bodyOf(late), { code: 'STORE_BLOB_MISSING' });
    assert.equal((await ask(seed, { range: 'bytes=0-9' })).status, 206);
  }));

test('one member has so many answers at once, and all together have so many', () =>
  withSeed(
    async ({ seed }) => {
      const first = await ask(seed, {});
      const second = await ask(seed, {});
      assert.equal((await ask(seed, {})).status, 503);
      await bodyOf(first);
      const third = await ask(seed, {});
      assert.equal(third.status, 200);
      await bodyOf(second);
      await bodyOf(third);
    },
    { seedStreamsMax: 10, seedStreamsPerMemberMax: 2 },
  ));

test('segments that were read last are read from memory, and asked for at once they are read once', () =>
  withSeed(
    async ({ seed, store }) => {
      let reads = 0;
      const get = store.get.bind(store);
      store.get = (ref, options) => {
        reads += 1;
        return get(ref, options);
      };
      await Promise.all(
        [1, 2, 3, 4].map(async (at) => bodyOf(await ask(seed, { range: `bytes=${at}-${at}` }))),
      );
      assert.equal(reads, 2, 'the map and one segment');
      await bodyOf(await ask(seed, {}));
      assert.equal(reads, 4);
    },
    { readCacheBytes: 10_000_000 },
  ));
