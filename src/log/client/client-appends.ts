// Appends of a RemoteLog on their way: records are laid out where they will be sent from, appends of
// one turn share a batch, and with an idempotent client each lane (topic and consistency) has a
// producer of its own and one batch on its way at a time, so that a repetition is always its newest.

import { assert } from '#base/assert.ts';
import type { Random } from '#base/random.ts';
import { LogError } from '#log/errors.ts';
import type {
  Appended,
  AppendOptions,
  CancelSignal,
  Consistency,
  LogRecord,
  ProducerStamp,
} from '#log/log.ts';
import { BATCH_HEADER_BYTES, sealBatch } from '#log/segment/batch.ts';
import {
  lengthAt,
  PackedRecords,
  packedBytes,
  RECORD_HEADER_BYTES,
  viewOf,
  writePacked,
  writeRecords,
} from '#log/segment/packed-records.ts';
import { parseCount, type ServerLimits } from '#log/server/protocol.ts';
import type { Link } from './client-link.ts';

const FRAME_BYTES_MIN = 4096;
/** Frames whose memory a lane keeps for the next ones. */
const SPARE_BYTES_MAX = 256 * 1024;

interface Caller {
  readonly resolve: (appended: Appended) => void;
  readonly reject: (reason: unknown) => void;
  /** The place of its records: bytes in the frame, and the first's number in the batch. */
  start: number;
  end: number;
  delta: number;
  readonly count: number;
  stopListening: (() => void) | undefined;
}

/** A batch being filled, waiting, or on its way. */
interface Frame {
  bytes: Uint8Array;
  view: DataView;
  at: number;
  count: number;
  readonly callers: Caller[];
  /** Chosen by the caller; such a batch is its alone. */
  readonly stamp: ProducerStamp | undefined;
  /** The request's number once it was handed to the link. */
  requestId: number;
}

interface Lane {
  readonly topic: string;
  readonly consistency: Consistency | undefined;
  readonly producerId: number;
  sequence: number;
  /** The last may still be filled. */
  readonly frames: Frame[];
  onWay: number;
  isFlushing: boolean;
  spare: Uint8Array | undefined;
}

export interface AppendsOptions {
  readonly link: Link;
  readonly random: Random;
  readonly isIdempotent: boolean;
  /** Appends beyond it are refused with LOG_QUEUE_FULL. */
  readonly unansweredBytesMax: number;
}

export class ClientAppends {
  readonly #options: AppendsOptions;
  readonly #lanes = new Map<string, Lane>();
  #lastLane: Lane | undefined;
  #bytes = 0;

  constructor(options: AppendsOptions) {
    this.#options = options;
  }

  /** Bytes of records that were not answered. */
  get unansweredBytes(): number {
    return this.#bytes;
  }

