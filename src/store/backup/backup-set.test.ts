import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { MemoryStore } from '#store/memory.ts';
import { type BlobInfo, refOf, type Store, walkStore } from '#store/store.ts';
import { BackupSet, lackingIn, outdated } from './backup-set.ts';
import { type BackupFile, BackupWriter, FileChanged } from './backup-writer.ts';
import { contentLists, readContentList } from './content-list.ts';
import {
  decodeIndex,
  decodeManifest,
  encodeIndex,
  encodeManifest,
  type Manifest,
} from './manifest.ts';
import { verifyBackups } from './verify-backups.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();

/** Bytes that repeat nowhere. */
function many(seed: number, size: number): Uint8Array {
  const words = Uint32Array.from({ length: size / 4 }, (_, at) =>
    Math.imul(at + seed * size, 0x9e3779b1),
  );
  return new Uint8Array(words.buffer);
}

function fileOf(path: string, bytes: Uint8Array, more: Partial<BackupFile> = {}): BackupFile {
  return {
    ...{ path, bytes: bytes.byteLength, cut: 'log', ...more },
    open: async () => ({
      read: async (into, position) => {
        const some = bytes.subarray(position, position + into.byteLength);
        into.set(some);
        return some.byteLength;
      },
      close: async () => {},
    }),
  };
}

function manifestOf(changes: Partial<Manifest> = {}): Manifest {
  return {
    ...{ madeMs: 1, program: '0.1.0', sql: 'sqlite', files: 0, bytes: 0 },
    log: { id: 'ab'.repeat(16), epoch: 1, topics: [] },
    index: { bytes: 0, chunks: [] },
    content: { blobs: 0, bytes: 0, isCopied: true, lists: [] },
    ...changes,
  };
}

class Place {
  readonly blobs = new MemoryStore();
  readonly manifests = new MemoryStore();
  readonly set = new BackupSet(this);

  async backUp(madeMs: number, files: readonly BackupFile[], content: readonly BlobInfo[] = []) {
    const [newest] = await this.set.list();
    const earlier = newest === undefined ? [] : await this.set.files(newest.manifest);
    const writer = new BackupWriter(this.blobs, earlier);
    for (const file of files) await writer.file(file);
    const listed = await writer.content(each(content));
    const index = await writer.index();
    const manifest = manifestOf({ madeMs, index, content: { ...listed, isCopied: true } });
    const ref = await this.set.add(manifest);
    return { ref, manifest, counts: writer.counts };
  }

