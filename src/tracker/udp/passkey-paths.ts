// What members' announces name themselves by (BEP 41), remembered by its bytes as they came: a client
// sends the same options with each announce, and taking them apart and looking for the key's holder
// costs more than all else that a passkey does. Only what was admitted is remembered, so that nobody
// else can push it out. Two clients that share a place take it from each other, which allocates nothing:
// each place has one key, made once and written over.

import { assert } from '#base/assert.ts';
import type { AnnounceKey, KeyMemo } from '#tracker/announce/admit.ts';

const PLACES = 1 << 14;
/** Longer options are read anew each time. */
const WORDS = 16;
const OPTIONS_BYTES_MAX = WORDS * 4;

/** Good until the next call of `remember`. */
export interface RememberedKey extends AnnounceKey {
  passkeyBytes: number;
  /** Who announced by it last: a guess, to look ahead by. */
  memberId: number;
  readonly memo: KeyMemo;
}

export class PasskeyPaths {
  /** How often `remember` was called: what was found before may be another key since. */
  changes = 0;
  readonly #words = new Int32Array(PLACES * WORDS);
  /** Bytes of each place's options, 0 for none. */
  readonly #lengths = new Uint8Array(PLACES);
  readonly #keys: (RememberedKey | undefined)[] = new Array(PLACES).fill(undefined);

  /** The key that options of these very bytes held before. `bits` are some of them, of every part. */
  find(view: DataView, at: number, length: number, bits: number): RememberedKey | undefined {
    const place = placeOf(bits);
    if (this.#lengths[place] !== length) return undefined;
    const first = place * WORDS;
    const whole = length >>> 2;
    for (let word = 0; word < whole; word++) {
      if (this.#words[first + word] !== view.getInt32(at + word * 4)) return undefined;
    }
    if ((length & 3) !== 0 && this.#words[first + whole] !== restOf(view, at, length)) {
      return undefined;
    }
    return this.#keys[place];
  }

  /** The same options held this key of this member; it is copied. What is too long is not remembered. */
  remember(
    view: DataView,
    at: number,
    length: number,
    as: { readonly bits: number; readonly key: AnnounceKey; readonly memberId: number },
  ): void {
    if (length > OPTIONS_BYTES_MAX) return;
    this.changes++;
    assert(length > 0, 'no key comes without options');
    const place = placeOf(as.bits);
    const first = place * WORDS;
    const whole = length >>> 2;
    for (let word = 0; word < whole; word++) {
      this.#words[first + word] = view.getInt32(at + word * 4);
    }
    if ((length & 3) !== 0) this.#words[first + whole] = restOf(view, at, length);
    this.#lengths[place] = length;
    this.#keys[place] ??= newKey();
    const key = this.#keys[place];
    const { passkey, passkeyBytes } = as.key;
    for (let byte = 0; byte < passkeyBytes; byte++) key.passkey[byte] = passkey[byte]!;
    key.passkeyBytes = passkeyBytes;
    key.memberId = as.memberId;
    key.memo.holder = undefined;
    key.memo.version = -1;
  }
}

function newKey(): RememberedKey {
  const passkey = new Uint8Array(OPTIONS_BYTES_MAX);
  return { passkey, passkeyBytes: 0, memberId: 0, memo: { holder: undefined, version: -1 } };
}

function placeOf(bits: number): number {
  return (Math.imul(bits, 0x9e37_79b1) >>> 16) & (PLACES - 1);
}

/** The one to three bytes behind the last whole word. */
function restOf(view: DataView, at: number, length: number): number {
  let rest = 0;
  for (let byte = length & ~3; byte < length; byte++) rest = (rest << 8) | view.getUint8(at + byte);
  return rest;
}
