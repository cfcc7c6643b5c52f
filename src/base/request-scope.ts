// The number of the request that is being answered, known to everything that runs for it without being
// handed down: loggers write it on each line, the answer and its error page carry it, and so a person's
// "number of this request" leads to all that was said for it. Main thread only: announces have none,
// theirs is the offset of their record in the log.

import { AsyncLocalStorage } from 'node:async_hooks';
import { toHex } from './bytes.ts';
import type { Random } from './random.ts';

const REQUEST_ID_BYTES = 8;

const scope = new AsyncLocalStorage<string>();

/** What `run` starts and awaits belongs to the request. */
export function inRequest<Result>(requestId: string, run: () => Result): Result {
  return scope.run(requestId, run);
}

export function newRequestId(random: Random): string {
  return toHex(random.bytes(REQUEST_ID_BYTES));
}

/** Of the request that is answered; one of its own where no listener gave any. */
export function requestIdNow(random: Random): string {
  return currentRequestId() ?? newRequestId(random);
}

/** Undefined outside of any. */
export function currentRequestId(): string | undefined {
  return scope.getStore();
}
