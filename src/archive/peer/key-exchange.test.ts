import assert from 'node:assert/strict';
import { createDiffieHellman } from 'node:crypto';
import test from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { KeyExchange } from './key-exchange.ts';

/** As the protocol has it, in OpenSSL's hands. */
const PRIME =
  'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563';

test('both sides of an exchange know the same secret, as OpenSSL does', () => {
  const random = new SeededRandom(1);
  const theirs = createDiffieHellman(PRIME, 'hex', 2);
  const theirKey = new Uint8Array(96);
  const key = theirs.generateKeys();
  theirKey.set(key, 96 - key.length);
  for (let round = 0; round < 20; round++) {
    const own = new KeyExchange(random);
    const other = new KeyExchange(random);
    assert.equal(own.generateKeys().length, 96);
    const secret = own.computeSecret(other.generateKeys());
    assert.deepEqual(other.computeSecret(own.generateKeys()), secret);
    const openssl = theirs.computeSecret(own.generateKeys());
    const known = new Uint8Array(96);
    known.set(openssl, 96 - openssl.length);
    assert.deepEqual(own.computeSecret(theirKey), known);
  }
  assert.deepEqual(new KeyExchange(random).computeSecret(new Uint8Array(96)), new Uint8Array(96));
});
