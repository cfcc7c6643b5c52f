// The streams records: what accounting remembers of a baseline beside its counters (BaselineStreams).
// Few baselines have one, so it has no word in the peer record: its number stands where the client's
// key does, and the key in it. Calls need the torrent's shard lock.

import { assert } from '#base/assert.ts';
import { type BaselineNumbers, type BaselineStreams, STREAM_NUMBERS_MAX } from './baseline.ts';
import { HEADER, PEER, PEER_FLAG, PEER_WORDS, STREAMS, STREAMS_WORDS } from './layout.ts';
import type { SwarmMemory } from './memory.ts';
import { Slab } from './slab.ts';

const RECORD_DOUBLES = STREAMS_WORDS / 2;
const NUMBERS_AT = STREAMS.numbers / 2;
const STREAMS_MAX = 4;
const NUMBERS = STREAM_NUMBERS_MAX / STREAMS_MAX;

export class PeerStreams {
  readonly records: Slab;
  readonly #peers: Uint32Array;
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;

  constructor(memory: SwarmMemory) {
    this.#peers = memory.peers;
    this.#words = memory.streams;
    this.#doubles = memory.streamNumbers;
    this.records = new Slab(memory.header, memory.streams, {
      headerAt: HEADER.streamsSlab,
      recordWords: STREAMS_WORDS,
      nextAt: STREAMS.count,
      recordsMax: memory.peersMax,
    });
  }

  /** Fills `key` and `streams`, whose numbers beyond the count stay as they are. */
  read(peer: number, into: { key: number; readonly streams: BaselineStreams }): void {
    const at = peer * PEER_WORDS;
    const word = this.#peers[at + PEER.key]!;
    const { streams } = into;
    if ((this.#peers[at + PEER.flags]! & PEER_FLAG.streams) === 0) {
      into.key = word;
      streams.count = 0;
      return;
    }
    into.key = this.#words[word * STREAMS_WORDS + STREAMS.key]!;
    streams.count = this.#words[word * STREAMS_WORDS + STREAMS.count]!;
    const first = word * RECORD_DOUBLES + NUMBERS_AT;
    for (let number = 0; number < streams.count * NUMBERS; number++) {
      streams.numbers[number] = this.#doubles[first + number]!;
    }
  }

  /** Writes `key` and `streams`; none at all take no record. */
  write(peer: number, { key, streams }: BaselineNumbers): void {
    const at = peer * PEER_WORDS;
    const peers = this.#peers;
    if (streams === undefined || streams.count === 0) {
      this.free(peer);
      peers[at + PEER.key] = key;
      return;
    }
    assert(streams.count <= STREAMS_MAX, 'the streams fit their record');
    const has = (peers[at + PEER.flags]! & PEER_FLAG.streams) !== 0;
    const record = has ? peers[at + PEER.key]! : this.records.take();
    // There are as many as peers, and each has one at most.
    assert(record !== 0, 'a streams record is free');
    this.#words[record * STREAMS_WORDS + STREAMS.count] = streams.count;
    this.#words[record * STREAMS_WORDS + STREAMS.key] = key;
    const first = record * RECORD_DOUBLES + NUMBERS_AT;
    for (let number = 0; number < streams.count * NUMBERS; number++) {
      this.#doubles[first + number] = streams.numbers[number]!;
    }
    peers[at + PEER.flags]! |= PEER_FLAG.streams;
    peers[at + PEER.key] = record;
  }

  /** Gives the record back, if there is one; the key is gone with it. */
  free(peer: number): void {
    const at = peer * PEER_WORDS;
    if ((this.#peers[at + PEER.flags]! & PEER_FLAG.streams) === 0) return;
    this.records.give(this.#peers[at + PEER.key]!);
    this.#peers[at + PEER.flags]! &= ~PEER_FLAG.streams;
    this.#peers[at + PEER.key] = 0;
  }
}
