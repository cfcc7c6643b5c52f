import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { archiveConfig } from '#archive/config.ts';
import { mapSegmentCount, segmentRef } from '#archive/content/file-map.ts';
import { ChosenHasher } from '#archive/hash/chosen-hasher.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { StoreError } from '#store/errors.ts';
import { MemoryStore } from '#store/memory.ts';
import type { BlobSource, PutOptions } from '#store/store.ts';
import { type ContentFile, makeMetainfo } from '#wire/metainfo-maker.ts';
import { type PutContent, type PutRequest, putContent } from './put-content.ts';

const KIB = 1024;
const SEGMENT_BYTES = 256 * KIB;
const config = archiveConfig.parse({ segmentBytes: SEGMENT_BYTES });
/** Empty, small, of a segment, around it, of many. */
const SIZES = [0, 1, 20_000, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3_000_000];
const CONTENT = new Map(
  [...SIZES, ...SIZES.map((size) => size + 7)].map((size, at) => [`${at}.bin`, randomBytes(size)]),
);

/** Of a file, which the addon reads where there is one. */
type How = 'chunks' | 'into' | 'file';
const FOLDER = mkdtempSync(join(tmpdir(), 'swarmkeep-put-content-'));
const addon = findOrBuildAddon();
const hasher = new ChosenHasher({ threads: 2, clock: new SystemClock(), addon: () => addon });
after(async () => {
  await hasher.close();
  rmSync(FOLDER, { recursive: true, force: true });
});

/** Of memory; by chunks, or also into memory of the caller's, a few bytes short of what it asks. */
function contentFile(name: string, bytes: Uint8Array, how: How): ContentFile {
  if (how === 'file') {
    const path = join(FOLDER, name);
    writeFileSync(path, bytes);
    const ofMemory = contentFile(name, bytes, 'chunks');
    return { ...ofMemory, open: () => new SystemDisk().open(path, { write: false }) };
  }
  return {
    ...{ path: ['folder', name], sizeBytes: bytes.length },
    async *read() {
      for (let at = 0; at < bytes.length; at += 70_000) yield bytes.subarray(at, at + 70_000);
    },
    ...(how === 'into' && {
      open: async () => ({
        async read(into: Uint8Array, position: number) {
          const part = bytes.subarray(position, position + Math.max(700, into.length - 1000));
          into.set(part.subarray(0, into.length));
          return Math.min(part.length, into.length);
        },
        close: async () => {},
      }),
    }),
  };
}

function filesOf(how: How): ContentFile[] {
  return [...CONTENT].map(([name, bytes]) => contentFile(name, bytes, how));
}

function request(how: How, version: PutRequest['version']): PutRequest {
  return { version, name: 'content', singleFile: false, files: filesOf(how), pieceLength: 65_536 };
}

async function put(store: MemoryStore, what: PutRequest): Promise<PutContent> {
  const isOfFiles = what.files.some(({ open }) => open !== undefined);
  const by = isOfFiles ? hasher : new InPlaceHasher();
  return await putContent({ store, hasher: by, config }, what);
}

