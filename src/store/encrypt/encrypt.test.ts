import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fromHex, toHex, utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { type CrashWorld, seedsUntilFound, surviveSeeds } from '#sim/store-crashes.ts';
import { DirectoryStore } from '#store/directory.ts';
import { FaultStore } from '#store/fault.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore } from '#store/store.conformance.ts';
import { BLOB_BYTES_MAX, refOf, type Store, walkStore } from '#store/store.ts';
import { EncryptStore, type EncryptWorld } from './encrypt.ts';
import { newKeyLine, parseKeys } from './key-file.ts';
import { decodeManifest, encodeManifest, type ManifestEntry } from './manifest.ts';
import { ManifestLog } from './manifest-log.ts';
import { encodePart, open, PART_BYTES_MAX, seal } from './sealed-blob.ts';

const keysOf = (...seeds: number[]) =>
  parseKeys(seeds.map((seed) => newKeyLine(new SeededRandom(seed))).join(''));

/** Memory that outlives the store over it. */
function lasting(): MemoryStore {
  const store = new MemoryStore();
  store.close = async () => {};
  return store;
}

function world(changes: Partial<EncryptWorld> = {}): EncryptWorld {
  const random = new SeededRandom(11);
  const clock = new SystemClock();
  return { parts: lasting(), manifests: lasting(), keys: keysOf(1), random, clock, ...changes };
}

describeStore('encrypt', async () => {
  const below = world();
  return {
    store: await EncryptStore.open(below),
    reopen: () => EncryptStore.open(below),
    dispose: async () => {},
  };
});

it('simulated crashes lose, double and invent no blob', async () => {
  await surviveSeeds(8, openOn);
  await seedsUntilFound(200, openOn, 'datasync');
});

async function openOn({ disk, random, clock }: CrashWorld): Promise<EncryptStore> {
  const folder = (name: string) => DirectoryStore.open({ folder: `/${name}`, disk });
  const below = { parts: await folder('parts'), manifests: await folder('manifests') };
  return EncryptStore.open({ ...below, keys: keysOf(1), random, clock });
}

it('an encrypted part and a manifest have the bytes their formats say', () => {
  const [key] = keysOf(1);
  const hash = fromHex('11'.repeat(32))!;
  const inner = encodePart({ hash, size: 3, part: 0, parts: 1, bytes: utf8('abc') });
  assert.equal(toHex(inner), `${'11'.repeat(32)}0300000000010000616263`);
  const sealed = seal(inner, 'part', key!, new SeededRandom(3));
  assert.equal(toHex(sealed), GOLDEN_PART);
  assert.deepEqual(Buffer.from(open(fromHex(GOLDEN_PART)!, 'part', keysOf(1))), Buffer.from(inner));
  const part = fromHex('22'.repeat(32))!;
  const entries = [
    { hash, size: 3, sequence: 7, keyId: '0011223344556677', parts: [part] },
    { hash, size: 0, sequence: 8, keyId: '', parts: [] },
    { hash, size: 0, sequence: 9, keyId: '', parts: [], removed: [part] },
  ];
  const bytes = encodeManifest(entries);
  assert.equal(
    toHex(bytes),
    `534b4d3103000000${'01010000030000000700000000000000'}${'11'.repeat(32)}0011223344556677` +
      `${'22'.repeat(32)}02000000000000000800000000000000${'11'.repeat(32)}0000000000000000` +
      `03010000000000000900000000000000${'11'.repeat(32)}0000000000000000${'22'.repeat(32)}`,
  );
  assert.deepEqual(decodeManifest(bytes), entries);
});

it('a blob of 16 MiB is kept in two parts, and each blob costs few bytes of memory', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  for (const size of [PART_BYTES_MAX, PART_BYTES_MAX + 1, BLOB_BYTES_MAX]) {
    const blob = new Uint8Array(size).fill(5);
    const { ref } = await store.put(blob);
    assert.ok(Buffer.from(blob).equals(await store.get(ref)));
  }
  assert.equal((await below.parts.stats()).blobs, 5);
});

it('nothing of a blob, nor its name, stands in what is kept', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  const text = 'a sentence that somebody might look for';
  const { ref } = await store.put(utf8(text.repeat(20)));
  const hash = Buffer.from(ref.slice(7), 'hex');
  for (const kept of [below.parts, below.manifests]) {
    for await (const { ref: name } of walkStore(kept)) {
      assert.notEqual(name, ref);
      const bytes = Buffer.from(await kept.get(name));
      for (const secret of [text, hash, ref]) assert.equal(bytes.indexOf(secret), -1);
    }
  }
  const twice = await EncryptStore.open(world({ random: new SeededRandom(12) }));
  await twice.put(utf8(text.repeat(20)));
});

