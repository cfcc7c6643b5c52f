import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { memoryLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { storeConfig } from './config.ts';
import { newKeyLine } from './encrypt/key-file.ts';
import { encryptedIn, openStack, type StackWorld } from './stack/stack.ts';

let root: string;
let world: StackWorld;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'swarmkeep-place-'));
  await writeFile(join(root, 'keys'), newKeyLine(new SystemRandom()));
  world = {
    ...{ folder: join(root, 'store'), disk: new SystemDisk(), clock: new SystemClock() },
    ...{ random: new SystemRandom(), logger: memoryLogger([]), freeBytes: async () => 0 },
    config: storeConfig.parse({ keyFile: join(root, 'keys') }),
    openS3: async () => assert.fail(),
  };
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function put(text: string): Promise<void> {
  const { store } = await openStack(world, text);
  await store.put(utf8('blob'));
  await store.close();
}

test('a folder of others is refused in words and left as it was', async () => {
  const at = (name: string): string => join(root, name);
  await mkdir(at('sql'));
  await writeFile(at('sql/swarmkeep.sqlite'), 'rows');
  await mkdir(at('search'));
  await writeFile(at('search/index'), 'of a search engine');
  await mkdir(at('objects/ab'), { recursive: true });
  await writeFile(at('objects/ab/cdef'), 'an object of something else');
  await writeFile(at('file'), 'no folder');
  await put(`encrypt > packed(${at('secret')})`);
  await put(`packed(${at('packs')})`);
  await put(`directory(${at('files')})`);
  const before = await readdir(root, { recursive: true });
  for (const [text, said] of [
    [`packed(${at('sql')})`, /it holds something else \("swarmkeep.sqlite"\)/],
    [`directory(${at('sql')})`, /it holds something else/],
    [`directory(${at('objects')})`, /it holds something else \("ab"\)/],
    [`packed(${at('secret')})`, /an encrypted store lies in it; with "encrypt >"/],
    [`directory(${at('secret')})`, /an encrypted store/],
    [`packed(${at('files')})`, /it holds something else/],
    [`directory(${at('packs')})`, /it holds something else \("0000000001.pack"/],
    [`encrypt > packed(${at('packs')})`, /is no encrypted store; name another folder/],
    [`encrypt > directory(${at('files')})`, /is no encrypted store; name another folder/],
    [`encrypt > packed(${at('sql')})`, /is no encrypted store; name another folder/],
    [`packed(${at('search')})`, /it holds something else \("index"\)/],
    [`packed(${at('file')})`, /it is a file/],
    [`directory(${at('file/inner')})`, /the system refuses it \(E(?:NOTDIR|EXIST)\)/],
    [`packed(/proc/swarmkeep)`, /the system refuses it \(E[A-Z]+\)/],
  ] as const) {
    await assert.rejects(openStack(world, text), (error: { code?: string; message: string }) => {
      assert.deepEqual(
        [error.code, said.test(error.message)],
        ['STORE_PLACE_UNUSABLE', true],
        text,
      );
      return true;
    });
  }
  assert.deepEqual(await readdir(root, { recursive: true }), before);
});

test('a folder in which only the index of a store is left is taken', async () => {
  const text = `packed(${join(root, 'packs')})`;
  await put(text);
  for (const name of await readdir(join(root, 'packs'))) {
    if (name !== 'index') await rm(join(root, 'packs', name));
  }
  assert.deepEqual(await readdir(join(root, 'packs')), ['index']);
  await put(text);
});

test('a folder with what a system or we put beside a store is taken, also an emptied one', async () => {
  for (const kind of ['packed', 'directory']) {
    const folder = join(root, kind);
    for (const name of ['lost+found', '.Trash-1000', 'backups']) {
      await mkdir(join(folder, name), { recursive: true });
    }
    await writeFile(join(folder, 'backup.lock'), '');
    const text = `${kind}(${folder})`;
    await put(text);
    const { store } = await openStack(world, text);
    await store.remove((await store.list()).map(({ ref }) => ref));
    await store.close();
    await writeFile(join(folder, 'notes.txt'), 'beside a store that is there');
    await put(text);
  }
  await put('cache(1MiB) > packed');
  await put('cache(1MiB) > packed');
});

test('only a line that encrypts has something to rebuild, and the others are told why not', () => {
  assert.equal(encryptedIn('cache(1MiB) > encrypt > packed').length, 1);
  assert.throws(() => encryptedIn('replica(packed, directory)'), {
    code: 'STORE_STACK_INVALID',
    message: /encrypts, so nothing needs to be rebuilt: packs are read anew/,
  });
});
