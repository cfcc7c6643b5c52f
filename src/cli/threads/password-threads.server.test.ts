// Passwords in threads of their own: the same keys, with less of the processor than anything else gets.

import assert from 'node:assert/strict';
import { argon2Sync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SimClock } from '#sim/clock.ts';
import type { KeyAsked } from '#site/accounts/passwords.ts';
import { PasswordThreads } from './password-threads.ts';

function asked(password: string): KeyAsked {
  const cost = { memory: 64, passes: 1, parallelism: 1, tagLength: 32 };
  return { message: utf8(password), nonce: new Uint8Array(16).fill(7), ...cost };
}

/** The niceness of each of this process's threads. */
function priorities(): readonly number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    // What stands behind the name begins with the third field; niceness is the nineteenth.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

test('threads for passwords derive what Argon2id says, several at once, and end when idle', async () => {
  const clock = new SimClock();
  const threads = new PasswordThreads(clock);
  try {
    for (let round = 0; round < 2; round++) {
      const words = ['tortoise', 'lamp', 'river'].map((word) => `${word} ${round}`);
      const keys = await Promise.all(words.map((word) => threads.derive(asked(word))));
      for (const [at, word] of words.entries()) {
        const { message, nonce, ...cost } = asked(word);
        const expected = argon2Sync('argon2id', { message, nonce, ...cost });
        assert.equal(Buffer.compare(keys[at] ?? expected.subarray(1), expected), 0, word);
      }
      assert.equal(threads.count, 3, 'those that are there work again');
    }
    clock.advance(60_000);
    while (threads.count > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await threads.derive(asked('again'))).byteLength, 32);
  } finally {
    await threads.close();
  }
});

const skip = existsSync('/proc/thread-self')
  ? false
  : 'threads have priorities of their own on Linux';
test('a thread that hashes passwords gives way to all others', { skip }, async () => {
  const threads = new PasswordThreads(new SimClock());
  try {
    await threads.derive(asked('tortoise'));
    const found = priorities();
    const usual = Math.min(...found);
    assert.deepEqual(
      found.filter((one) => one !== usual),
      [10],
      `of ${found.join(', ')}`,
    );
  } finally {
    await threads.close();
  }
});

test('a password that cannot be hashed is an error, and the next one is hashed', async () => {
  const threads = new PasswordThreads(new SimClock());
  try {
    await assert.rejects(threads.derive({ ...asked('x'), memory: 1 }));
    assert.equal((await threads.derive(asked('x'))).byteLength, 32);
  } finally {
    await threads.close();
  }
});
