// A thread that hashes passwords: see password-threads.ts.

import { argon2Sync } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import type { KeyAsked } from '#site/accounts/passwords.ts';

const port = parentPort;
assert(port !== null, 'the thread has a parent');
giveWay();
port.on('message', ({ message, nonce, ...cost }: KeyAsked) => {
  port.postMessage(argon2Sync('argon2id', { message, nonce, ...cost }));
});

/** Linux takes a thread's number for a process's; elsewhere hashing competes as before. */
function giveWay(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Slower announces during a storm of sign-ins, and nothing worse.
  }
}
