// One thread's view of the swarm's memory: a typed array for each region of layout.ts. Any number of
// threads may hold one over the same SharedArrayBuffer.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { SwarmConfig } from './config.ts';
import { HEADER, HEADER_WORDS, LOCK_WORDS, MAGIC, swarmLayout } from './layout.ts';
import { lock, unlock } from './lock.ts';

export class SwarmMemory {
  readonly shards: number;
  readonly torrentsMax: number;
  readonly peersMax: number;
  readonly header: Int32Array;
  readonly locks: Int32Array;
  readonly idIndex: Int32Array;
  readonly hashIndex: Int32Array;
  readonly peerIndex: Int32Array;
  readonly members: Int32Array;
  readonly torrents: Uint32Array;
  readonly peers: Uint32Array;
  readonly extensions: Uint32Array;
  readonly streams: Uint32Array;
  /** The same memory as `streams`. */
  readonly streamNumbers: Float64Array;
  readonly arena: Uint32Array;
  readonly tags: Uint8Array;
  readonly arenaUnits: number;
  /** Mixed into every hash, so that nobody outside can aim at one bucket. */
  readonly seed: number;
  readonly #startedMs: Float64Array;

  static reserve(config: SwarmConfig): SharedArrayBuffer {
    return new SharedArrayBuffer(swarmLayout(config).words * 4);
  }

  /** The first over fresh memory marks it as begun; the others must have the same config. */
  constructor(world: {
    readonly memory: SharedArrayBuffer;
    readonly clock: Clock;
    readonly random: Random;
    readonly config: SwarmConfig;
  }) {
    const { memory, clock, random } = world;
    const layout = swarmLayout(world.config);
    assert(memory.byteLength === layout.words * 4, 'the memory was reserved with this config');
    const signed = (at: number, words: number): Int32Array => new Int32Array(memory, at * 4, words);
    const words = (at: number, until: number): Uint32Array =>
      new Uint32Array(memory, at * 4, until - at);
    this.shards = layout.shards;
    this.torrentsMax = layout.torrentsMax;
    this.peersMax = layout.peersMax;
    this.arenaUnits = layout.arenaUnits;
    this.header = signed(0, HEADER_WORDS);
    this.locks = signed(layout.locksAt, layout.shards * LOCK_WORDS);
    this.idIndex = signed(layout.idIndexAt, layout.idBuckets);
    this.hashIndex = signed(layout.hashIndexAt, layout.hashBuckets);
    this.peerIndex = signed(layout.peerIndexAt, layout.peerBuckets);
    this.members = signed(layout.membersAt, layout.memberSlots * 2);
    this.torrents = words(layout.torrentsAt, layout.peersAt);
    this.peers = words(layout.peersAt, layout.extensionsAt);
    this.extensions = words(layout.extensionsAt, layout.streamsAt);
    this.streams = words(layout.streamsAt, layout.arenaAt);
    this.streamNumbers = new Float64Array(memory, layout.streamsAt * 4, this.streams.length / 2);
    this.arena = words(layout.arenaAt, layout.tagsAt);
    this.tags = new Uint8Array(memory, layout.tagsAt * 4, layout.arenaUnits);
    this.#startedMs = new Float64Array(memory, HEADER.startedMs * 4, 1);
    lock(this.header, HEADER.slabLock);
    if (this.header[HEADER.ready] === 0) {
      this.header[HEADER.magic] = MAGIC;
      this.header[HEADER.check] = checkOf(layout);
      this.header[HEADER.seed] = random.u32();
      this.#startedMs[0] = clock.nowMs();
      this.header[HEADER.ready] = 1;
    }
    unlock(this.header, HEADER.slabLock);
    assert(this.header[HEADER.magic] === MAGIC, 'the memory is a swarm');
    assert(this.header[HEADER.check] === checkOf(layout), 'every thread has the same config');
    this.seed = this.header[HEADER.seed]!;
  }

  /** Wall time at which the first Swarm was made over this memory, Unix ms. */
  get startedMs(): number {
    return this.#startedMs[0]!;
  }
}

function checkOf(layout: object): number {
  let check = 17;
  for (const size of Object.values(layout) as number[]) check = (Math.imul(check, 31) + size) | 0;
  return check;
}
