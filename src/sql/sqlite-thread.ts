// The entry of a SQLite thread: the writer's or a reader's. It answers calls in order, those of one
// message together, and ends after `close`.

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { SqlError } from './errors.ts';
import { performCall, type SqliteAnswer, type SqliteAsked } from './sqlite-connection.ts';
import { SqliteEngine, type SqliteOptions } from './sqlite-engine.ts';

const port = parentPort;
assert(port !== null, 'a SQLite thread has a parent');

let engine: SqliteEngine | undefined;
let failure: unknown;
try {
  engine = new SqliteEngine(workerData as SqliteOptions);
} catch (error) {
  // Told to whoever asks first: a thread that throws while it starts loses the error's code.
  failure = error;
}

port.on('message', (asked: readonly SqliteAsked[]) => {
  port.postMessage(asked.map(({ id, call }) => answer(id, call)));
  if (asked.some(({ call }) => call.kind === 'close')) port.close();
});

function answer(id: number, call: SqliteAsked['call']): SqliteAnswer {
  if (engine === undefined) {
    return {
      id,
      error: { code: codeOf(failure) ?? 'SQL_OPEN_FAILED', message: messageOf(failure) },
    };
  }
  try {
    return { id, result: performCall(engine, call) };
  } catch (error) {
    // What is not a database's error is a bug, and ends the thread and with it the process.
    if (!(error instanceof SqlError)) throw error;
    return { id, error: { code: error.code, message: error.message } };
  }
}
