import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';
import { MemoryStore } from '#store/memory.ts';
import { lostRoots } from './lost-roots.ts';

test('what rooms refer to and nobody has is named, also when a room cannot tell all of it', async () => {
  const store = new MemoryStore();
  const refs: BlobRef[] = [];
  for (let at = 0; at < 2500; at++) refs.push((await store.put(utf8(`blob ${at}`))).ref);
  const [first, last] = [refs[0] as BlobRef, refs[2499] as BlobRef];
  const pins = {
    name: 'pins',
    refs: async function* () {
      yield* refs;
    },
  };
  const broken = {
    name: 'archive',
    async *refs() {
      yield last;
      throw new Error('a map is gone');
    },
  };
  const { signal } = new AbortController();
  assert.deepEqual(await lostRoots(store, [pins], signal), { missing: [], unread: [] });
  await store.remove([first, last]);
  const lost = await lostRoots(store, [broken, pins], signal);
  assert.deepEqual(lost.missing.toSorted(), [first, last].sort());
  assert.deepEqual(lost.unread, [{ source: 'archive', why: 'a map is gone' }]);
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await assert.rejects(lostRoots(store, [pins], stop.signal));
});
