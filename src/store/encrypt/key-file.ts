// A key file of the encrypted store, a text file:
//
//   # comments and empty lines are left alone
//   swarmkeep-key 1 <id, 16 hex digits> <key, 64 hex digits>
//
// The first key encrypts, all decrypt: a rotation writes a new line above the old ones, and the old one
// can go when `reencrypt` has ended. The id is derived from the key, so a mistyped digit is noticed.

import { createHash } from 'node:crypto';
import { fromHex, toHex } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { StoreError } from '#store/errors.ts';

const KEY_BYTES = 32;
const KEYS_MAX = 100;
const LINE = /^swarmkeep-key 1 ([0-9a-f]{16}) ([0-9a-f]{64})$/;

export interface StoreKey {
  /** 16 hex digits; no secret. */
  readonly id: string;
  readonly key: Uint8Array;
}

/** @throws StoreError STORE_KEYS_INVALID; the message names the line and never holds a key */
export function parseKeys(text: string): readonly StoreKey[] {
  const keys: StoreKey[] = [];
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, id, hex] = LINE.exec(line) ?? [];
    if (id === undefined || hex === undefined) throw invalid(`line ${at + 1} is no key`);
    const key = fromHex(hex) as Uint8Array;
    if (keyId(key) !== id) throw invalid(`the key of line ${at + 1} is not the one of its id`);
    if (keys.some((one) => one.id === id)) throw invalid(`line ${at + 1} repeats a key`);
    keys.push({ id, key });
  }
  if (keys.length === 0) throw invalid('there is no key in it');
  if (keys.length > KEYS_MAX) throw invalid(`there are more than ${KEYS_MAX} keys in it`);
  return keys;
}

/** A line for a key file. */
export function newKeyLine(random: Random): string {
  const key = random.bytes(KEY_BYTES);
  return `swarmkeep-key 1 ${keyId(key)} ${toHex(key)}\n`;
}

function keyId(key: Uint8Array): string {
  return createHash('sha256').update('swarmkeep key id').update(key).digest('hex').slice(0, 16);
}

function invalid(why: string): StoreError {
  return new StoreError('STORE_KEYS_INVALID', `Cannot read the key file: ${why}`);
}
