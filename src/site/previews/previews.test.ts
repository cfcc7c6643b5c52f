import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import type { BlobRef } from '#base/ids.ts';
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
import { factsOfProbe, factWords } from './media-facts.ts';
import { shownPreviews } from './preview-pages.ts';
import { PreviewRoots, previewsOf } from './previews.ts';
import { type PreviewMaker, previewsJob } from './previews-job.ts';
import { textPreview } from './text-preview.ts';

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

const NO_REF = `sha256-${'0'.repeat(64)}` as BlobRef;
const JPEG = Buffer.from('ffd8ffe000044a46ffc0000b08007800a0010122', 'hex');
const CONTENT: Readonly<Record<string, Buffer>> = {
  'a/small.png': png(40, 30),
  'b/bomb.png': png(9000, 1),
  'c/large.jpg': Buffer.concat([JPEG, Buffer.alloc(400_000)]),
  'd/lies.png': Buffer.from('<script>alert(1)</script>'),
  'e/film.mkv': Buffer.from('\x1a\x45\xdf\xa3 film', 'latin1'),
  'notes.txt': png(10, 10),
  'said.srt': Buffer.from('1\r\n00:00:05,000 --> 00:00:06,000\r\n<i>Hello</i>\r\nthere\r\n'),
  'zz/readme.md': Buffer.from('How it was measured. \u202eevil\n'.repeat(400)),
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
      facts: async () => ({ width: 1280, height: 720, seconds: 65, picture: 'h264' }),
    };
    const names = ['small.png 160x120', 'large.jpg 160x120', 'film.mkv 160x120'];
    assert.deepEqual(await run(), names);
    assert.equal(asked.length, 4, 'what is not what its name says is not given to it');
    const { pictures, texts, media } = await shownPreviews(sql, id);
    assert.equal(pictures.length, 3);
    assert.deepEqual(
      texts.map((one) => [one.name, one.kind]),
      [
        ['readme.md', 'text'],
        ['said.srt', 'subtitles'],
      ],
      'a picture that is called a text is none',
    );
    const said = await store.get(texts[1]?.ref ?? NO_REF);
    assert.equal(Buffer.from(said ?? []).toString(), '0:05  Hello there');
    assert.deepEqual(
      media.map((one) => `${one.name} ${factWords(one.facts)}`),
      [
        'small.png 40 × 30, png',
        'bomb.png 9000 × 1, png',
        'large.jpg 160 × 120, jpeg',
        'film.mkv 1280 × 720, 1:05, h264',
      ],
    );
    const roots = async (): Promise<number> => {
      let count = 0;
      for await (const ref of new PreviewRoots(world).refs(context().signal)) {
        assert.equal((await store.stat([ref])).length, 1);
        count += 1;
      }
      return count;
    };
    assert.equal(await roots(), 5);
    await releaseTorrent(sql, id);
    assert.deepEqual(await previewsOf(sql, id), []);
    assert.equal(await roots(), 0);
    await sql.close();
  });
});

test('a text is read in its encoding, shown without what moves the page, and bounded', () => {
  const text = (bytes: Uint8Array | string, isWhole = true): string | undefined =>
    textPreview(Buffer.from(bytes), { kind: 'text', isWhole });
  assert.equal(text('caf\u00e9\r\nau lait\n'), 'caf\u00e9\nau lait');
  assert.equal(text(Buffer.from('caf\u00e9', 'latin1')), 'caf\u00e9');
  assert.equal(text(Buffer.from('\ufeffcaf\u00e9', 'utf16le')), 'caf\u00e9');
  assert.equal(text('a\u202eb\u0007c\u001b[31m'), 'abc[31m');
  assert.equal(text(Buffer.from('caf\u00e9').subarray(0, 4), false), 'caf', 'cut in a character');
  for (const none of [
    '',
    ' \n\t',
    'a\0b',
    Buffer.alloc(400, 0x01),
    Buffer.alloc(40, 0x82).fill(2, 5),
  ]) {
    assert.equal(text(none), undefined);
  }
  assert.equal(text('x'.repeat(60_000))?.length, 8002);
  const cues = (words: string): string | undefined =>
    textPreview(Buffer.from(words), { kind: 'subtitles', isWhole: true });
  assert.equal(
    cues('WEBVTT\n\nNOTE hi\n\n01:02:03.500 --> 01:02:04.000 line:0\n- <v Bob>Yes</v>\n- No\n'),
    '1:02:03  - Yes - No',
  );
  const style = 'Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text';
  const line = 'Dialogue: 0,0:00:07.50,0:00:09.00,Main,,0,0,0,,{\\i1}Well,{\\i0} yes\\Nno';
  assert.equal(cues(`[Events]\n${style}\n${line}\n`), '0:07  Well, yes no');
  assert.equal(cues('no cues in here'), 'no cues in here');
  assert.equal(cues(`${'<'.repeat(30_000)}-->`.repeat(2))?.length, 8002, 'in no time');
});

test('nothing of what a program says about a file is believed but numbers and short words', () => {
  const streams = [
    { codec_type: 'video', codec_name: 'png', disposition: { attached_pic: 1 } },
    { codec_type: 'audio', codec_name: 'aac', channels: 6 },
    { codec_type: 'video', codec_name: 'hevc', width: 1920, height: 1080 },
  ];
  const told = factsOfProbe(JSON.stringify({ streams, format: { duration: '3723.4' } }));
  assert.equal(told && factWords(told), '1920 × 1080, 1:02:03, hevc, aac 6 channels');
  for (const nothing of ['', '[]', 'null', '{"streams":7}', '{"streams":[null,7]}']) {
    assert.equal(factsOfProbe(nothing), undefined, nothing);
  }
  const evil = { codec_type: 'video', codec_name: '<script>', width: -1, height: 1e300 };
  assert.equal(factsOfProbe(JSON.stringify({ streams: [evil] })), undefined);
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
