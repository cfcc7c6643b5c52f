import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryStore } from '#store/memory.ts';
import { HeldCopies } from './held-copies.ts';
import { keeperRound } from './keeper.ts';
import type { KeeperLink, KeeperWork } from './keeper-work.ts';

const MIB = 1024 * 1024;

/** A server that has this to fetch, and gives a blob when others had their turn. */
function serverOf(fetch: KeeperWork['fetch'], fails: (copy: number) => boolean = () => false) {
  const seen = { underWay: 0, most: 0, held: [] as number[], mostWithLarge: 0 };
  const large = new Set(fetch.filter(({ bytes }) => bytes > MIB).map(({ copy }) => copy));
  const link: KeeperLink = {
    name: 'server',
    work: async () => ({ fetch, drop: [], prove: [], give: [] }),
    async blob(copy) {
      seen.underWay += 1;
      seen.most = Math.max(seen.most, seen.underWay);
      if (large.has(copy)) seen.mostWithLarge = Math.max(seen.mostWithLarge, seen.underWay);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      seen.underWay -= 1;
      if (fails(copy)) throw new Error(`${copy} cannot be given`);
      return Uint8Array.of(copy);
    },
    report: async (copy) => {
      seen.held.push(copy);
    },
    prove: async () => true,
    give: async () => undefined,
  };
  return { link, seen };
}

async function roundWith(link: KeeperLink): Promise<{ readonly fetched: number }> {
  const clock = new SimClock();
  const store = new MemoryStore();
  const copies = new HeldCopies({
    disk: new SimDisk({ random: new SeededRandom(1) }),
    folder: '/held',
  });
  const running = { clock, logger: silentLogger, link, copies, store: async () => store };
  const signal = new AbortController().signal;
  return await keeperRound({ ...running, bytesMax: 100 * MIB, removesBlobs: false }, 0, signal);
}

const SMALL = Array.from({ length: 30 }, (_, at) => ({ copy: at + 1, blobs: 2, bytes: 100 }));

test('small copies are fetched several at once, a large one by itself', async () => {
  const { link, seen } = serverOf([{ copy: 99, blobs: 2, bytes: 2 * MIB }, ...SMALL]);
  assert.equal((await roundWith(link)).fetched, 31);
  assert.equal(seen.most, 8);
  assert.equal(seen.mostWithLarge, 1);
  const expected = [...SMALL.map(({ copy }) => copy), 99];
  assert.deepEqual(
    seen.held.toSorted((a, b) => a - b),
    expected,
  );
});

test('a copy that fails is told when nothing is under way any more', async () => {
  const { link, seen } = serverOf(SMALL, (copy) => copy === 3);
  await assert.rejects(roundWith(link), /3 cannot be given/);
  assert.equal(seen.underWay, 0);
  assert.ok(!seen.held.includes(3));
});
