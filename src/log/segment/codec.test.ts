// Batches that are stored compressed: when they are, what they cost, and what damage of them does.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fromHex, utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { LogWorld } from '#sim/log-world.ts';
import { readBatchHeader } from './batch.ts';
import { CODECS, type CodecName, compressBody, openBody } from './codec.ts';
import { crc32c } from './crc32c.ts';
import { PackedRecords } from './packed-records.ts';

const RAW = utf8('swarmkeep '.repeat(60));
/** What was once written stays readable: neither may ever be made anew. */
const GOLDEN: Readonly<Record<'zstd' | 'gzip', string>> = {
  zstd: '28b52ffd6058018d000050737761726d6b6565702001004b5a1524',
  gzip: '1f8b08000000000004032b2e4f2ccacd4e4d2d50281e658d8601d5d20100107663dc58020000',
};
const FILE = '/log/packed/00000000000000000000.log';

async function worldWith(codec: CodecName): Promise<LogWorld> {
  const world = await LogWorld.open({ preallocateBytes: 0 });
  await world.until(world.log.createTopic('packed', { consistency: 'durable', codec }));
  return world;
}

for (const codec of ['zstd', 'gzip'] as const) {
  it(`a body of ${codec} that an older version stored opens, and never to more than it says`, () => {
    const stored = fromHex(GOLDEN[codec])!;
    const code = CODECS[codec];
    const rawLength = RAW.byteLength;
    assert.deepEqual(Buffer.from(openBody(stored, { codec: code, rawLength })!), Buffer.from(RAW));
    assert.equal(openBody(stored, { codec: code, rawLength: rawLength - 1 }), undefined);
    assert.equal(openBody(stored, { codec: code, rawLength: rawLength + 1 }), undefined);
    assert.equal(openBody(stored.subarray(0, 20), { codec: code, rawLength }), undefined);
    const bomb = gzipSync(new Uint8Array(50_000_000));
    assert.equal(openBody(bomb, { codec: CODECS.gzip, rawLength: 1000 }), undefined);
  });

  it(`records of a topic with ${codec} take less room and come back as they were`, async () => {
    const plain = await worldWith('none');
    const packed = await worldWith(codec);
    const records = Array.from({ length: 50 }, (_, nth) => ({
      key: utf8(`key ${nth % 3}`),
      value: utf8(`a sentence that is much like the others, number ${nth}`),
    }));
    for (const world of [plain, packed]) {
      for (let nth = 0; nth < 3; nth++) await world.until(world.log.append('packed', records));
    }
    const sizes = [];
    for (const world of [plain, packed]) {
      sizes.push((await world.until(world.log.stats('packed'))).bytes);
    }
    assert.ok(sizes[1]! < sizes[0]! / 3, `${sizes}`);
    assert.equal(readBatchHeader(packed.disk.bytesOf(FILE), 512)?.codec, CODECS[codec]);
    await packed.reopen(packed.disk.crash());
    const read = await packed.until(packed.log.read('packed', { from: 25 }));
    assert.equal(read.records.length, 125);
    assert.deepEqual(Buffer.from(read.records[0]!.value), Buffer.from(records[25]!.value));
  });
}

it('a body that would not take fewer sectors stays as it is', async () => {
  const noise = new SeededRandom(3).bytes(5000);
  assert.equal(compressBody(noise, CODECS.zstd), undefined);
  assert.equal(compressBody(utf8('a'.repeat(440)), CODECS.zstd), undefined);
  const world = await worldWith('zstd');
  await world.until(world.log.append('packed', [{ value: noise }]));
  assert.equal(readBatchHeader(world.disk.bytesOf(FILE), 512)?.codec, CODECS.none);
});

it('a compressed batch that rotted is found by its checksum and costs itself alone', async () => {
  const world = await worldWith('zstd');
  for (const text of ['first', 'second', 'third']) {
    await world.until(world.log.append('packed', [{ value: utf8(text.repeat(400)) }]));
  }
  const bytes = world.disk.bytesOf(FILE);
  bytes[1024 + 64 + 9] = bytes[1024 + 64 + 9]! ^ 0x55;
  world.disk.damage(FILE, bytes);
  await world.reopen();
  const { records, gaps } = await world.until(world.log.read('packed', { from: 0 }));
  assert.deepEqual(
    records.map(({ offset }) => offset),
    [0, 2],
  );
  assert.deepEqual(
    gaps.map(({ first, next }) => [first, next]),
    [[1, 2]],
  );
});

it('records damaged on their way to the log are not hidden by a compression', async () => {
  const world = await worldWith('zstd');
  const good = PackedRecords.of([{ value: utf8('good '.repeat(400)) }]);
  const bytes = good.bytes.slice();
  const sum = crc32c(bytes);
  bytes[500] = bytes[500]! ^ 1;
  await world.until(world.log.append('packed', new PackedRecords(1, bytes, sum)));
  const { records, gaps } = await world.until(world.log.read('packed', { from: 0 }));
  assert.deepEqual([records.length, gaps.length], [0, 1]);
});
