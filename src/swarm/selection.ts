// Which peers an answer holds (T11, T12): uniform, without repeats, never the asker. The candidates
// are the first entries of a peer list, since its runs stand in the right order: a seeder draws from
// the leechers' run, a leecher from the first three. Drawing is exact in all cases:
//
//   no more candidates than wanted         all of them
//   up to twice as many                    a partial shuffle of their places
//   more                                   random places, those drawn before are drawn again
//
// Entries are refused when they have not the asked hash version (hybrid torrents) or the asker's own
// address. When refusals are so many that drawing gets nowhere, what is missing is taken in order
// from a random place on. Nothing is allocated; the answer is written straight from the list.

import { assert } from '#base/assert.ts';
import type { SeededRandom } from '#base/random.ts';
import type { SwarmMemory } from './memory.ts';
import type { PeerList } from './peer-list.ts';

const SHUFFLED_PER_WANTED = 2;
/** Distinct places that are looked at before the rest is taken in order. Hybrid torrents, where a
 * peer may lack the asked hash, are worth more tries. */
const DRAWS_PER_WANTED_HYBRID = 16;
const DRAWS_PER_WANTED = 2;
const VIEWS_MAX = 4;
const STAMP_SHIFT = 24;
const PLACE_MASK = 0xff_ffff;
/** A power of two, so that multiplying with it is exact. */
const U32_INVERSE = 1 / 0x1_0000_0000;

/** What to draw; one object per Selection, filled by the caller each time. */
export interface Draw {
  torrent: number;
  /** Candidates are the places below. */
  candidates: number;
  /** The asker's own place, -1 when it has none. */
  asker: number;
  want: number;
  /** HASH_VERSION bit that every peer must have, 0 when any does. */
  hashVersion: number;
  /** The asker's address as an entry holds it; not read when `hasAddress` is false. */
  readonly address: Uint32Array;
  hasAddress: boolean;
}

export class Selection {
  readonly draw: Draw;
  readonly #words: Uint32Array;
  readonly #random: SeededRandom;
  readonly #shuffled: Uint32Array;
  /**
   * A set of drawn places, open addressing: place in the low 24 bits, stamp of the draw above. Slots
   * of another stamp are free, so the set is emptied once in 255 draws and not for each.
   */
  readonly #drawn: Int32Array;
  #stamp = 0;
  /** Answers that were written into before: a thread has three, one for each kind of peer. */
  readonly #views: { readonly bytes: Uint8Array; readonly view: DataView }[] = [];
  #into: DataView = new DataView(new ArrayBuffer(0));
  #written = 0;
  #first = 0;
  #entryWords = 3;

  constructor(
    memory: SwarmMemory,
    random: SeededRandom,
    shape: { wantMax: number; address: Uint32Array },
  ) {
    this.#words = memory.arena;
    this.#random = random;
    this.draw = {
      torrent: 0,
      candidates: 0,
      asker: -1,
      want: 0,
      hashVersion: 0,
      address: shape.address,
      hasAddress: false,
    };
    this.#shuffled = new Uint32Array(shape.wantMax * SHUFFLED_PER_WANTED);
    this.#drawn = new Int32Array(slotsFor(shape.wantMax * DRAWS_PER_WANTED_HYBRID));
  }

  /** Writes up to `draw.want` peers as 6 or 18 bytes each; returns how many. */
  select(list: PeerList, into: Uint8Array): number {
    const { draw } = this;
    this.#written = 0;
    if (draw.candidates === 0 || draw.want === 0) return 0;
    this.#into = this.#viewOf(into);
    this.#entryWords = list.entryWords;
    this.#first = list.entryAt(draw.torrent, 0);
    assert(draw.want * SHUFFLED_PER_WANTED <= this.#shuffled.length, 'want is within its maximum');
    const hasAsker = draw.asker >= 0 && draw.asker < draw.candidates;
    const others = hasAsker ? draw.candidates - 1 : draw.candidates;
    if (others <= draw.want) this.#takeAll();
    else if (others <= draw.want * SHUFFLED_PER_WANTED) this.#takeShuffled();
    else this.#takeDrawn(others, hasAsker);
    return this.#written;
  }

  #takeAll(): void {
    const { candidates, asker } = this.draw;
    for (let place = 0; place < candidates; place++) if (place !== asker) this.#take(place);
  }

