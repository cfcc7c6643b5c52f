// The exchange of keys with which an encrypted connection begins (MSE/PE): Diffie-Hellman over the prime of
// 768 bits that all clients use. It hides what is said from who only listens, and proves nobody: the
// cipher behind it is RC4. What counts here is that strangers may begin as many as they like: OpenSSL
// proves the prime anew for each connection, 29 ms of processor time here, and this takes one.

import { fromHex, toHex } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';

const PRIME = BigInt(
  '0xffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e34' +
    '04ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a3621' +
    '0000000000090563',
);
const GENERATOR = 2n;
const KEY_BYTES = 96;
/** As the protocol's authors ask for: more costs time and keeps nothing more. */
const SECRET_BYTES = 20;

export class KeyExchange {
  readonly #secret: bigint;

  constructor(random: Random) {
    this.#secret = numberOf(random.bytes(SECRET_BYTES));
  }

  /** 96 bytes, for the peer. */
  generateKeys(): Uint8Array {
    return bytesOf(power(GENERATOR, this.#secret));
  }

  /** 96 bytes that both sides know; of a peer that chose its key badly, everybody does. */
  computeSecret(theirs: Uint8Array): Uint8Array {
    return bytesOf(power(numberOf(theirs), this.#secret));
  }
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % PRIME;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

function bytesOf(number: bigint): Uint8Array {
  return fromHex(number.toString(16).padStart(2 * KEY_BYTES, '0')) ?? new Uint8Array(KEY_BYTES);
}
