import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { newKeyLine } from '#store/encrypt/key-file.ts';
import { FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore } from '#store/store.conformance.ts';
import { refOf, type Store } from '#store/store.ts';
import { copyStore } from '#store/sync/compare.ts';
import { verifyStack } from '#store/verify.ts';
import { openStack, rebuildManifests, type StackWorld } from './stack.ts';
import { parseStack, stackText } from './stack-text.ts';

const clock = new SystemClock();

/** A bucket for each prefix, in memory. */
async function worldOf(root: string): Promise<StackWorld> {
  const buckets = new Map<string, MemoryStore>();
  await writeFile(`${root}/keys`, newKeyLine(new SeededRandom(4)));
  return {
    ...{ folder: `${root}/store`, disk: new SystemDisk(), clock, random: new SeededRandom(8) },
    logger: silentLogger,
    config: storeConfig.parse({ keyFile: `${root}/keys`, noRushMsMax: 3 }),
    freeBytes: async (folder) => (folder.endsWith('b') ? 2000 : 1000),
    openS3: async (prefix) => {
      const bucket = buckets.get(prefix) ?? new MemoryStore();
      bucket.close = async () => {};
      buckets.set(prefix, bucket);
      return bucket;
    },
  };
}

async function withWorld(run: (world: StackWorld, root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'swarmkeep-stack-'));
  try {
    await run(await worldOf(root), root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

for (const text of [
  'cache(1 MiB) > encrypt > s3',
  'encrypt > replica(packed, s3)',
  'cache(2MB) > encrypt > replica(packed, directory, s3, writes=2)',
  'replica(encrypt > packed, shard(directory(a), directory(b)))',
  'union(cache(2MiB) > s3(x/), packed(b))',
]) {
  describeStore(text, async () => {
    const root = await mkdtemp(join(tmpdir(), 'swarmkeep-stack-'));
    const world = await worldOf(root);
    const { store } = await openStack(world, text);
    return {
      store,
      reopen: async () => {
        await store.close();
        return (await openStack(world, text)).store;
      },
      dispose: () => rm(root, { recursive: true, force: true }),
    };
  });
}

it('a line is read, and spelled the same way again', () => {
  for (const [text, spelled] of [
    ['packed', 'packed'],
    [' packed ( /mnt/a b ) ', 'packed(/mnt/a b)'],
    ['cache(50 GiB)>encrypt>s3', 'cache(53687091200) > encrypt > s3'],
    ['replica(packed, s3(copy/))', 'replica(packed, s3(copy/), writes=2)'],
    ['replica(packed,s3, writes = 1)', 'replica(packed, s3, writes=1)'],
    ['shard(packed(a), packed(b))', 'shard(packed(a), packed(b), place=rendezvous)'],
    ['union(s3, directory, place=first)', 'union(s3, directory, place=first)'],
  ] as const) {
    const parsed = parseStack(text);
    assert.ok('node' in parsed, `${text}: ${'why' in parsed ? parsed.why : ''}`);
    assert.equal(stackText(parsed.node), spelled);
    const again = parseStack(spelled);
    assert.deepEqual(again, parsed);
  }
});

it('a line that cannot work is refused with the reason', () => {
  for (const [text, why] of [
    ['', /"" is no store; there are packed, directory, s3/],
    ['paked', /"paked" is no store/],
    ['memory', /is no store/],
    ['cache(1GB)', /cache needs a store behind it/],
    ['cache > packed', /cache needs a size/],
    ['cache(much) > packed', /cache needs a size/],
    ['cache(1KB) > packed', /at least 1 MiB/],
    ['packed > s3', /packed keeps the blobs, so "> s3" can have no effect/],
    ['encrypt(x) > packed', /takes nothing in brackets/],
    ['encrypt > replica(encrypt > packed, s3)', /encrypted already/],
    ['cache(1GB) > cache(2GB) > packed', /cached already/],
    ['replica(packed)', /at least two members/],
    ['replica(packed, s3, writes=3)', /from 1 to the 2 members/],
    ['replica(packed, s3, writes=0)', /from 1 to the 2 members/],
    ['replica(packed, s3, reads=2)', /no option "reads"/],
    ['shard(packed, s3, place=free)', /placed by rendezvous or hash/],
    ['replica(packed, packed)', /would be the same: packed\(\)/],
    ['replica(directory(/a/b), packed(/a))', /lies in another/],
    ['packed(../x)', /neither an absolute path nor a plain name/],
    ['packed(/a/../b)', /neither/],
    ['directory(/)', /neither/],
    ['replica(packed, s3', /opened and not closed/],
    ['packed)', /closed that was not opened/],
    ['encrypt > '.repeat(12).concat('packed'), /deep/],
  ] as const) {
    const parsed = parseStack(text);
    assert.ok('why' in parsed, text);
    assert.match(parsed.why, why);
  }
});

it('no line makes the parser fail otherwise', () => {
  const random = new SeededRandom(3);
  const words = [
    'packed',
    's3',
    'cache',
    'encrypt',
    'replica',
    '(',
    ')',
    '>',
    ',',
    '=',
    ' ',
    '/a',
    '1GB',
    'x',
    '\0',
  ];
  for (let n = 0; n < 20_000; n++) {
    let text = '';
    for (let at = random.u32() % 12; at >= 0; at--) text += words[random.u32() % words.length];
    parseStack(text);
  }
});

it('encrypt without a key file, or with a wrong one, is refused', async () => {
  await withWorld(async (world, root) => {
    const without = { ...world, config: storeConfig.parse({}) };
    await assert.rejects(openStack(without, 'encrypt > packed'), { code: 'STORE_STACK_INVALID' });
    await writeFile(`${root}/keys`, 'no key');
    await assert.rejects(openStack(world, 'encrypt > packed'), { code: 'STORE_KEYS_INVALID' });
    await rm(`${root}/keys`);
    await assert.rejects(openStack(world, 'encrypt > packed'), { code: 'STORE_KEYS_INVALID' });
  });
});

it('verify finds rotten copies under a replica, and blobs whose parts are gone', async () => {
  await withWorld(async (world) => {
    const stack = await openStack(world, 'encrypt > replica(directory(a), directory(b))');
    const { ref } = await stack.store.put(utf8('one'));
    await stack.store.put(utf8('two'));
    assert.deepEqual(await verifyStack(stack), {
      ...{ blobs: 8, bytes: await bytesOf(stack.leaves.map(({ store }) => store)) },
      ...{ corrupt: [], missing: [], damagedStretches: 0, damage: [], aside: [] },
      ...{ lacking: [], lackingCount: 0, unnamedParts: 0 },
    });
    const [first] = stack.leaves;
    const [part] = await first!.store.list();
    await writeFile(`${world.folder}/a/parts/${part!.ref.slice(7, 9)}/${part!.ref}`, 'rotten');
    const found = await verifyStack(stack);
    const [{ blob, ...wrong } = { blob: undefined }, ...more] = found.corrupt;
    assert.deepEqual([wrong, more], [{ store: 'directory(a), parts', ref: part!.ref }, []]);
    const all = [ref, refOf(utf8('two'))];
    assert.ok(all.includes(blob as typeof ref), 'told by the name that can be put again');
    const sound = (await bytesOf(stack.leaves.map(({ store }) => store))) - found.bytes;
    assert.equal(found.blobs, 7);
    assert.equal(sound, 6, 'of what is wrong no byte counts');
    for (const { name, store } of stack.leaves) {
      if (!name.endsWith('parts')) continue;
      await store.remove((await store.list()).map((info) => info.ref));
    }
    const lost = (await verifyStack(stack)).missing;
    assert.deepEqual([...lost].sort(), [ref, refOf(utf8('two'))].sort());
    await stack.store.close();
  });
});

it('verify names the copy that a member of a replica lacks, and mending gives it back', async () => {
  await withWorld(async (world) => {
    const line = 'replica(directory(a), packed, encrypt > directory(c))';
    const stack = await openStack(world, line);
    const refs: BlobRef[] = [];
    for (let n = 0; n < 30; n++) refs.push((await stack.store.put(utf8(`blob ${n}`))).ref);
    assert.equal((await verifyStack(stack)).lackingCount, 0);
    const [a, packed] = stack.leaves;
    await a!.store.remove([refs[3]!, refs[7]!]);
    await packed!.store.remove([refs[7]!]);
    const { lacking, lackingCount, missing } = await verifyStack(stack);
    const inOrder = [refs[3]!, refs[7]!].sort();
    assert.deepEqual(
      lacking.filter(({ store }) => store === 'directory(a)').map(({ ref }) => ref),
      inOrder,
    );
    assert.deepEqual([lackingCount, missing], [3, []]);
    assert.ok(lacking.some(({ store, ref }) => store === 'packed' && ref === refs[7]));
    const [replica] = stack.replicas;
    const { copied, failed } = await replica!.store.mend();
    assert.deepEqual([copied, failed], [3, []]);
    assert.equal((await verifyStack(stack)).lackingCount, 0);
    assert.equal((await a!.store.stats()).blobs, 30);
    await stack.store.close();
  });
});

it('a lost manifest of a stack is made anew', async () => {
  await withWorld(async (world) => {
    const text = 'cache(1MiB) > encrypt > directory';
    const stack = await openStack(world, text);
    const { ref } = await stack.store.put(utf8('one'));
    await stack.store.close();
    await rm(`${world.folder}/directory/manifests`, { recursive: true });
    assert.equal(await rebuildManifests(world, text, () => assert.fail()), 1);
    const again = await openStack(world, text);
    assert.equal(refOf(await again.store.get(ref)), ref);
    await again.store.close();
  });
});

it('a copy that is interrupted a hundred times ends equal, and names what cannot be copied', async () => {
  const random = new SeededRandom(5);
  const from = new MemoryStore();
  for (let n = 0; n < 300; n++) await from.put(utf8(`blob ${n}`));
  const to = new MemoryStore();
  for (let round = 0; round < 100; round++) {
    const controller = new AbortController();
    let left = 1 + (random.u32() % 6);
    await copyStore(from, to, {
      ...{ clock, signal: controller.signal },
      onProgress: () => --left <= 0 && controller.abort(),
    }).catch((error: { code: string }) => assert.equal(error.code, 'STORE_CANCELLED'));
  }
  const copied = await copyStore(from, to, { clock });
  assert.deepEqual(await to.list(), await from.list());
  assert.equal(copied.seen, 300);
  const rotten = new FaultStore(from, { clock, random }, [
    { method: 'get', kind: 'flip', percent: 100 },
  ]);
  const empty = new MemoryStore();
  const failed = await copyStore(rotten, empty, { clock });
  assert.deepEqual([failed.copied, failed.failed], [0, 300]);
  assert.equal(failed.failures[0]?.code, 'STORE_CORRUPT_BLOB');
});

it('a stack that cannot be opened leaves nothing open', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  await withWorld(async (world) => {
    const away = async () => {
      throw new RangeError('the bucket is away');
    };
    const broken = { ...world, disk, folder: '/store', openS3: away };
    await assert.rejects(openStack(broken, 'replica(packed, s3)'), RangeError);
    const again = await openStack({ ...broken, openS3: world.openS3 }, 'replica(packed, s3)');
    await again.store.close();
  });
});

async function bytesOf(stores: readonly Store[]): Promise<number> {
  let sum = 0;
  for (const store of stores) sum += (await store.stats()).bytes;
  return sum;
}
