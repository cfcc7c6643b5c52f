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
  assert.deepEqual(await lostRoots(store, [pins], { signal }), {
    ...{ missing: [], missingCount: 0, seen: 2500, unread: [] },
  });
  await store.remove([first, last]);
  const lost = await lostRoots(store, [broken, pins], { signal });
  assert.deepEqual(lost.missing, [
    { ref: last, neededBy: 'archive' },
    { ref: first, neededBy: 'pins' },
  ]);
  assert.equal(lost.missingCount, 2);
  assert.deepEqual(lost.unread, [{ source: 'archive', why: 'a map is gone' }]);
  const look = await lostRoots(store, [pins, broken], { signal, isEnough: (seen) => seen >= 1000 });
  assert.deepEqual([look.seen, look.missingCount, look.unread], [1000, 1, []]);
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await assert.rejects(lostRoots(store, [pins], { signal: stop.signal }));
});
