// READ and TAIL at the server: batches go from the segment to the stream as they stand, a piece at a
// time, the next piece when the peer has taken the last. So an answer of any size costs one piece of
// memory, and a reader that is slow waits for itself only.

import type { BatchLog } from '#log/batch-log.ts';
import type { LogConfig } from '#log/config.ts';
import type { ReadFrom } from '#log/log.ts';

/** What is read from the disk and sent at a time. A batch that is larger by itself is one piece. */
const PIECE_BYTES = 256 * 1024;
/** A tail looks again after this long, so that a wait is never for ever. */
const TAIL_WAIT_MS = 30_000;

/** Where the batches go. */
export interface BatchSink {
  sendBatches(id: number, batches: readonly Uint8Array[], bytes: number): void;
  drained(): Promise<void>;
}

export interface ReadRequest {
  readonly command: 'READ' | 'TAIL';
  readonly topic: string;
  readonly from: ReadFrom;
  readonly recordsMax?: number;
  readonly bytesMax?: number;
  readonly waitMs?: number;
  readonly signal: AbortSignal;
}

/** Sends the batches; resolves with the last line of the answer. @throws as Log.read */
export async function answerRead(
  world: { readonly log: BatchLog; readonly config: LogConfig; readonly sink: BatchSink },
  id: number,
  request: ReadRequest,
): Promise<string> {
  const { log, config, sink } = world;
  const { topic, signal } = request;
  const isTail = request.command === 'TAIL';
  let recordsLeft = isTail ? Infinity : clamp(request.recordsMax, config.readRecordsMax);
  let bytesLeft = isTail ? Infinity : clamp(request.bytesMax, config.readBytesMax);
  let waitMs = isTail ? TAIL_WAIT_MS : Math.min(request.waitMs ?? 0, config.serverWaitMsMax);
  let from = request.from;
  for (;;) {
    const read = await log.readBatches(topic, {
      from,
      bytesMax: Math.min(PIECE_BYTES, bytesLeft),
      waitMs,
      signal,
      ...(recordsLeft === Infinity ? undefined : { recordsMax: recordsLeft }),
    });
    from = read.nextOffset;
    recordsLeft -= read.records;
    bytesLeft -= read.bytes;
    if (read.bytes > 0) sink.sendBatches(id, read.batches, read.bytes);
    if (!isTail && (read.bytes === 0 || recordsLeft <= 0 || bytesLeft <= 0)) break;
    // Only the first piece is waited for.
    if (!isTail) waitMs = 0;
    await sink.drained();
    signal.throwIfAborted();
  }
  return `OK ${id} ${from}\n`;
}

/** 0 asks for as much as the server gives. */
function clamp(asked: number | undefined, max: number): number {
  return asked === undefined || asked === 0 ? max : Math.min(asked, max);
}