/** A store below that gives what somebody else wants it to give. */
class LyingStore extends MemoryStore {
  readonly lies = new Map<BlobRef, Uint8Array>();
  override async get(ref: BlobRef): Promise<Uint8Array> {
    return this.lies.get(ref)?.slice() ?? super.get(ref);
  }
}

it('parts that are swapped, cut, flipped, replayed or taken for another kind are refused', async () => {
  const parts = new LyingStore();
  const below = world({ parts });
  const store = await EncryptStore.open(below);
  const partOf = async (blob: Uint8Array) => {
    const before = new Set((await parts.list()).map(({ ref }) => ref));
    await store.put(blob);
    return (await parts.list()).map(({ ref }) => ref).find((ref) => !before.has(ref)) as BlobRef;
  };
  const blob = utf8('the blob that is asked for');
  const ref = refOf(blob);
  const old = await partOf(blob);
  const oldBytes = await parts.get(old);
  const other = await parts.get(await partOf(utf8('another blob of this stor.')));
  const [manifest] = await below.manifests.list();
  const asked = old;
  const lies: [string, Uint8Array][] = [
    ['another blob of this store', other],
    ['a manifest', await below.manifests.get(manifest!.ref)],
    ['nothing', new Uint8Array(0)],
    ['another key', seal(encodePart(partsLike(blob)), 'part', keysOf(2)[0]!, new SeededRandom(5))],
  ];
  for (let at = 0; at < oldBytes.byteLength; at++) {
    const flipped = oldBytes.slice();
    flipped[at]! ^= 1 << (at % 8);
    lies.push([`byte ${at} flipped`, flipped], [`cut at ${at}`, oldBytes.slice(0, at)]);
  }
  for (const [what, bytes] of lies) {
    parts.lies.set(asked, bytes);
    const error = await store.get(ref).catch((caught: { code: string }) => caught);
    const code = 'code' in error ? error.code : 'given';
    assert.ok(code === 'STORE_CORRUPT_BLOB' || code === 'STORE_KEY_MISSING', `${what}: ${code}`);
  }
  // What was sealed for the same blob before is the same blob: giving it again changes nothing.
  parts.lies.clear();
  assert.equal((await store.put(blob)).new, true, 'found corrupt, so it is stored again');
  assert.equal(refOf(await store.get(ref)), ref);
});

const partsLike = (blob: Uint8Array) => ({
  ...{
    hash: fromHex(refOf(blob).slice(7))!,
    size: blob.byteLength,
    part: 0,
    parts: 1,
    bytes: blob,
  },
});

it('a manifest that is altered, or of a key that is gone, is refused by name', async () => {
  const manifests = new LyingStore();
  manifests.close = async () => {};
  const below = world({ manifests });
  const store = await EncryptStore.open(below);
  await store.put(utf8('blob'));
  const [{ ref }] = (await manifests.list()) as never as [{ ref: BlobRef }];
  const bytes = await manifests.get(ref);
  bytes[bytes.byteLength - 1]! ^= 1;
  manifests.lies.set(ref, bytes);
  await assert.rejects(EncryptStore.open(below), { code: 'STORE_MANIFEST_DAMAGED' });
  manifests.lies.clear();
  const rotated = { ...below, keys: keysOf(2) };
  await assert.rejects(EncryptStore.open(rotated), { code: 'STORE_KEY_MISSING' });
});

it('a rotation encrypts everything anew, and then the old key can go', async () => {
  const below = world();
  const first = await EncryptStore.open(below);
  const blobs = Array.from({ length: 30 }, (_, n) => utf8(`blob ${n}`));
  for (const blob of blobs) await first.put(blob);
  await first.close();
  const second = await EncryptStore.open({ ...below, keys: keysOf(2, 1) });
  assert.equal(await second.reencrypt(), 30);
  assert.equal(await second.reencrypt(), 0);
  for (const blob of blobs) assert.equal(refOf(await second.get(refOf(blob))), refOf(blob));
  assert.equal((await below.parts.stats()).blobs, 30, 'what the old key made is gone');
  await second.close();
  const third = await EncryptStore.open({ ...below, keys: keysOf(2) });
  for (const blob of blobs) assert.equal(refOf(await third.get(refOf(blob))), refOf(blob));
});

it('many small manifests become few, and removals stay in force', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  for (let n = 0; n < 400; n++) {
    await store.put(utf8(`blob ${n}`));
    if (n % 3 === 0) await store.remove([refOf(utf8(`blob ${n}`))]);
  }
  await store.close();
  assert.ok((await below.manifests.stats()).blobs < 110);
  const again = await EncryptStore.open(below);
  for (let n = 0; n < 400; n++) {
    assert.equal((await again.stat([refOf(utf8(`blob ${n}`))])).length, n % 3 === 0 ? 0 : 1);
  }
});

