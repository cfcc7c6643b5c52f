import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { Marks } from './marks.ts';
import { NameSet } from './name-set.ts';

const FOLDER = '/marks';
const hashes = Array.from({ length: 9 }, (_, n) => new Uint8Array(32).fill(n + 1));

function newDisk(): SimDisk {
  return new SimDisk({ random: new SeededRandom(1) });
}

/** Marks of all `hashes`, of which the first was taken back. */
async function marked(disk: SimDisk, place?: Uint8Array): Promise<Marks> {
  const marks = await Marks.open({ disk, folder: FOLDER });
  const run = await marks.begin();
  for (const hash of hashes) await run.add({ hash, sinceMs: 1_700_000_000_000 });
  await marks.finish(run, place);
  await marks.clear([hashes[0]!]);
  return marks;
}

async function bytesOf(disk: SimDisk, name: string): Promise<Buffer> {
  const file = await disk.open(`${FOLDER}/${name}`, { write: false });
  const bytes = Buffer.alloc(await file.sizeBytes());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

async function change(disk: SimDisk, name: string, at: number, byte: number): Promise<void> {
  const file = await disk.open(`${FOLDER}/${name}`, { write: true });
  await file.write(Buffer.from([byte]), at);
  await file.close();
}

it('marks and what was taken back of them are found again', async () => {
  const disk = newDisk();
  await marked(disk, hashes[4]);
  const marks = await Marks.open({ disk, folder: FOLDER });
  assert.deepEqual([marks.count, marks.place], [9, hashes[4]]);
  const found: Uint8Array[] = [];
  for await (const { hash, sinceMs } of marks.read()) {
    assert.equal(sinceMs, 1_700_000_000_000);
    found.push(hash);
  }
  assert.deepEqual(found, hashes);
  assert.deepEqual(hashes.map((hash) => marks.isCleared(hash)).indexOf(false), 1);
  assert.ok(hashes.every((hash) => marks.isMarked(hash)));
  assert.deepEqual(await disk.list(FOLDER), ['cleared-0000000001', 'marks-0000000001']);
});

it('the files of marks have the bytes that their format says', async () => {
  const disk = newDisk();
  await marked(disk, hashes[4]);
  const bytes = await bytesOf(disk, 'marks-0000000001');
  const record = (n: number) => `${`0${n}`.repeat(32)}0068e5cf8b010000`;
  const told =
    Buffer.from('SKMARKS1').toString('hex') +
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map(record).join('') +
    `090000000000000001${'05'.repeat(32)}`;
  const digest = createHash('sha256').update(Buffer.from(told, 'hex')).digest('hex');
  assert.equal(bytes.toString('hex'), told + digest);
  const check = createHash('sha256').update(hashes[0]!).digest('hex').slice(0, 8);
  const cleared = await bytesOf(disk, 'cleared-0000000001');
  assert.equal(cleared.toString('hex'), '01'.repeat(32) + check);
});

it('any byte that is wrong makes all marks invalid, and the next collection goes on after it', async () => {
  const clean = newDisk();
  await marked(clean);
  for (const name of ['marks-0000000001', 'cleared-0000000001']) {
    const size = (await bytesOf(clean, name)).byteLength;
    for (let at = 0; at < size; at++) {
      const disk = newDisk();
      await marked(disk);
      const byte = (await bytesOf(disk, name))[at]!;
      await change(disk, name, at, byte ^ 0x10);
      const marks = await Marks.open({ disk, folder: FOLDER });
      assert.equal(marks.count, 0, `byte ${at} of ${name}`);
      const run = await marks.begin();
      await marks.finish(run, undefined);
    }
  }
});

it('a part of a record at the end of a list was never answered, and is passed over', async () => {
  const disk = newDisk();
  await marked(disk);
  await change(disk, 'cleared-0000000001', 36 + 5, 1);
  const marks = await Marks.open({ disk, folder: FOLDER });
  assert.deepEqual([marks.count, marks.isCleared(hashes[0]!)], [9, true]);
});

it('when a mark cannot be taken back the call fails, and the next one tries again', async () => {
  const disk = newDisk();
  const marks = await marked(disk);
  disk.onOperation = (operation) => (operation === 'datasync' ? 'EIO' : undefined);
  await assert.rejects(marks.clear([hashes[3]!]), { code: 'STORE_WRITE_FAILED' });
  assert.ok(marks.isMarked(hashes[3]!));
  disk.onOperation = undefined;
  await marks.clear([hashes[3]!, hashes[3]!]);
  assert.ok(!marks.isMarked(hashes[3]!));
  const found = await Marks.open({ disk: disk.crash(), folder: FOLDER });
  assert.ok(found.isCleared(hashes[3]!) || found.count === 0);
});

it('a set of names finds every name, forgets from a name on, and takes at most 22 bytes for each', () => {
  const random = new SeededRandom(7);
  const names = Array.from({ length: 100_000 }, () => random.bytes(32));
  names.push(new Uint8Array(32), new Uint8Array(32).fill(255));
  const set = new NameSet();
  for (const name of names) set.add(name);
  for (const name of names) assert.ok(set.has(name));
  assert.ok(set.memoryBytes / names.length <= 22, `${set.memoryBytes}`);
  let wrong = 0;
  for (let n = 0; n < 100_000; n++) wrong += set.has(random.bytes(32)) ? 1 : 0;
  assert.equal(wrong, 0);
  set.dropFrom(0x8000_0000);
  for (const name of names) assert.equal(set.has(name), name[0]! < 0x80);
});
