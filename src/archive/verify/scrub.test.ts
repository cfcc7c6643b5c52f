import assert from 'node:assert/strict';
import test from 'node:test';
import type { ArchiveWorld } from '#archive/archive.ts';
import { archiveHealth, torrentHealth } from '#archive/catalogue/archive-health.ts';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { SpareMaps } from '#archive/catalogue/spare-maps.ts';
import { archiveConfig } from '#archive/config.ts';
import { encodeFileMap, segmentRef } from '#archive/content/file-map.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { scrubJob } from '#archive/jobs/scrub-job.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import type { JobResult } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { forEachDatabase, type OpenTestSql } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { checkFile, type Healer } from './check-file.ts';

const SEGMENT_BYTES = 256 * 1024;
const PERIOD_MS = 86_400_000;
const SIZE = 1_200_000;

interface Scrubbing {
  readonly world: ArchiveWorld;
  readonly store: MemoryStore;
  readonly file: WrittenFile;
  readonly clock: SimClock;
  /** A day later, one run of the job. */
  scrub(healers?: readonly Healer[]): Promise<JobResult>;
}

function contentOf(bytes: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 60_000) {
    content.set(random.bytes(Math.min(60_000, bytes - at)), at);
  }
  return content;
}

async function withScrub(
  open: OpenTestSql,
  run: (scrubbing: Scrubbing) => Promise<void>,
): Promise<void> {
  const sql = await open();
  try {
    await migrate(sql, archiveMigrations, { clock: new SystemClock() });
    const store = new MemoryStore();
    const hasher = new InPlaceHasher();
    const writer = new FileWriter({ store, hasher }, { bytes: SIZE, segmentBytes: SEGMENT_BYTES });
    await writer.write(contentOf(SIZE, 1));
    const file = await writer.finish();
    const clock = new SimClock();
    await keepTorrent(sql, { id: 3, files: [file], nowMs: clock.nowMs() });
    const config = archiveConfig.parse({ scrubPeriodMs: PERIOD_MS, scrubBytesPerSecond: 100_000 });
    const world: ArchiveWorld = {
      ...{ sql, clock, config, hasher, healers: [] },
      store: async () => store,
    };
    const scrub = async (healers: readonly Healer[] = []): Promise<JobResult> => {
      clock.advance(PERIOD_MS + 1);
      const running = scrubJob({ ...world, healers }).run({
        ...{ clock, logger: silentLogger, fence: 1, signal: new AbortController().signal },
        progress: () => undefined,
        checkpoint: { load: async () => undefined, save: async () => undefined },
        fenced: async () => undefined,
      });
      let result: JobResult | undefined;
      void running.then(
        (done) => {
          result = done;
        },
        () => undefined,
      );
      // The database answers in real time, the pace is kept in simulated time.
      while (result === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        clock.step();
        await Promise.race([running, new Promise((resolve) => setImmediate(resolve))]);
      }
      return result;
    };
    await run({ world, store, file, clock, scrub });
  } finally {
    await sql.close();
  }
}