it('a sweep leaves what it cannot read, and the parts of puts under way', async () => {
  const parts = lasting();
  const slow = { method: 'put', kind: 'delay', percent: 100, delayMs: 20 } as const;
  const random = new SeededRandom(2);
  const manifests = new FaultStore(lasting(), { clock: new SystemClock(), random }, []);
  const store = await EncryptStore.open(world({ parts, manifests }));
  await store.put(utf8('kept'));
  await parts.put(utf8('left by a crash'));
  manifests.rules = [slow];
  const putting = store.put(utf8('under way'));
  while ((await parts.stats()).blobs < 3) await new Promise((go) => setImmediate(go));
  assert.deepEqual(await store.sweep(), { removed: 0, named: 0, unreadable: 1 });
  await putting;
  assert.equal((await parts.stats()).blobs, 3);
  for (const text of ['kept', 'under way']) await store.get(refOf(utf8(text)));
});

it('a removal outlives a merge while an older entry stands in a manifest that was not merged', async () => {
  const store = lasting();
  const clock = new SystemClock();
  const world = { store, keys: keysOf(1), random: new SeededRandom(2), clock };
  const log = await ManifestLog.open(world, () => {});
  const random = new SeededRandom(3);
  const entry = (hash: Uint8Array, parts: Uint8Array[]) => ({
    ...{ hash, size: 0, sequence: log.nextSequence(), keyId: '', parts },
  });
  const hashes = Array.from({ length: 50_000 }, () => random.bytes(32));
  await log.append(
    hashes.map((hash) => entry(hash, [hash])),
    false,
  );
  const gone = hashes[77]!;
  await log.append([entry(gone, [])], false);
  await log.append([entry(random.bytes(32), [gone])], false);
  assert.equal(log.count, 3);
  const isGone = (hash: Uint8Array) => toHex(hash) === toHex(gone);
  const live = { isLive: (one: ManifestEntry) => !isGone(one.hash), isSwept: () => true };
  await log.merge({ ...live, isThere: (hash) => !isGone(hash) });
  assert.equal(log.count, 2);
  let last: ManifestEntry | undefined;
  await ManifestLog.open(world, (one) => {
    if (isGone(one.hash) && one.sequence > (last?.sequence ?? 0)) last = one;
  });
  assert.equal(last?.parts.length, 0);
});

it('a manifest that is lost is made anew from the parts', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  const blobs = [utf8('one'), utf8('two'), new Uint8Array(BLOB_BYTES_MAX).fill(3)];
  for (const blob of blobs) await store.put(blob);
  await store.put(utf8('removed'));
  await store.remove([refOf(utf8('removed'))]);
  await below.parts.put(utf8('no part'));
  await store.close();
  const manifests: Store = lasting();
  const unreadable: BlobRef[] = [];
  const made = await EncryptStore.rebuild({ ...below, manifests }, (ref) => unreadable.push(ref));
  assert.equal(made, 3);
  assert.deepEqual(unreadable, [refOf(utf8('no part'))]);
  const again = await EncryptStore.open({ ...below, manifests });
  for (const blob of blobs) assert.equal(refOf(await again.get(refOf(blob))), refOf(blob));
});

it('a merge that ends halfway brings no removed blob back', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  const blob = utf8('removed');
  const ref = refOf(blob);
  await store.put(blob);
  const before = new Set((await below.manifests.list()).map((one) => one.ref));
  await store.remove([ref]);
  const remove = below.manifests.remove.bind(below.manifests);
  below.manifests.remove = async (refs) => {
    await remove(refs.filter((one) => !before.has(one)));
    throw new Error('killed');
  };
  await assert.rejects(store.mergeManifests(), /killed/);
  const again = await EncryptStore.open(below);
  assert.deepEqual(await again.stat([ref]), []);
  below.manifests.remove = remove;
  // Once nothing older is there, and none of its parts, the removal goes too.
  assert.deepEqual(await again.sweep(), { removed: 0, named: 0, unreadable: 0 });
  for (let merge = 0; merge < 2; merge++) {
    await again.put(utf8(`another ${merge}`));
    await again.mergeManifests();
  }
  let entries = 0;
  await ManifestLog.open({ ...below, store: below.manifests }, () => entries++);
  assert.equal(entries, 2);
});

it('a manifest that was hidden and comes back undoes nothing that was put meanwhile', async () => {
  const below = world();
  const first = await EncryptStore.open(below);
  const blob = utf8('kept twice');
  const ref = refOf(blob);
  await first.put(blob);
  await first.remove([ref]);
  await first.close();
  const hidden: Uint8Array[] = [];
  for await (const { ref: name } of walkStore(below.manifests)) {
    hidden.push(await below.manifests.get(name));
    await below.manifests.remove([name]);
  }
  const clock = new SystemClock();
  const laterMs = clock.nowMs() + 1000;
  clock.nowMs = () => laterMs;
  const second = await EncryptStore.open({ ...below, clock, random: new SeededRandom(77) });
  await second.put(blob);
  await second.close();
  for (const bytes of hidden) await below.manifests.put(bytes);
  const third = await EncryptStore.open(below);
  assert.equal(refOf(await third.get(ref)), ref);
});

