import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { FileWriter } from '#archive/content/file-writer.ts';
import { LentPart, lendFileRange } from '#archive/content/lent-range.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { assert as sure } from '#base/assert.ts';
import { SystemDisk } from '#base/disk.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { storeConfig } from '#store/config.ts';
import { PackedStore } from '#store/packed/packed.ts';
import { type SeedContent, SeedContents } from './seed-content.ts';

const SEGMENT_BYTES = 256 * 1024;
const BYTES = 3 * SEGMENT_BYTES + 1000;
const VERIFIED_MS = 60_000;

interface Packed {
  readonly folder: string;
  readonly clock: SimClock;
  readonly content: Buffer;
  readonly file: SeedContent;
}

async function withPacked(
  run: (packed: Packed) => Promise<void>,
  verifiedMsMax = VERIFIED_MS,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-seed-'));
  const clock = new SimClock();
  const store = await PackedStore.open({
    ...{ folder, disk: new SystemDisk(), clock, random: new SeededRandom(1) },
    config: storeConfig.parse({}),
  });
  try {
    const content = randomBytes(BYTES);
    const writing = { bytes: BYTES, segmentBytes: SEGMENT_BYTES };
    const hasher = new InPlaceHasher();
    const writer = new FileWriter({ store, hasher }, writing);
    const put = writer.write(content);
    // The writer waits for segments without hurry: their time comes.
    const finished = put.then(() => writer.finish());
    const { mapRef } = await withTime(clock, finished);
    sure(mapRef !== undefined, 'the file has a map');
    const contents = new SeedContents({
      ...{ store: async () => store, hasher, cacheBytesMax: 0, verifiedMsMax },
    });
    await run({
      folder,
      clock,
      content,
      file: await contents.ofFile({ id: 1, bytes: BYTES, mapRef }),
    });
  } finally {
    await withTime(clock, store.close());
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withTime<T>(clock: SimClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  work.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  while (!isDone) {
    clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}

/** The bytes of a range, and how many of its parts were lent. */
async function read(
  file: SeedContent,
  range: { readonly start: number; readonly end: number },
): Promise<{ readonly bytes: Buffer; readonly lent: number }> {
  const parts: Uint8Array[] = [];
  let lent = 0;
  const how = { signal: new AbortController().signal, lends: true };
  for await (const part of file.read(range, how)) {
    if (part instanceof LentPart) {
      for (const { descriptor, position, bytes: length } of part.places) {
        const bytes = Buffer.alloc(length);
        readSync(descriptor, bytes, 0, length, position);
        parts.push(bytes);
        lent += 1;
      }
      part.release();
    } else parts.push(part);
  }
  return { bytes: Buffer.concat(parts), lent };
}

test('segments are verified and lent, in any range', () =>
  withPacked(async ({ clock, content, file }) => {
    const whole = { start: 0, end: BYTES };
    for (const [start, end, lent] of [
      // The last segment is too small for it.
      [0, BYTES, 3],
      [SEGMENT_BYTES - 1, SEGMENT_BYTES + 1, 2],
      [5, 3 * SEGMENT_BYTES - 5, 3],
    ] as const) {
      const again = await read(file, { start, end });
      assert.ok(again.bytes.equals(content.subarray(start, end)));
      assert.equal(again.lent, lent);
    }
    clock.advance(VERIFIED_MS + 1);
    assert.equal((await read(file, whole)).lent, 3);
  }));

test('bytes that rotted after they were verified are not lent: reading them finds it', () =>
  withPacked(async ({ folder, content, file }) => {
    const whole = { start: 0, end: BYTES };
    await read(file, whole);
    assert.equal((await read(file, whole)).lent, 3);
    const pack = join(folder, readdirSync(folder).find((name) => name.endsWith('.pack')) ?? '');
    const changed = statSync(pack, { bigint: true }).ctimeNs;
    const descriptor = openSync(pack, 'r+');
    // Somewhere in the second segment, at a later time by the file's own clock.
    while (statSync(pack, { bigint: true }).ctimeNs === changed) {
      writeSync(descriptor, Buffer.alloc(8), 0, 8, SEGMENT_BYTES + 10_000);
    }
    closeSync(descriptor);
    await assert.rejects(read(file, whole), { code: 'STORE_CORRUPT_BLOB' });
    const sound = await read(file, { start: 0, end: 1000 });
    assert.ok(sound.bytes.equals(content.subarray(0, 1000)));
  }));

test('nothing is lent when each reader is to have it verified', () =>
  withPacked(async ({ file }) => {
    const whole = { start: 0, end: BYTES };
    await read(file, whole);
    assert.equal((await read(file, whole)).lent, 0);
  }, 0));

test('parts that were looked for and not taken are given back', async () => {
  const map = { root: new Uint8Array(32), bytes: 40 * 1024, segmentBytes: 1024 };
  let held = 0;
  const store = {
    get: () => Promise.reject(new Error('nothing is read')),
    async lend() {
      held += 1;
      let isHeld = true;
      const release = (): void => {
        if (isHeld) held -= 1;
        isHeld = false;
      };
      return { descriptor: 1, position: 0, bytes: 1024, release };
    },
  };
  const segments = new Uint8Array(40 * 64);
  const range = { start: 0, end: map.bytes };
  for await (const part of lendFileRange(store, { ...map, segments }, range)) {
    assert.ok(part instanceof LentPart);
    assert.equal(part.places.length, 16);
    part.release();
    break;
  }
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  assert.equal(held, 0);
  const lengths: number[] = [];
  for await (const part of lendFileRange(store, { ...map, segments }, range)) {
    assert.ok(part instanceof LentPart);
    lengths.push(part.bytes);
    part.release();
  }
  assert.deepEqual(lengths, [16 * 1024, 16 * 1024, 8 * 1024]);
  assert.equal(held, 0);
});
