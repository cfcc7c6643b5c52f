import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { type DiskFile, SystemDisk } from '#base/disk.ts';
import { SeededRandom } from '#base/random.ts';
import { MemoryStore } from '#store/memory.ts';
import { refOf } from '#store/store.ts';
import { type FilePut, type PutFilesParts, putFiles, SEGMENT_BYTES } from './put-files.ts';
import { SeenFiles } from './seen-files.ts';

/** Counts what is opened, and may do something when a file is. */
class CountingDisk extends SystemDisk {
  opened = 0;
  openNow = 0;
  openMost = 0;
  onOpen: ((path: string) => Promise<void>) | undefined;

  override async open(path: string, mode: { readonly write: boolean }): Promise<DiskFile> {
    this.opened++;
    this.openMost = Math.max(this.openMost, ++this.openNow);
    const file = await super.open(path, mode);
    await this.onOpen?.(path);
    const close = file.close.bind(file);
    file.close = async () => {
      this.openNow--;
      await close();
    };
    return file;
  }
}

class LaterClock extends SystemClock {
  /** A day later what was written just now has settled. */
  override nowMs(): number {
    return super.nowMs() + 86_400_000;
  }
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-put-files-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function putAll(parts: PutFilesParts, paths: readonly string[]): Promise<FilePut[]> {
  const puts: FilePut[] = [];
  for await (const put of putFiles(parts, paths)) puts.push(put);
  return puts;
}

it('files are put in order, in segments that are series, few of them open at once', async (t) => {
  const folder = await folderOf(t);
  const random = new SeededRandom(1);
  const sizes = [0, 1, 5000, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES];
  const paths: string[] = [];
  for (const [n, size] of sizes.entries()) {
    paths.push(`${folder}/${n}`);
    await writeFile(`${folder}/${n}`, Buffer.alloc(size, random.bytes(61)));
  }
  for (let n = 0; n < 300; n++) {
    paths.push(`${folder}/small ${n}`);
    await writeFile(`${folder}/small ${n}`, `small ${n}`);
  }
  const [store, disk] = [new MemoryStore(), new CountingDisk()];
  const series: unknown[] = [];
  const put = store.put.bind(store);
  store.put = (source, options) => {
    if ((source as Uint8Array).byteLength > 1000) series.push(options?.series);
    return put(source, options);
  };
  const puts = await putAll({ store, disk, clock: new SystemClock() }, paths);
  assert.deepEqual(
    puts.map((one) => one.path),
    paths,
  );
  for (const [n, size] of sizes.entries()) {
    const { bytes, refs, newBytes, isUnread } = puts[n]!;
    assert.deepEqual([bytes, newBytes, isUnread], [size, size, false]);
    const bodies = await Promise.all(refs.map((ref) => store.get(ref)));
    assert.equal(refs.length, Math.max(1, Math.ceil(size / SEGMENT_BYTES)));
    assert.equal(
      bodies.reduce((sum, body) => sum + body.byteLength, 0),
      size,
    );
  }
  assert.deepEqual(
    new Set(series.map((one) => JSON.stringify(one))),
    new Set([
      ...[2, 3].map((order) => JSON.stringify({ name: `${folder}/`, order })),
      ...[0, 1, 2].map((order) => JSON.stringify({ name: `${folder}/5`, order })),
      JSON.stringify({ name: `${folder}/4`, order: 0 }),
    ]),
  );
  assert.ok(disk.openMost <= 16, `${disk.openMost} were open at once`);
  assert.equal(disk.openNow, 0);
});

it('an unchanged file is not read again; one that changed, or whose blobs are gone, is', async (t) => {
  const folder = await folderOf(t);
  const world = { path: `${folder}/seen`, segmentBytes: SEGMENT_BYTES };
  const [store, disk, clock] = [new MemoryStore(), new CountingDisk(), new LaterClock()];
  const paths = ['a', 'b', 'c', 'd'].map((name) => `${folder}/${name}`);
  for (const path of paths) await writeFile(path, `of ${path}`);
  const round = async (): Promise<string[]> => {
    const seen = await SeenFiles.open({ ...world, disk });
    const before = disk.opened;
    const puts = await putAll({ store, disk, clock, seen }, paths);
    for (const [at, path] of paths.entries()) {
      const [ref] = puts[at]!.refs;
      assert.equal((await store.stat([ref!])).length, 1, path);
    }
    const read = puts.filter((put) => !put.isUnread).map((put) => put.path.slice(-1));
    assert.equal(disk.opened - before, read.length);
    await seen.save();
    return read;
  };
  assert.deepEqual(await round(), ['a', 'b', 'c', 'd']);
  assert.deepEqual(await round(), []);
  // The same size, and its time of change set back.
  const { modifiedMs } = (await disk.stat(paths[1]!))!;
  await writeFile(paths[1]!, `OF ${paths[1]}`);
  await utimes(paths[1]!, modifiedMs / 1000, modifiedMs / 1000);
  await store.remove([refOf(Buffer.from(`of ${paths[3]}`))]);
  assert.deepEqual(await round(), ['b', 'd']);
  assert.deepEqual(await round(), []);
  await writeFile(world.path, 'swarmkeep files 1 4194304\nrubbish\n0\n');
  assert.deepEqual(await round(), ['a', 'b', 'c', 'd']);
});

it('a file that changed a moment ago is not taken for unchanged', async (t) => {
  const folder = await folderOf(t);
  const [store, disk, clock] = [new MemoryStore(), new CountingDisk(), new SystemClock()];
  const seen = await SeenFiles.open({ disk, path: `${folder}/seen`, segmentBytes: SEGMENT_BYTES });
  await writeFile(`${folder}/a`, 'a');
  for (let time = 0; time < 2; time++) {
    const [put] = await putAll({ store, disk, clock, seen }, [`${folder}/a`]);
    assert.equal(put?.isUnread, false);
  }
  assert.equal(seen.count, 0);
});

it('a file that is written to, cut or removed while it is read is refused', async (t) => {
  const folder = await folderOf(t);
  const path = `${folder}/a`;
  const changes = [
    () => writeFile(path, 'other bytes'),
    () => writeFile(path, 'cut'),
    () => rm(path),
    async () => {
      await rm(path);
      await symlink(`${folder}/nowhere`, path);
    },
  ];
  for (const change of changes) {
    await rm(path, { force: true });
    await writeFile(path, 'these bytes');
    // A tick of the file system's clock, which is coarse.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const disk = new CountingDisk();
    disk.onOpen = change;
    const parts = { store: new MemoryStore(), disk, clock: new SystemClock() };
    await assert.rejects(putAll(parts, [path]), { code: 'STORE_FILE_CHANGED' });
    assert.equal(disk.openNow, 0);
  }
});

it('a put that fails or is cancelled ends the others and leaves no file open', async (t) => {
  const folder = await folderOf(t);
  const paths = Array.from({ length: 18 }, (_, n) => `${folder}/${n}`);
  for (const path of paths) await writeFile(path, Buffer.alloc(SEGMENT_BYTES + 1, path));
  const [store, disk, clock] = [new MemoryStore(), new CountingDisk(), new SystemClock()];
  const controller = new AbortController();
  const untilCancelled = async (): Promise<void> => {
    const options = { signal: controller.signal };
    for await (const _ of putFiles({ store, disk, clock }, paths, options)) controller.abort();
  };
  await assert.rejects(untilCancelled(), { code: 'STORE_CANCELLED' });
  assert.equal(disk.openNow, 0);
  store.put = () => Promise.reject(new RangeError('refused'));
  await assert.rejects(putAll({ store, disk, clock }, paths), RangeError);
  assert.equal(disk.openNow, 0);
  for await (const _ of putFiles({ store: new MemoryStore(), disk, clock }, paths)) break;
  assert.equal(disk.openNow, 0);
});