describe('content put into the archive', () => {
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    for (const how of ['chunks', 'into', 'file'] as const) {
      it(`is ${version} the torrent that is made of the files alone, read as ${how}`, async () => {
        const store = new MemoryStore();
        const made = await put(store, request(how, version));
        const alone = await makeMetainfo(request('chunks', version));
        assert.ok(made.ok && alone.ok);
        assert.deepEqual(Buffer.from(made.bytes), Buffer.from(alone.bytes));
        const names = [...CONTENT.keys()].sort();
        for (const [at, { map, mapRef }] of made.files.entries()) {
          const bytes = CONTENT.get(names[at] ?? '') ?? Buffer.alloc(0);
          assert.equal(map?.bytes ?? 0, bytes.length);
          if (map === undefined || mapRef === undefined) continue;
          await store.get(mapRef);
          const parts: Uint8Array[] = [];
          for (let n = 0; n < mapSegmentCount(map); n++) {
            parts.push(await store.get(segmentRef(map, n)));
          }
          assert.deepEqual(Buffer.concat(parts), bytes);
        }
      });
    }
  }

  it('is refused when a file grows or shrinks meanwhile', async () => {
    for (const how of ['chunks', 'into', 'file'] as const) {
      for (const more of [-1, 1]) {
        const files = filesOf(how);
        const changed = contentFile('9.bin', randomBytes(400_000 + more), how);
        files[9] = { ...changed, sizeBytes: 400_000 };
        const wrong = put(new MemoryStore(), { ...request(how, 'v2'), files });
        const told = {
          code: 'ARCHIVE_FILE_CHANGED',
          message: /while it was read: "folder\/9\.bin"$/,
        };
        await assert.rejects(wrong, told, `${how} ${more}`);
      }
    }
    const files = filesOf('file');
    const read = (): never => assert.fail('nobody reads it so');
    const gone: ContentFile = { ...contentFile('gone', Buffer.alloc(5), 'file'), read };
    rmSync(join(FOLDER, 'gone'));
    files[3] = gone;
    await assert.rejects(put(new MemoryStore(), { ...request('file', 'v2'), files }), /ENOENT/);
    assert.deepEqual(openFiles(), [], 'no file stays open, however it ended');
  });

  it('is refused when the store refuses, and nothing is under way then', async () => {
    const store = new MemoryStore();
    const all = store.put.bind(store);
    let underWay = 0;
    let puts = 0;
    store.put = async (source: BlobSource, options?: PutOptions) => {
      underWay++;
      try {
        await new Promise((resolve) => setImmediate(resolve));
        if (++puts > 9) throw new StoreError('STORE_WRITE_FAILED', 'full');
        return await all(source, options);
      } finally {
        underWay--;
      }
    };
    await assert.rejects(put(store, request('into', 'v2')), { code: 'STORE_WRITE_FAILED' });
    assert.equal(underWay, 0);
  });

  it('waits for nobody to share a sync when it waits itself', async () => {
    const store = new MemoryStore();
    const all = store.put.bind(store);
    const queued: (() => void)[] = [];
    const hurry = (): void => {
      for (const go of queued.splice(0)) go();
    };
    store.flush = async () => hurry();
    store.put = async (source: BlobSource, options?: PutOptions) => {
      // One that may wait does so for ever, unless another comes that may not, or somebody flushes.
      if (options?.noRush !== true) hurry();
      else await new Promise<void>((resolve) => queued.push(resolve));
      return await all(source, options);
    };
    const files = Array.from({ length: 600 }, (_, at) =>
      contentFile(`${at}`, Buffer.from(`file ${at}`), 'into'),
    );
    const made = await put(store, { ...request('into', 'v2'), files });
    assert.ok(made.ok && made.files.length === files.length);
  });
});

/** Of the test's folder. */
function openFiles(): string[] {
  if (process.platform !== 'linux') return [];
  const paths = readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return '';
    }
  });
  return paths.filter((path) => path.startsWith(FOLDER));
}

it('others have their turns while the torrent of many files is made', async () => {
  const names = Array.from({ length: 2200 }, (_, at) => `${at}`);
  const bytes = Buffer.from('a few bytes');
  let turns = 0;
  let isOver = false;
  const others = (): void => {
    turns += 1;
    if (!isOver) setImmediate(others);
  };
  const files = names.map((name): ContentFile => {
    const file = contentFile(name, bytes, 'chunks');
    const isLast = name === names.toSorted().at(-1);
    const read = async function* (pieceLength: number) {
      yield* file.read(pieceLength);
      // From here on nothing is waited for but what is in memory.
      if (isLast) others();
    };
    return { ...file, read };
  });
  const made = await put(new MemoryStore(), {
    ...{ version: 'v2', name: 'many', singleFile: false, files },
  });
  isOver = true;
  assert.ok(made.ok);
  // Written into the tree 500 at a time.
  assert.ok(turns >= 5, `${turns} turns`);
});

it('what would be too large a torrent is refused before anything is read', async () => {
  const read = (): never => assert.fail('nothing is read');
  const request = { name: 'many', singleFile: false } as const;
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    const reasonOf = async (count: number, name: string): Promise<string> => {
      const file: ContentFile = { path: [name], sizeBytes: 5, read };
      // The same one so many times: it is counted, and not looked at.
      const files = new Array<ContentFile>(count).fill(file);
      const made = await put(new MemoryStore(), { ...request, version, files });
      return made.ok ? 'accepted' : made.reason;
    };
    assert.match(await reasonOf(1_000_001, 'a'), /more than 1000000 files/);
    assert.match(await reasonOf(1_000_000, 'a'.repeat(250)), /more than the 256 MiB/);
    assert.match(await reasonOf(2, 'a'), /would be one file/);
    // Of v1 just within 256 MiB: `d6:lengthi5e4:pathl240:` and two ends around each name.
    if (version === 'v1') {
      const reason = await reasonOf(1_000_000, 'a'.repeat(240));
      assert.doesNotMatch(reason, /256 MiB/);
    }
  }
});
