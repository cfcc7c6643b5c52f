// Locks in shared memory. A lock is one word: 0 free, 1 held, 2 held and someone sleeps on it.
// Uncontended, taking and giving back are one atomic exchange each. Holders never allocate, never
// call out and hold for microseconds, so a waiter spins first and sleeps only when the holder has
// lost its core. Order when nested: shard, torrent index, peer bucket, slabs. No thread holds two of
// a kind (torrent-table.ts asserts it of shards), and none takes an earlier kind while it holds a
// later one, so there is no circle to wait in. Beside them stands the queue of records, which is
// entered under a shard and takes no lock at all.
//
// A thread that dies with a lock leaves it locked. That ends the process (T22), and the memory with
// it, so no lock need survive its holder.

/** About as long as an announce holds a shard; past that the holder is likely not running. */
const SPINS_MAX = 2000;
/** A sleeper looks again by itself, so that a lost wake-up costs a millisecond and not the swarm. */
const SLEEP_MS = 1;

export function lock(words: Int32Array, at: number): void {
  if (Atomics.compareExchange(words, at, 0, 1) !== 0) lockSlowly(words, at);
}

export function unlock(words: Int32Array, at: number): void {
  if (Atomics.exchange(words, at, 0) === 2) Atomics.notify(words, at, 1);
}

function lockSlowly(words: Int32Array, at: number): void {
  for (let spin = 0; spin < SPINS_MAX; spin++) {
    // Reading first keeps the cache line shared while somebody else holds the lock.
    if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, 1) === 0) return;
  }
  while (Atomics.exchange(words, at, 2) !== 0) Atomics.wait(words, at, 2, SLEEP_MS);
}

const BUCKET_LOCKED = 1 << 31;
/** The bits of a bucket that are its chain's first, for who reads it without the lock. */
export const BUCKET_FIRST = 0x7fff_ffff;

/** Takes the lock in bit 31 of an index bucket; returns the word below it, the chain's first. */
export function lockBucket(words: Int32Array, at: number): number {
  for (let spin = 0; ; spin++) {
    // A plain read: whether it still holds is for the exchange to say.
    const first = words[at]!;
    if (first >= 0 && Atomics.compareExchange(words, at, first, first | BUCKET_LOCKED) === first) {
      return first;
    }
    // Nobody wakes a waiter here: the time limit does.
    if (spin >= SPINS_MAX) Atomics.wait(words, at, first | BUCKET_LOCKED, SLEEP_MS);
  }
}

/** Gives the bucket back with `first` as its chain. */
export function unlockBucket(words: Int32Array, at: number, first: number): void {
  Atomics.store(words, at, first);
}