  #takeShuffled(): void {
    const { candidates, asker, want } = this.draw;
    const shuffled = this.#shuffled;
    let count = 0;
    for (let place = 0; place < candidates; place++) if (place !== asker) shuffled[count++] = place;
    for (let at = 0; at < count && this.#written < want; at++) {
      const other = at + this.#below(count - at);
      const place = shuffled[other]!;
      shuffled[other] = shuffled[at]!;
      this.#take(place);
    }
  }

  #takeDrawn(others: number, hasAsker: boolean): void {
    const { asker, want, hashVersion } = this.draw;
    const drawn = this.#drawn;
    const perWanted = hashVersion === 0 ? DRAWS_PER_WANTED : DRAWS_PER_WANTED_HYBRID;
    // Past half of them most draws would be repeats, and with all refused there would be no end.
    const drawsMax = Math.min(want * perWanted, others >> 1);
    const mask = slotsFor(drawsMax) - 1;
    const stamp = this.#nextStamp();
    for (let draws = 0; this.#written < want && draws < drawsMax; ) {
      let place = this.#below(others);
      // The asker's place is left out of the numbering, so that all others are equally likely.
      if (hasAsker && place >= asker) place++;
      if (!markDrawn(drawn, mask, stamp | place)) continue;
      draws++;
      this.#take(place);
    }
    if (this.#written < want) this.#takeInOrder(mask, stamp);
  }

  /** For a hash version that few peers of a large swarm have. */
  #takeInOrder(mask: number, stamp: number): void {
    const { candidates, asker, want } = this.draw;
    const start = this.#below(candidates);
    for (let step = 0; step < candidates && this.#written < want; step++) {
      const place = (start + step) % candidates;
      if (place === asker || isDrawn(this.#drawn, mask, stamp | place)) continue;
      this.#take(place);
    }
  }

  #nextStamp(): number {
    this.#stamp = (this.#stamp + 1) & 0xff;
    if (this.#stamp === 0) {
      this.#drawn.fill(0);
      this.#stamp = 1;
    }
    return this.#stamp << STAMP_SHIFT;
  }

  /** Copies the entry at `place` into the answer unless it is refused. */
  #take(place: number): void {
    const words = this.#words;
    const entry = this.#first + place * this.#entryWords;
    const last = entry + this.#entryWords - 1;
    const { draw } = this;
    if (draw.hashVersion !== 0 && (words[last]! & (draw.hashVersion << 16)) === 0) return;
    if (draw.hasAddress && words[entry + 1] === draw.address[0] && this.#isAsker(entry)) return;
    const into = this.#into;
    let at = this.#written * (this.#entryWords * 4 - 6);
    this.#written++;
    for (let word = entry + 1; word < last; word++) {
      into.setUint32(at, words[word]!, true);
      at += 4;
    }
    into.setUint16(at, words[last]!, true);
  }

  #viewOf(into: Uint8Array): DataView {
    const views = this.#views;
    for (let at = 0; at < views.length; at++) if (views[at]!.bytes === into) return views[at]!.view;
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    if (views.length === VIEWS_MAX) views.shift();
    views.push({ bytes: into, view });
    return view;
  }

  #isAsker(entry: number): boolean {
    const { address } = this.draw;
    const last = this.#entryWords - 2;
    for (let word = 1; word < last; word++) {
      if (this.#words[entry + 1 + word] !== address[word]) return false;
    }
    return (this.#words[entry + 1 + last]! & 0xffff) === address[last];
  }

  /** A random place below `bound`; at most one part in 2^32 / bound off uniform. */
  #below(bound: number): number {
    return (this.#random.u32() * bound * U32_INVERSE) | 0;
  }
}

/** At most half of them are ever taken. */
function slotsFor(draws: number): number {
  return 1 << (33 - Math.clz32(draws));
}

/** Adds a place to the set; false when it is there. */
function markDrawn(drawn: Int32Array, mask: number, stamped: number): boolean {
  let slot = Math.imul(stamped & PLACE_MASK, 0x9e37_79b1) & mask;
  for (;;) {
    const found = drawn[slot]!;
    if (found === stamped) return false;
    if ((found ^ stamped) >>> STAMP_SHIFT !== 0) {
      drawn[slot] = stamped;
      return true;
    }
    slot = (slot + 1) & mask;
  }
}

function isDrawn(drawn: Int32Array, mask: number, stamped: number): boolean {
  let slot = Math.imul(stamped & PLACE_MASK, 0x9e37_79b1) & mask;
  while ((drawn[slot]! ^ stamped) >>> STAMP_SHIFT === 0) {
    if (drawn[slot] === stamped) return true;
    slot = (slot + 1) & mask;
  }
  return false;
}
