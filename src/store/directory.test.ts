import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemDisk } from '#base/disk.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { seedsUntilFound, surviveSeeds } from '#sim/store-crashes.ts';
import { DirectoryStore } from './directory.ts';
import { describeStore } from './store.conformance.ts';
import { refOf } from './store.ts';

it('on a file system that can only be read its blobs are given, and what would write is refused in words', async () => {
  const disk = new SimDisk({ random: new SeededRandom(3) });
  const store = await DirectoryStore.open({ folder: '/store', disk });
  const { ref } = await store.put(utf8('kept'));
  await store.close();
  const left = `/store/${ref.slice(7, 9)}/${ref}.7.new`;
  await (await disk.create(left)).close();
  const writing = new Set(['create', 'rename', 'remove', 'syncFolder', 'write']);
  // As the system has it: a folder that is there is made without a word.
  disk.onOperation = (operation, path) =>
    writing.has(operation) && path.startsWith('/store') ? 'EROFS' : undefined;
  const again = await DirectoryStore.open({ folder: '/store', disk });
  assert.equal(Buffer.from(await again.get(ref)).toString(), 'kept');
  assert.deepEqual(await again.list(), [{ ref, bytes: 4 }]);
  assert.equal((await again.put(utf8('kept'))).new, false);
  const refused = { code: 'STORE_WRITE_FAILED', message: /: its file system can only be read$/ };
  await assert.rejects(again.put(utf8('new')), refused);
  await assert.rejects(again.remove([ref]), refused);
  await again.close();
});

describeStore('directory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-store-'));
  const world = { folder: `${root}/a/store`, disk: new SystemDisk() };
  const store = await DirectoryStore.open(world);
  return {
    store,
    reopen: async () => {
      await store.close();
      return DirectoryStore.open(world);
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
});

it('simulated crashes lose, double and invent no blob', () =>
  surviveSeeds(30, ({ disk }) => DirectoryStore.open({ folder: '/store', disk })));

for (const lying of ['datasync', 'syncFolder'] as const) {
  it(`the simulator finds a planted bug: an answer before ${lying}`, async () => {
    await seedsUntilFound(
      200,
      ({ disk }) => DirectoryStore.open({ folder: '/store', disk }),
      lying,
    );
  });
}

it('files of others are not seen and not touched; what a crash left is cleared', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-store-'));
  try {
    const disk = new SystemDisk();
    const ref = refOf(utf8('blob'));
    const digits = ref.slice(7, 9);
    await mkdir(`${root}/${digits}`);
    await mkdir(`${root}/zz`);
    const foreign = [
      `${digits}/notes.txt`,
      `${digits}/${refOf(utf8('elsewhere'))}`,
      'zz/x',
      'README',
    ];
    for (const name of foreign) await writeFile(`${root}/${name}`, 'mine');
    await writeFile(`${root}/${digits}/${ref}.3.new`, 'half');
    const store = await DirectoryStore.open({ folder: root, disk });
    await store.put(utf8('blob'));
    assert.deepEqual(await store.list(), [{ ref, bytes: 4 }]);
    await store.close();
    for (const name of foreign) assert.equal(await readFile(`${root}/${name}`, 'utf8'), 'mine');
    assert.equal((await readdir(`${root}/${digits}`)).length, 3);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

it('wrong bytes are found, never given, and a new put heals them', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const store = await DirectoryStore.open({ folder: '/store', disk });
  const blob = utf8('a blob of some bytes');
  const { ref } = await store.put(blob);
  const path = `/store/${ref.slice(7, 9)}/${ref}`;
  const damaged = [blob.slice(1), utf8(`${'x'.repeat(blob.byteLength)}`), new Uint8Array(0)];
  for (let at = 0; at < blob.byteLength; at++) {
    const flipped = blob.slice();
    flipped[at]! ^= 4;
    damaged.push(flipped);
  }
  for (const bytes of damaged) {
    disk.damage(path, bytes);
    await assert.rejects(store.get(ref), { code: 'STORE_CORRUPT_BLOB' });
    assert.equal((await store.put(blob)).new, true);
    assert.deepEqual(Buffer.from(await store.get(ref)), Buffer.from(blob));
  }
});

it('a disk that refuses any one call makes a put fail, and the next one finds a sound store', async () => {
  for (const code of ['EIO', 'ENOSPC']) {
    for (let failing = 1; failing < 12; failing++) {
      const disk = new SimDisk({ random: new SeededRandom(3) });
      const store = await DirectoryStore.open({ folder: '/store', disk });
      let calls = 0;
      disk.onOperation = () => (++calls === failing ? code : undefined);
      const put = store.put(utf8('blob'));
      const failed = await put.then(
        () => false,
        (error: { code: string }) => {
          assert.equal(error.code, 'STORE_WRITE_FAILED');
          return true;
        },
      );
      disk.onOperation = undefined;
      assert.equal((await store.put(utf8('blob'))).new, failed);
      const again = await DirectoryStore.open({ folder: '/store', disk: disk.crash() });
      assert.deepEqual(await again.list(), [{ ref: refOf(utf8('blob')), bytes: 4 }]);
    }
  }
});
