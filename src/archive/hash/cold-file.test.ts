import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type SegmentHashes, segmentHashes } from '#archive/content/segment-tree.ts';
import { toHex } from '#base/bytes.ts';
import { SystemDisk } from '#base/disk.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { type Addon, loadAddon } from '#net/addon.ts';
import { NativeHasher } from './native-hasher.ts';

const loaded = loadAddon(findOrBuildAddon());
const canHash = 'addon' in loaded && NativeHasher.canHash(loaded.addon);
const skip = canHash ? false : 'no addon or no instructions for SHA-256 here';
const SEGMENT_BYTES = 1024 * 1024;
const PAGE = 4096;
const TASK = { height: 6, layerHeight: 2 };
/** Five segments and a bit, which ends in the middle of a page. */
const BYTES = 5 * SEGMENT_BYTES + 300_001;

test('a file that is not in memory is read, hashed, and not brought there', { skip }, async () => {
  await withColdFile(async ({ hasher, descriptor, content }) => {
    const read: number[] = [];
    for (let time = 1; time <= 2; time++) {
      const before = bytesReadOfDisks();
      for (let first = 0; first * SEGMENT_BYTES < BYTES; first += 2) {
        const rooms = roomsFor(first, 2);
        const isEnd = (first + 2) * SEGMENT_BYTES >= BYTES;
        const position = first * SEGMENT_BYTES;
        const given = await hasher.read({ descriptor, position, isEnd, rooms }, TASK);
        for (const [at, room] of rooms.entries()) {
          const start = (first + at) * SEGMENT_BYTES;
          const part = content.subarray(start, start + room.length);
          assert.ok(Buffer.from(room).equals(part), `segment ${first + at} was read as it is`);
          assert.deepEqual(hexOf(given[at]), hexOf(segmentHashes(part, TASK)));
        }
      }
      read.push(bytesReadOfDisks() - before);
    }
    // Some file systems have no way past the cache: there it was in memory from the beginning.
    const [first = 0, second = 0] = read;
    const whole = 5 * SEGMENT_BYTES;
    if (first >= whole)
      assert.ok(second >= whole, `${first} and ${second} bytes came from the disk`);
  });
});

test('such a file that has grown or become shorter is told', { skip }, async () => {
  await withColdFile(async ({ hasher, descriptor }) => {
    const rooms = roomsFor(4, 1);
    const position = 4 * SEGMENT_BYTES;
    await assert.rejects(hasher.read({ descriptor, position, isEnd: true, rooms }, TASK), {
      code: 'ARCHIVE_FILE_CHANGED',
      message: /has grown/,
    });
    const longer = [...rooms, new Uint8Array(SEGMENT_BYTES)];
    const asked = { descriptor, position, isEnd: true, rooms: longer };
    await assert.rejects(hasher.read(asked, TASK), {
      code: 'ARCHIVE_FILE_CHANGED',
      message: /has become shorter/,
    });
  });
});

interface ColdFile {
  readonly hasher: NativeHasher;
  readonly descriptor: number;
  readonly content: Uint8Array;
}

async function withColdFile(run: (file: ColdFile) => Promise<void>): Promise<void> {
  assert.ok('addon' in loaded);
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-cold-'));
  try {
    const path = join(folder, 'cold');
    const content = pagesOf(loaded.addon);
    const file = await new SystemDisk().create(path);
    await file.write(content, 0, { isDirect: true });
    await file.truncate(BYTES);
    await file.datasync();
    await file.close();
    const descriptor = openSync(path, 'r');
    try {
      const hasher = new NativeHasher(loaded.addon, 2);
      await run({ hasher, descriptor, content: content.subarray(0, BYTES) });
    } finally {
      closeSync(descriptor);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Any bytes, in memory that a disk takes. */
function pagesOf(addon: Addon): Uint8Array {
  const length = Math.ceil(BYTES / PAGE) * PAGE;
  const memory = new Uint8Array(length + PAGE);
  const start = (PAGE - (addon.pageOffset(memory) % PAGE)) % PAGE;
  const pages = memory.subarray(start, start + length);
  pages.set(randomBytes(length));
  return pages;
}

function roomsFor(first: number, count: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, at) =>
      // As rooms for segments lie: no page begins there.
      new Uint8Array(
        new ArrayBuffer(SEGMENT_BYTES + 64),
        64,
        Math.min(SEGMENT_BYTES, BYTES - (first + at) * SEGMENT_BYTES),
      ),
  );
}

/** By this process. */
function bytesReadOfDisks(): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1] ?? 0);
}

function hexOf(hashes: SegmentHashes | undefined): readonly string[] {
  const { sha256, root, layer } = hashes ?? {};
  return [sha256, root, layer].map((part) => toHex(part ?? new Uint8Array()));
}