forEachDatabase((name, open) => {
  test(`${name}: damage is found, shown, and healed from who has the bytes; health goes red and green`, () =>
    withScrub(open, async ({ world, store, file, scrub }) => {
      const { sql } = world;
      assert.ok(file.map !== undefined);
      const lost = segmentRef(file.map, 2);
      const bytes = await store.get(lost);
      assert.equal((await scrub()).counts?.['damaged'], 0);
      assert.equal((await scrub()).counts?.['files'], 1);
      await store.remove([lost]);
      const red = await scrub();
      assert.deepEqual([red.counts?.['damaged'], red.counts?.['healed']], [1, 0]);
      assert.match(red.summary, /1 segment is damaged/);
      const health = await torrentHealth(sql, 3);
      assert.deepEqual([health?.files, health?.damagedFiles, health?.damagedSegments], [1, 1, 1]);
      assert.equal(await torrentHealth(sql, 4), undefined);
      const liar: Healer = { name: 'liar', segment: async () => new Uint8Array(bytes.length) };
      const stranger: Healer = { name: 'stranger', segment: async () => undefined };
      assert.equal((await scrub([liar, stranger])).counts?.['damaged'], 1);
      const friend: Healer = {
        name: 'friend',
        segment: async ({ ref }) => (ref === lost ? bytes : undefined),
      };
      const green = await scrub([liar, friend]);
      assert.deepEqual([green.counts?.['damaged'], green.counts?.['healed']], [0, 1]);
      assert.equal((await archiveHealth(sql)).damagedSegments, 0);
      assert.deepEqual(await store.get(lost), bytes);
    }));

  test(`${name}: the rate is kept to, and nothing is read again within its period`, () =>
    withScrub(open, async ({ clock, scrub, world }) => {
      const startMs = clock.monotonicMs();
      assert.equal((await scrub()).counts?.['bytes'], SIZE);
      const seconds = (clock.monotonicMs() - startMs - PERIOD_MS) / 1000;
      // The last segment is paid for by who comes next.
      assert.ok(seconds > 9 && seconds < 13, `${seconds} s for 12 s of bytes`);
      const again = scrubJob({ ...world, healers: [] });
      const result = await again.run({
        ...{ clock, logger: silentLogger, fence: 1, signal: new AbortController().signal },
        progress: () => undefined,
        checkpoint: { load: async () => undefined, save: async () => undefined },
        fenced: async () => undefined,
      });
      assert.equal(result.counts?.['files'], 0);
    }));
});

forEachDatabase((name, open) => {
  test(`${name}: a map that is lost is made again from the catalogue, also of files from before it had one`, async () => {
    await withScrub(open, async ({ world, store, file, scrub }) => {
      const { sql } = world;
      assert.ok(file.mapRef !== undefined);
      await sql.transaction<ArchiveTables, unknown>((transaction) =>
        transaction.deleteFrom('archive_map').execute(),
      );
      await scrub();
      await store.remove([file.mapRef]);
      await scrub([]);
      const red = await torrentHealth(sql, 3);
      assert.deepEqual([red?.damagedFiles, red?.damagedSegments], [1, 1]);
      await scrub([new SpareMaps(sql)]);
      assert.equal((await torrentHealth(sql, 3))?.damagedFiles, 0);
      assert.equal((await store.stat([file.mapRef])).length, 1);
    });
  });
});

test('a map whose segments were swapped is found, though each blob is sound', async () => {
  const store = new MemoryStore();
  const hasher = new InPlaceHasher();
  const writer = new FileWriter({ store, hasher }, { bytes: SIZE, segmentBytes: SEGMENT_BYTES });
  await writer.write(contentOf(SIZE, 2));
  const { map } = await writer.finish();
  assert.ok(map !== undefined);
  const segments = map.segments.slice();
  segments.copyWithin(0, 64, 96);
  const swapped = await store.put(encodeFileMap({ ...map, segments }));
  const file = { id: 1, bytes: SIZE, mapRef: swapped.ref };
  const check = await checkFile({ store, hasher, healers: [] }, file);
  assert.deepEqual(check.damage, [{ segment: 0, kind: 'corrupt' }]);
  const noMap = { ...file, mapRef: segmentRef(map, 0) };
  const none = await checkFile({ store, hasher, healers: [] }, noMap);
  assert.deepEqual(none.damage, [{ segment: -1, kind: 'corrupt' }]);
});

test('a check that is cancelled says nothing of the file', async () => {
  const store = new MemoryStore();
  const hasher = new InPlaceHasher();
  const writer = new FileWriter({ store, hasher }, { bytes: SIZE, segmentBytes: SEGMENT_BYTES });
  await writer.write(contentOf(SIZE, 2));
  const { mapRef } = await writer.finish();
  assert.ok(mapRef !== undefined);
  const stop = new AbortController();
  const pace = async (bytes: number): Promise<void> => {
    if (bytes > 0) stop.abort(new Error('enough'));
  };
  const check = checkFile(
    { store, hasher, healers: [], signal: stop.signal, pace },
    { id: 1, bytes: SIZE, mapRef },
  );
  await assert.rejects(check);
});
