// Whatever vanishes below an encrypted store, a sweep takes away nothing of a blob that was not removed.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { below as pick, SeededRandom } from '#base/random.ts';
import { StoreError } from '#store/errors.ts';
import { MemoryStore } from '#store/memory.ts';
import { refOf, type Store, walkStore } from '#store/store.ts';
import { EncryptStore, type EncryptWorld } from './encrypt.ts';
import { newKeyLine, parseKeys } from './key-file.ts';

/** Outlives who closes it. */
function lasting(): Store {
  return Object.assign(new MemoryStore(), { close: async () => {} });
}

function world(seed = 1): EncryptWorld {
  const random = new SeededRandom(seed);
  const keys = parseKeys(newKeyLine(random));
  return { parts: lasting(), manifests: lasting(), keys, random, clock: new SystemClock() };
}

async function refsIn(store: Store): Promise<BlobRef[]> {
  const refs: BlobRef[] = [];
  for await (const { ref } of walkStore(store)) refs.push(ref);
  return refs;
}

/** As after a crash in the middle of it. */
function crashing(store: Store, method: 'put' | 'remove'): Store {
  const fails = () => Promise.reject(new StoreError('STORE_WRITE_FAILED', 'The power is gone'));
  return new Proxy(store, {
    get: (target, name) => {
      if (name === method) return fails;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

it('blobs whose manifest vanished without a word are named again, few or all of them', async () => {
  for (const [blobs, lost] of [
    [2, 2],
    [120, 1],
    [120, 15],
  ] as const) {
    const below = world();
    const store = await EncryptStore.open(below);
    for (let n = 0; n < blobs; n++) await store.put(utf8(`blob ${n}`));
    await store.close();
    const manifests = await below.manifests.list();
    const small = manifests.toSorted((a, b) => a.bytes - b.bytes).slice(0, lost);
    await below.manifests.remove(small.map(({ ref }) => ref));
    const again = await EncryptStore.open(below);
    const { length } = await refsIn(again);
    assert.equal(length, blobs - lost);
    assert.equal(await again.unnamed(), lost);
    assert.deepEqual(await again.sweep(), { removed: 0, named: lost, unreadable: 0 });
    assert.equal(await again.unnamed(), 0);
    await again.close();
    const third = await EncryptStore.open(below);
    for (let n = 0; n < blobs; n++) await third.get(refOf(utf8(`blob ${n}`)));
    await third.close();
  }
});

it('what was removed stays removed, though its parts were left by a crash, also over merges', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  for (let n = 0; n < 3; n++) await store.put(utf8(`blob ${n}`));
  await store.close();
  const removing = await EncryptStore.open({ ...below, parts: crashing(below.parts, 'remove') });
  assert.equal(await removing.remove([refOf(utf8('blob 1'))]), 1);
  await removing.mergeManifests();
  await removing.close();
  assert.equal((await below.parts.stats()).blobs, 3);
  for (let opened = 0; opened < 2; opened++) {
    const merging = await EncryptStore.open(below);
    // So that there are two to merge.
    await merging.put(utf8(`opened ${opened}`));
    await merging.mergeManifests();
    await merging.close();
  }
  const swept = await EncryptStore.open(below);
  assert.equal(await swept.unnamed(), 0, 'nothing that nobody knows of');
  assert.deepEqual(await swept.sweep(), { removed: 1, named: 0, unreadable: 0 });
  assert.equal((await below.parts.stats()).blobs, 4);
  // Now nothing is left that it speaks of: the removal itself may go.
  await swept.put(utf8('one more, so that there are two to merge'));
  await swept.mergeManifests();
  await swept.close();
  const last = await EncryptStore.open(below);
  assert.deepEqual(await last.stat([refOf(utf8('blob 1'))]), []);
  assert.deepEqual(await last.sweep(), { removed: 0, named: 0, unreadable: 0 });
  await last.close();
});

it('a blob that was removed and put again is named again when the manifest of that put vanished', async () => {
  const below = world();
  const blob = utf8('twice');
  const store = await EncryptStore.open({ ...below, parts: crashing(below.parts, 'remove') });
  await store.put(blob);
  await store.remove([refOf(blob)]);
  const before = new Set(await refsIn(below.manifests));
  await store.put(blob);
  const [newest] = (await refsIn(below.manifests)).filter((ref) => !before.has(ref));
  await store.close();
  await below.manifests.remove([newest!]);
  const again = await EncryptStore.open(below);
  assert.deepEqual(await again.sweep(), { removed: 1, named: 1, unreadable: 0 });
  assert.deepEqual(Buffer.from(await again.get(refOf(blob))), Buffer.from(blob));
  await again.close();
});

it('parts of a blob that can be read in others are removed; those of one that cannot take its place', async () => {
  const below = world();
  const blob = utf8('sealed twice');
  const first = await EncryptStore.open({ ...below, manifests: crashing(below.manifests, 'put') });
  await assert.rejects(first.put(blob), { code: 'STORE_WRITE_FAILED' });
  await first.close();
  const [spare] = await refsIn(below.parts);
  const second = await EncryptStore.open(below);
  await second.put(blob);
  const [named] = (await refsIn(below.parts)).filter((ref) => ref !== spare);
  const body = await below.parts.get(named!);
  await below.parts.remove([named!]);
  assert.deepEqual(await second.sweep(), { removed: 0, named: 1, unreadable: 0 });
  assert.deepEqual(Buffer.from(await second.get(refOf(blob))), Buffer.from(blob));
  // The lost one comes back: one of them is enough.
  await below.parts.put(body);
  assert.deepEqual(await second.sweep(), { removed: 1, named: 0, unreadable: 0 });
  assert.deepEqual(await refsIn(below.parts), [spare]);
  await second.close();
});

it('parts of another key, and foreign bytes, stay and are counted', async () => {
  const [below, other] = [world(1), world(2)];
  const store = await EncryptStore.open(below);
  await store.put(utf8('mine'));
  const theirs = await EncryptStore.open({ ...other, parts: below.parts });
  await theirs.put(utf8('theirs'));
  await below.parts.put(utf8('no part at all'));
  assert.deepEqual(await store.sweep(), { removed: 0, named: 0, unreadable: 2 });
  await theirs.get(refOf(utf8('theirs')));
});

it('whatever manifests vanish and wherever it crashed, what was put and not removed can be read after a sweep', async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const random = new SeededRandom(seed);
    const below = world(seed);
    const wanted = new Map<BlobRef, Uint8Array>();
    for (let life = 0; life < 4; life++) {
      const isCrash = pick(random, 3) === 0;
      const parts = isCrash ? crashing(below.parts, 'remove') : below.parts;
      const store = await EncryptStore.open({ ...below, parts });
      for (let step = pick(random, 12); step > 0; step--) {
        const blob = utf8(`blob ${pick(random, 20)}`);
        if (pick(random, 3) > 0) {
          await store.put(blob);
          wanted.set(refOf(blob), blob);
        } else {
          await store.remove([refOf(blob)]);
          wanted.delete(refOf(blob));
        }
      }
      if (pick(random, 2) === 0) await store.mergeManifests();
      if (!isCrash && pick(random, 2) === 0) await store.sweep();
      await store.close();
    }
    for (const ref of await refsIn(below.manifests)) {
      if (pick(random, 3) === 0) await below.manifests.remove([ref]);
    }
    const store = await EncryptStore.open(below);
    await store.sweep();
    for (const [ref, blob] of wanted) {
      assert.deepEqual(Buffer.from(await store.get(ref)), Buffer.from(blob), `seed ${seed}`);
    }
    await store.close();
  }
});