  append(
    topic: string,
    records: readonly LogRecord[] | PackedRecords,
    limits: ServerLimits,
    options: AppendOptions = {},
  ): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const isPacked = records instanceof PackedRecords;
      const count = isPacked ? records.count : records.length;
      const bytes = isPacked ? records.bytes.byteLength : packedBytes(records);
      const { signal, producer } = options;
      const refusal = this.#refuse(topic, count, bytes, limits);
      if (refusal !== undefined || signal?.aborted === true) {
        reject(refusal ?? signal?.reason);
        return;
      }
      if (isPacked && !records.isWellFormed) {
        reject(new LogError('LOG_BATCH_INVALID', 'Cannot append packed records: malformed'));
        return;
      }
      this.#bytes += bytes;
      const lane = this.#lane(topic, options.consistency);
      const frame = this.#frame(lane, { bytes, count, producer, limits });
      const start = frame.at;
      const delta = frame.count;
      if (isPacked) writePacked(frame, records, delta);
      else writeRecords(frame, records, delta);
      frame.count += count;
      const end = frame.at;
      const caller = { resolve, reject, start, end, delta, count, stopListening: undefined };
      frame.callers.push(caller);
      if (signal !== undefined) this.#listen(signal, lane, frame, caller);
      this.#flushSoon(lane);
    });
  }

  #refuse(topic: string, count: number, bytes: number, limits: ServerLimits): LogError | undefined {
    const { batchBytesMax, batchRecordsMax } = limits;
    const { unansweredBytesMax } = this.#options;
    if (count < 1 || count > batchRecordsMax || bytes > batchBytesMax) {
      return new LogError(
        'LOG_BATCH_TOO_LARGE',
        `Cannot append to topic "${topic}": ${count} records of ${bytes} bytes, expected 1 to ${batchRecordsMax} records and at most ${batchBytesMax} bytes`,
      );
    }
    if (this.#bytes > 0 && this.#bytes + bytes > unansweredBytesMax) {
      return new LogError(
        'LOG_QUEUE_FULL',
        `Cannot append to topic "${topic}": ${this.#bytes} bytes are on their way to the log server, expected at most ${unansweredBytesMax}`,
      );
    }
    return undefined;
  }

  #lane(topic: string, consistency: Consistency | undefined): Lane {
    const last = this.#lastLane;
    if (last?.topic === topic && last.consistency === consistency) return last;
    const key = `${topic} ${consistency ?? '-'}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      const { random, isIdempotent } = this.#options;
      lane = {
        topic,
        consistency,
        producerId: isIdempotent ? producerId(random) : 0,
        sequence: 0,
        frames: [],
        onWay: 0,
        isFlushing: false,
        spare: undefined,
      };
      this.#lanes.set(key, lane);
    }
    this.#lastLane = lane;
    return lane;
  }

  /** The frame that takes the next records of the lane, with room for them. */
  #frame(
    lane: Lane,
    wanted: {
      readonly bytes: number;
      readonly count: number;
      readonly producer: ProducerStamp | undefined;
      readonly limits: ServerLimits;
    },
  ): Frame {
    const { bytes, count, producer, limits } = wanted;
    const last = lane.frames.at(-1);
    if (
      last !== undefined &&
      last.requestId === 0 &&
      last.stamp === undefined &&
      producer === undefined &&
      last.at - BATCH_HEADER_BYTES + bytes <= limits.batchBytesMax &&
      last.count + count <= limits.batchRecordsMax
    ) {
      grow(last, last.at + bytes);
      return last;
    }
    const size = BATCH_HEADER_BYTES + bytes;
    let memory = lane.spare;
    lane.spare = undefined;
    if (memory === undefined || memory.byteLength < size) {
      memory = new Uint8Array(Math.max(FRAME_BYTES_MIN, size));
    }
    const frame: Frame = {
      bytes: memory,
      view: viewOf(memory),
      at: BATCH_HEADER_BYTES,
      count: 0,
      callers: [],
      stamp: producer,
      requestId: 0,
    };
    lane.frames.push(frame);
    return frame;
  }

  #listen(signal: CancelSignal, lane: Lane, frame: Frame, caller: Caller): void {
    const abort = (): void => {
      if (frame.requestId === 0) {
        this.#takeBack(lane, frame, caller);
        caller.reject(signal.reason);
      } else if (frame.callers.length === 1) {
        const { link } = this.#options;
        const isSent = link.isSent(frame.requestId);
        if (isSent && link.isConnected) {
          link.cancel(frame.requestId);
          return;
        }
        link.forget(frame.requestId);
        this.#landed(lane, frame);
        const message = 'The append was cancelled while the connection was lost';
        const cause = signal.reason as unknown;
        caller.reject(isSent ? new LogError('LOG_UNANSWERED', message, { cause }) : cause);
      }
    };
    signal.addEventListener('abort', abort, { once: true });
    caller.stopListening = () => signal.removeEventListener('abort', abort);
  }

  /** Nothing of the frame has left: the caller's records go, those behind move up. */
  #takeBack(lane: Lane, frame: Frame, caller: Caller): void {
    const at = frame.callers.indexOf(caller);
    assert(at >= 0, 'an append is in its frame until it is answered');
    frame.callers.splice(at, 1);
    frame.bytes.copyWithin(caller.start, caller.end, frame.at);
    const size = caller.end - caller.start;
    frame.at -= size;
    frame.count -= caller.count;
    this.#bytes -= size;
    for (const behind of frame.callers.slice(at)) {
      behind.start -= size;
      behind.end -= size;
      behind.delta -= caller.count;
    }
    renumber(frame);
    if (frame.callers.length === 0) lane.frames.splice(lane.frames.indexOf(frame), 1);
  }

  /** After whoever else appends in this turn has joined. */
  #flushSoon(lane: Lane): void {
    if (lane.isFlushing) return;
    lane.isFlushing = true;
    queueMicrotask(() => {
      lane.isFlushing = false;
      this.#flush(lane);
    });
  }

  #flush(lane: Lane): void {
    for (const frame of [...lane.frames]) {
      if (frame.requestId !== 0) continue;
      if (this.#options.isIdempotent && lane.onWay > 0) return;
      this.#send(lane, frame);
    }
  }

  #send(lane: Lane, frame: Frame): void {
    const { topic, consistency, producerId: id } = lane;
    const bytes = frame.bytes.subarray(0, frame.at);
    if (id !== 0 && frame.stamp === undefined) lane.sequence++;
    const stamp = frame.stamp ?? { id, sequence: id === 0 ? 0 : lane.sequence };
    sealBatch(bytes, 0, bytes.byteLength, {
      firstOffset: 0,
      records: frame.count,
      span: frame.count,
      epoch: 0,
      timeMs: 0,
      durableOffset: 0,
      producerId: stamp.id,
      producerSequence: stamp.sequence,
    });
    lane.onWay++;
    frame.requestId = this.#options.link.send({
      command: 'BATCH',
      rest: ` ${topic} ${consistency ?? '-'} ${bytes.byteLength}`,
      body: bytes,
      canRepeat: stamp.id !== 0,
      waitMs: 0,
      onAnswer: (words) => this.#answered(lane, frame, words),
      onError: (error) => this.#failed(lane, frame, error),
    });
  }

  #answered(lane: Lane, frame: Frame, words: readonly string[]): void {
    const firstOffset = parseCount(words[0]);
    if (firstOffset === undefined || parseCount(words[1]) !== frame.count) {
      const message = 'The answer to an append is not understood; it may have been written';
      this.#failed(lane, frame, new LogError('LOG_PROTOCOL', message));
      return;
    }
    this.#landed(lane, frame);
    for (const caller of frame.callers) {
      caller.stopListening?.();
      caller.resolve({ firstOffset: firstOffset + caller.delta, count: caller.count });
    }
    if (frame.bytes.byteLength <= SPARE_BYTES_MAX) lane.spare = frame.bytes;
  }

  #failed(lane: Lane, frame: Frame, error: unknown): void {
    this.#landed(lane, frame);
    for (const caller of frame.callers) {
      caller.stopListening?.();
      caller.reject(error);
    }
  }

  #landed(lane: Lane, frame: Frame): void {
    lane.onWay--;
    this.#bytes -= frame.at - BATCH_HEADER_BYTES;
    lane.frames.splice(lane.frames.indexOf(frame), 1);
    if (lane.frames.length > 0) this.#flushSoon(lane);
  }
}

/** 53 random bits, never 0. */
function producerId(random: Random): number {
  return (random.u32() & 0x1f_ffff) * 0x1_0000_0000 + random.u32() || 1;
}

function grow(frame: Frame, size: number): void {
  if (size <= frame.bytes.byteLength) return;
  const bytes = new Uint8Array(Math.max(size, frame.bytes.byteLength * 2));
  bytes.set(frame.bytes.subarray(0, frame.at));
  frame.bytes = bytes;
  frame.view = viewOf(bytes);
}

function renumber(frame: Frame): void {
  let at = BATCH_HEADER_BYTES;
  for (let nth = 0; nth < frame.count; nth++) {
    frame.view.setUint32(at, nth, true);
    at += RECORD_HEADER_BYTES + lengthAt(frame.view, at + 4) + lengthAt(frame.view, at + 8);
  }
}
