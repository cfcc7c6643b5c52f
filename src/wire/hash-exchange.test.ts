import assert from 'node:assert/strict';
import test from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { decodeHashRequest, encodeHashAnswer, uncleCount } from './hash-exchange.ts';

function requestBytes(numbers: readonly [number, number, number, number]): Uint8Array {
  const message = new Uint8Array(49);
  message[0] = 21;
  message.fill(0xab, 1, 33);
  const view = new DataView(message.buffer);
  for (const [at, number] of numbers.entries()) view.setUint32(33 + 4 * at, number);
  return message;
}

test('a request for hashes is read, and what can never be answered is none', () => {
  const request = decodeHashRequest(requestBytes([4, 512, 512, 11]));
  assert.deepEqual(request, {
    root: new Uint8Array(32).fill(0xab),
    ...{ baseLayer: 4, index: 512, length: 512, proofLayers: 11 },
  });
  for (const wrong of [
    [0, 0, 1, 0],
    [0, 0, 3, 0],
    [0, 0, 16_384, 0],
    [0, 2, 4, 0],
    [41, 0, 2, 0],
    [0, 0, 2, 41],
  ] as const) {
    assert.equal(decodeHashRequest(requestBytes(wrong)), undefined, `${wrong}`);
  }
  const right = requestBytes([0, 0, 2, 0]);
  assert.ok(decodeHashRequest(right) !== undefined);
  assert.equal(decodeHashRequest(right.subarray(1)), undefined);
  assert.equal(decodeHashRequest(Uint8Array.from(right).fill(22, 0, 1)), undefined);
});

test('an answer repeats the request, and has no uncles where the hashes prove themselves', () => {
  const request = decodeHashRequest(requestBytes([1, 4, 4, 3]));
  assert.ok(request !== undefined);
  assert.equal(uncleCount(request), 2);
  assert.equal(uncleCount({ ...request, proofLayers: 1 }), 0);
  const hashes = new Uint8Array(6 * 32).fill(7);
  const answer = encodeHashAnswer(request, hashes);
  const asked = requestBytes([1, 4, 4, 3]);
  assert.deepEqual(answer.subarray(1, 49), asked.subarray(1));
  assert.deepEqual([answer[0], answer.length], [22, 49 + 6 * 32]);
  assert.deepEqual(answer.subarray(49), hashes);
  assert.deepEqual(encodeHashAnswer(request, undefined), asked.fill(23, 0, 1));
});

test('no bytes from outside are more than a refusal', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 20_000; round++) {
    const message = random.bytes(round % 2 === 0 ? 49 : random.u32() % 64);
    if (message.length > 0) message[0] = 21;
    const request = decodeHashRequest(message);
    if (request !== undefined) assert.ok(uncleCount(request) <= 40);
  }
});