  async refs(): Promise<Set<BlobRef>> {
    const found = new Set<BlobRef>();
    for await (const ref of this.set.refs(signal)) found.add(ref);
    return found;
  }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function names(store: Store): Promise<Set<BlobRef>> {
  const found = new Set<BlobRef>();
  for await (const { ref } of walkStore(store)) found.add(ref);
  return found;
}

test('a file that grew is stored from where it grew, and a marked one is not even read', async () => {
  const place = new Place();
  const bytes = many(1, 9 * MIB);
  const first = await place.backUp(1, [fileOf('log/a/1.log', bytes, { mark: 'x' })]);
  assert.ok(first.counts.newBytes >= 9 * MIB);
  const grown = Buffer.concat([bytes, many(2, MIB)]);
  const second = await place.backUp(2, [fileOf('log/a/1.log', grown)]);
  assert.ok(second.counts.newBytes < 2 * MIB + 2000, `${second.counts.newBytes}`);
  await place.backUp(3, [fileOf('log/a/1.log', bytes, { mark: 'x' })]);
  const unread = { ...fileOf('log/a/1.log', bytes, { mark: 'x' }), open: assert.fail };
  const third = await place.backUp(4, [unread]);
  assert.ok(third.counts.newBytes < 2000);
  // Where a piece of it was lost it is read and stored again.
  await place.blobs.remove([refOf(bytes.subarray(0, 4 * MIB))]);
  await assert.rejects(place.backUp(5, [unread]));
  const fourth = await place.backUp(5, [fileOf('log/a/1.log', bytes, { mark: 'x' })]);
  assert.ok(fourth.counts.newBytes >= 4 * MIB);
});

test('a file that became shorter while it was read is told, and nothing of it is a backup', async () => {
  const place = new Place();
  const short = { ...fileOf('log/a/1.log', utf8('short')), bytes: 100 };
  await assert.rejects(place.backUp(1, [short]), FileChanged);
  assert.deepEqual(await place.set.list(), []);
});

test('forgetting removes what no other backup names, also when it was interrupted anywhere', async () => {
  const random = new SeededRandom(3);
  const shared = many(3, 5 * MIB);
  for (let failAt = 0; ; failAt++) {
    const place = new Place();
    const kept = random.bytes(100);
    await place.blobs.put(kept);
    await place.backUp(
      1,
      [fileOf('log/a/1.log', shared), fileOf('log/a/2.log', random.bytes(99))],
      [{ ref: refOf(kept), bytes: 100 }],
    );
    await place.backUp(2, [fileOf('log/a/1.log', shared), fileOf('log/a/3.log', random.bytes(98))]);
    const [newest, oldest] = await place.set.list();
    let calls = 0;
    for (const store of [place.blobs, place.manifests]) {
      const put = store.put.bind(store);
      const remove = store.remove.bind(store);
      const step = () => assert.ok(calls++ !== failAt, 'killed');
      store.put = async (source, options) => {
        step();
        return await put(source, options);
      };
      store.remove = async (refs) => {
        let removed = 0;
        for (const ref of refs) {
          step();
          removed += await remove([ref]);
        }
        return removed;
      };
    }
    const forget = () => place.set.forget([oldest!], { sweeps: true });
    const ended = await forget().then(
      () => true,
      () => false,
    );
    // Whatever happened: what is listed is whole, and it is the newest.
    const listed = await place.set.list();
    assert.equal(listed[0]?.ref, newest!.ref);
    assert.deepEqual((await verifyBackups(place.set, listed)).damaged, []);
    if (!ended) {
      const stillThere = listed.length === 2;
      await place.set.forget(stillThere ? [oldest!] : [], { sweeps: true });
    }
    assert.deepEqual([...(await names(place.blobs))].sort(), [...(await place.refs())].sort());
    assert.equal((await names(place.manifests)).size, 1);
    if (ended) break;
  }
});

test('its roots are all that its backups need, and one that cannot be read ends them', async () => {
  const place = new Place();
  const content = await place.blobs.put(utf8('content'));
  await place.backUp(1, [fileOf('swarmkeep.toml', utf8('settings'))], [content]);
  await place.backUp(2, [fileOf('swarmkeep.toml', utf8('others'))]);
  await place.blobs.put(utf8('of somebody else'));
  const refs = await place.refs();
  for (const text of ['settings', 'others', 'content'])
    assert.ok(refs.has(refOf(utf8(text))), text);
  assert.ok(!refs.has(refOf(utf8('of somebody else'))));
  const [newest] = await place.set.list();
  await place.blobs.remove([newest!.manifest.index.chunks[0]!]);
  await assert.rejects(place.refs(), { code: 'STORE_BLOB_MISSING' });
});

test('lists of blobs are the same but for where a blob was added', async () => {
  const random = new SeededRandom(4);
  const infos = Array.from({ length: 30_000 }, () => refOf(random.bytes(8)))
    .sort()
    .map((ref, bytes) => ({ ref, bytes }));
  const listsOf = async (some: readonly BlobInfo[]) => {
    const lists: Uint8Array[] = [];
    for await (const list of contentLists(each(some))) lists.push(list);
    return lists;
  };
  const all = await listsOf(infos);
  assert.ok(all.length > 3);
  assert.deepEqual(all.flatMap(readContentList), infos);
  const before = new Set(all.map(refOf));
  const fewer = await listsOf(infos.filter((_, at) => at !== 15_000));
  assert.ok(fewer.filter((list) => !before.has(refOf(list))).length <= 2);
});

test('a manifest and an index that somebody else made are refused, whatever is wrong with them', () => {
  const good = manifestOf();
  assert.deepEqual(decodeManifest(encodeManifest(good)), good);
  const file = { path: 'log/control/00000000000000000000.log', bytes: 1, chunks: [] };
  assert.deepEqual(decodeIndex(encodeIndex([file])), [file]);
  const paths = [
    '../etc/passwd',
    '/etc/passwd',
    'keys/../../x',
    'log//x',
    'keys/.ssh',
    'store/x',
  ].concat(['lock', 'server.json', 'swarmkeep.toml/x', 'keys/a\n', '', 'log/a/b/c/d', 'sql/..']);
  for (const path of paths) {
    const index = encodeIndex([{ ...file, path }]);
    assert.throws(() => decodeIndex(index), { code: 'STORE_BACKUP_INVALID' }, path);
  }
  assert.throws(() => decodeIndex(encodeIndex([file, file])), { code: 'STORE_BACKUP_INVALID' });
  const text = new TextDecoder().decode(encodeManifest(good));
  const newer = utf8(text.replace('"version":1', '"version":2'));
  assert.throws(() => decodeManifest(newer), { code: 'STORE_VERSION_UNSUPPORTED' });
  const random = new SeededRandom(5);
  for (let round = 0; round < 3000; round++) {
    const bytes = utf8(text);
    for (let change = 0; change < 3; change++) {
      bytes[random.u32() % bytes.byteLength] = random.u32() & 0xff;
    }
    try {
      decodeManifest(bytes);
    } catch (error) {
      assert.match(
        (error as { code: string }).code,
        /^STORE_(BACKUP_INVALID|VERSION_UNSUPPORTED)$/,
      );
    }
  }
});

test('an incomplete backup takes no place of a whole one, and goes when it is older than all that stay', () => {
  const made = (madeMs: number, lacking = 0) => {
    const content = { blobs: 0, bytes: 0, isCopied: true, lists: [] };
    const manifest = manifestOf({
      madeMs,
      content: { ...content, ...(lacking > 0 && { lacking }) },
    });
    return {
      ref: refOf(encodeManifest(manifest)),
      manifest: decodeManifest(encodeManifest(manifest)),
    };
  };
  const gone = (backups: readonly ReturnType<typeof made>[], keep: number) =>
    outdated(backups, keep).map(({ manifest }) => manifest.madeMs);
  assert.deepEqual(lackingIn(made(1, 7)), 7);
  assert.deepEqual(gone([made(4), made(3), made(2), made(1)], 2), [2, 1]);
  // The disk is not mounted for two days: the whole ones of before stay.
  assert.deepEqual(gone([made(4, 1), made(3, 1), made(2), made(1)], 2), []);
  assert.deepEqual(gone([made(5, 1), made(4, 1), made(3, 1), made(2), made(1)], 2), [3]);
  assert.deepEqual(gone([made(5), made(4), made(3, 1), made(2), made(1, 1)], 2), [2, 3, 1]);
  assert.deepEqual(gone([made(2, 1), made(1, 1)], 1), [1]);
});
