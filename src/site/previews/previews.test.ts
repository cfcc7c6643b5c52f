import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { catalogueConfig } from '#site/catalogue/catalogue-config.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import { siteMigrations } from '#site/migrations/all.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { imageSize, mayHavePreview, mediaKind } from './image-head.ts';
import { PreviewRoots, previewsOf } from './previews.ts';
import { type PreviewMaker, previewsJob } from './previews-job.ts';

/** A PNG of one colour, without the sums that nobody here checks. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(data.length);
    head.write(type, 4);
    return Buffer.concat([head, data, Buffer.alloc(4)]);
  };
  const size = Buffer.alloc(13);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  size.set([8, 0], 8);
  const rows = deflateSync(Buffer.alloc((width + 1) * height));
  const start = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    start,
    chunk('IHDR', size),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const JPEG = Buffer.from('ffd8ffe000044a46ffc0000b08007800a0010122', 'hex');
const CONTENT: Readonly<Record<string, Buffer>> = {
  'a/small.png': png(40, 30),
  'b/bomb.png': png(9000, 1),
  'c/large.jpg': Buffer.concat([JPEG, Buffer.alloc(400_000)]),
  'd/lies.png': Buffer.from('<script>alert(1)</script>'),
  'e/film.mkv': Buffer.from('\x1a\x45\xdf\xa3 film', 'latin1'),
  'notes.txt': png(10, 10),
};

const context = (): JobContext => ({
  signal: new AbortController().signal,
  clock: { nowMs: () => 0, monotonicMs: () => 0, after: () => ({ cancel() {} }) },
  logger: silentLogger,
  fence: 1,
  progress: () => undefined,
  checkpoint: { load: async () => undefined, save: async () => undefined },
  fenced: async () => undefined,
});

forEachDatabase((name, open) => {
  test(`${name}: previews are made of what is kept, by ffmpeg or without it, and go with the torrent`, async () => {
    const sql = await open();
    const clock = new SimClock();
    await migrate(sql, [...sqlMigrations, ...archiveMigrations, ...siteMigrations], { clock });
    const world = { sql, clock, config: catalogueConfig.parse({}), changed: () => undefined };
    const files = Object.fromEntries(
      Object.entries(CONTENT).map(([path, { length }]) => [path, length]),
    );
    const words = { category: 'books', tags: [], description: '' };
    const bytes = await makeTorrent({ files });
    const added = await addTorrent(world, { ...words, bytes, uploaderId: 1 });
    assert.ok('torrent' in added);
    const { id } = added.torrent;
    await keepTorrent(sql, { id, files: [], nowMs: 1 });
    const store = new MemoryStore();
    let maker: PreviewMaker | undefined;
    const reads: string[] = [];
    const job = previewsJob({
      ...{ sql, logger: silentLogger, store: async () => store, previewsMax: 3 },
      maker: async () => maker,
      files: {
        async find(_torrent, path) {
          const own = CONTENT[path];
          if (own === undefined) return undefined;
          reads.push(path);
          return {
            bytes: own.length,
            etag: '"x"',
            async *read({ start, end }) {
              yield own.subarray(start, end);
            },
          };
        },
      },
    });
    const run = async (): Promise<string[]> => {
      await job.run(context());
      const found = await previewsOf(sql, id);
      return found.map((one) => `${one.name} ${one.width}x${one.height}`);
    };
    assert.deepEqual(
      await run(),
      ['small.png 40x30'],
      'without ffmpeg small pictures are their own',
    );
    reads.length = 0;
    await run();
    assert.equal(reads.length, 0, 'what was looked at is not looked at again');
    const asked: number[] = [];
    maker = {
      name: 'ffmpeg',
      async make(content) {
        let got = 0;
        for await (const part of content) got += part.length;
        asked.push(got);
        return got === CONTENT['b/bomb.png']?.length ? undefined : JPEG;
      },
    };
    const names = ['small.png 160x120', 'large.jpg 160x120', 'film.mkv 160x120'];
    assert.deepEqual(await run(), names);
    assert.equal(asked.length, 4, 'what is not what its name says is not given to it');
    assert.ok(!reads.includes('notes.txt'));
    const roots = async (): Promise<number> => {
      let count = 0;
      for await (const ref of new PreviewRoots(world).refs(context().signal)) {
        assert.equal((await store.stat([ref])).length, 1);
        count += 1;
      }
      return count;
    };
    assert.equal(await roots(), 3);
    await releaseTorrent(sql, id);
    assert.deepEqual(await previewsOf(sql, id), []);
    assert.equal(await roots(), 0);
    await sql.close();
  });
});

test('what a file is, is told by its first bytes', () => {
  assert.deepEqual(imageSize(png(3, 4)), { type: 'image/png', width: 3, height: 4 });
  assert.deepEqual(imageSize(JPEG), { type: 'image/jpeg', width: 160, height: 120 });
  const gif = Buffer.from('474946383961050007000000', 'hex');
  assert.deepEqual(imageSize(gif), { type: 'image/gif', width: 5, height: 7 });
  for (const text of [
    '',
    '\xff\xd8',
    'GIF89',
    '#EXTM3U\n',
    '<svg>',
    'ffconcat version 1.0',
    '%PDF-1.7',
  ]) {
    assert.equal(mediaKind(Buffer.from(text, 'latin1')), undefined, text);
  }
  // A JPEG whose markers lead nowhere ends.
  assert.equal(imageSize(Buffer.from('ffd8ffe00000ffe00000ffe00000', 'hex')), undefined);
  assert.equal(
    imageSize(Buffer.concat([Buffer.from('ffd8', 'hex'), Buffer.alloc(70_000, 0xff)])),
    undefined,
  );
  assert.equal(mayHavePreview('a.JPG'), true);
  for (const name of ['jpg', '.jpg', 'a.exe', 'a.jpg.', 'a.svg', 'a.m3u8']) {
    assert.equal(mayHavePreview(name), false, name);
  }
});
