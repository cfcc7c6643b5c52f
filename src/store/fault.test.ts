import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { type FaultRule, FaultStore } from './fault.ts';
import { MemoryStore } from './memory.ts';
import { describeStore } from './store.conformance.ts';
import { refOf } from './store.ts';

const world = { clock: new SystemClock(), random: new SeededRandom(1) };

describeStore('fault without rules', async () => ({
  store: new FaultStore(new MemoryStore(), world, []),
  reopen: undefined,
  dispose: async () => {},
}));

const refs = ['a', 'b', 'c'].map((text) => refOf(utf8(text)));
const CASES: [FaultRule['method'], FaultRule['kind'], string, number][] = [
  ['put', 'fail', 'STORE_WRITE_FAILED', 3],
  ['put', 'lose', 'STORE_WRITE_FAILED', 4],
  ['put', 'tear', 'STORE_WRITE_FAILED', 3],
  ['get', 'fail', 'STORE_READ_FAILED', 3],
  ['get', 'flip', 'STORE_CORRUPT_BLOB', 3],
  ['get', 'tear', 'STORE_CORRUPT_BLOB', 3],
  ['remove', 'fail', 'STORE_WRITE_FAILED', 3],
  ['remove', 'lose', 'STORE_WRITE_FAILED', 0],
  ['remove', 'tear', 'STORE_WRITE_FAILED', 1],
];
for (const [method, kind, code, left] of CASES) {
  it(`${method}, ${kind}: ${code}, and ${left} blobs are there then`, async () => {
    const inner = new MemoryStore();
    for (const text of ['a', 'b', 'c']) await inner.put(utf8(text));
    const store = new FaultStore(inner, world, [{ method, kind, percent: 100 }]);
    const calls = {
      put: () => store.put(utf8('d')),
      get: () => store.get(refs[0]!),
      remove: () => store.remove(refs),
    };
    await assert.rejects(calls[method as keyof typeof calls](), { code });
    assert.equal((await inner.list()).length, left);
  });
}