it('what is lost below is stored again when it is put again', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  const blob = utf8('lost below');
  await store.put(blob);
  assert.equal((await store.put(blob)).new, false);
  for await (const { ref } of walkStore(below.parts)) await below.parts.remove([ref]);
  assert.equal((await store.put(blob)).new, true);
  assert.equal(refOf(await store.get(refOf(blob))), refOf(blob));
});

it('a manifest that a stream passes over is read all the same', async () => {
  const below = world();
  const store = await EncryptStore.open(below);
  await store.put(utf8('named in it'));
  await store.close();
  const passedOver: Store = Object.assign(below.manifests, {
    async *stream() {},
  });
  const again = await EncryptStore.open({ ...below, manifests: passedOver });
  assert.equal(refOf(await again.get(refOf(utf8('named in it')))), refOf(utf8('named in it')));
  assert.deepEqual(await again.sweep(), { removed: 0, named: 0, unreadable: 0 });
  await again.close();
});

it('a rebuild that ends halfway is not undone by an older manifest that is left', async () => {
  const below = world({ keys: keysOf(2, 1) });
  const old = await EncryptStore.open({ ...below, keys: keysOf(1) });
  const blob = utf8('encrypted twice');
  for (let n = 0; n < 20; n++) await old.put(utf8(`blob ${n}`));
  await old.put(blob);
  await old.close();
  const [left] = await Promise.all(
    (await below.manifests.list()).slice(-1).map(({ ref }) => below.manifests.get(ref)),
  );
  const renewed = await EncryptStore.open(below);
  await renewed.reencrypt();
  await renewed.close();
  assert.equal(await EncryptStore.rebuild(below, () => {}), 21);
  await below.manifests.put(left!);
  const again = await EncryptStore.open(below);
  for (let n = 0; n < 20; n++) await again.get(refOf(utf8(`blob ${n}`)));
  await again.get(refOf(blob));
});

it('a blob whose parts are of two keys after a rebuild is encrypted anew before the old key goes', async () => {
  for (const newPart of [0, 1]) {
    const below = world({ keys: keysOf(2, 1) });
    const blob = new Uint8Array(BLOB_BYTES_MAX).fill(9);
    const hash = fromHex(refOf(blob).slice(7))!;
    const sealed = (part: number, seed: number): Uint8Array => {
      const bytes = blob.subarray(part * PART_BYTES_MAX, (part + 1) * PART_BYTES_MAX);
      const inner = encodePart({ hash, size: blob.byteLength, part, parts: 2, bytes });
      return seal(inner, 'part', keysOf(part === newPart ? 2 : 1)[0]!, new SeededRandom(seed));
    };
    const first = sealed(0, 0);
    // The part of the new key is the one that is found last, whose key was taken for the blob's.
    const isLast = (one: Uint8Array) => refOf(one) > refOf(first) === (newPart === 1);
    const second = Array.from({ length: 64 }, (_, seed) => sealed(1, seed)).find(isLast)!;
    for (const part of [first, second]) await below.parts.put(part);
    assert.equal(await EncryptStore.rebuild(below, () => {}), 1);
    const store = await EncryptStore.open(below);
    assert.equal(await store.reencrypt(), 1);
    await store.close();
    const after = await EncryptStore.open({ ...below, keys: keysOf(2) });
    assert.equal(refOf(await after.get(refOf(blob))), refOf(blob));
  }
});

it('a key file is read line by line, and no mistake passes or is repeated in the error', () => {
  const [first, second] = [1, 2].map((seed) => newKeyLine(new SeededRandom(seed)));
  assert.equal(parseKeys(`# mine\n\n${first}  ${second}`).length, 2);
  const mistyped = first!.replace(/.\n$/, (last) => (last === '0\n' ? '1\n' : '0\n'));
  for (const text of ['', '# nothing', 'x', mistyped, `${first}${first}`, first!.slice(0, 60)]) {
    const key = first!.slice(-65, -1);
    assert.throws(
      () => parseKeys(text),
      (error: { code: string; message: string }) =>
        error.code === 'STORE_KEYS_INVALID' && !error.message.includes(key.slice(0, 10)),
    );
  }
});

const GOLDEN_PART =
  '534b4531010000009798e294aa27cbf6f356e07154ddcee7b810163503440fc632bc5b83f92869cc521ed345960edd0e' +
  '5e1d8fb760a37766df7dba1041ccf15656af33b44422c1441df78e00766b3a937a2c6fbfdbb1c5b155b8117fc11774d0' +
  'b359c2c57d1ba4a8d121f8';
