// What a PortLog and its server say to each other through a MessagePort. Records cross as one
// buffer whose memory moves with the message: appends as packed-records.ts lays them out, the
// records of a read as below. Both ends are the same program, so nothing here is versioned.
//
//    0  offset        f64
//    8  time          f64  Unix milliseconds
//   16  key length    u32  0xffffffff: no key
//   20  value length  u32  0xffffffff: tombstone
//   24  key, value

import { CodedError, codeOf, messageOf } from '#base/errors.ts';
import { isLogErrorCode, LogError } from '#log/errors.ts';
import type {
  Consistency,
  LogGap,
  ProducerStamp,
  ReadFrom,
  ReadRecord,
  TopicOptions,
} from '#log/log.ts';
import type { RewriteOptions } from '#log/rewriting-log.ts';
import { NO_LENGTH, viewOf } from '#log/segment/packed-records.ts';

const RECORD_HEADER_BYTES = 24;

export interface PortLimits {
  readonly batchBytesMax: number;
  readonly batchRecordsMax: number;
  readonly portRequestsMax: number;
  readonly portBytesMax: number;
}

export type Call =
  | {
      readonly method: 'append';
      readonly topic: string;
      readonly count: number;
      readonly body: Uint8Array;
      readonly consistency: Consistency | undefined;
      readonly producer: ProducerStamp | undefined;
    }
  | {
      readonly method: 'read' | 'readBatches';
      readonly topic: string;
      readonly from: ReadFrom;
      readonly recordsMax: number | undefined;
      readonly bytesMax: number | undefined;
      readonly waitMs: number | undefined;
    }
  | { readonly method: 'createTopic'; readonly topic: string; readonly options: TopicOptions }
  | { readonly method: 'topics' }
  | { readonly method: 'stats'; readonly topic: string }
  | { readonly method: 'position'; readonly topic: string; readonly consumer: string }
  | {
      readonly method: 'rewriteSegment';
      readonly topic: string;
      readonly options: Omit<RewriteOptions, 'signal'>;
    }
  | {
      readonly method: 'commit';
      readonly topic: string;
      readonly consumer: string;
      readonly offset: number;
    };

export type ToServer =
  | { readonly kind: 'hello' }
  | { readonly kind: 'call'; readonly id: number; readonly call: Call }
  | { readonly kind: 'cancel'; readonly id: number };

export type ToClient =
  | {
      readonly kind: 'hello';
      readonly id: string;
      readonly epoch: number;
      readonly limits: PortLimits;
    }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly refusal: Refusal };

/** A read's answer as it crosses. */
export interface PackedRead {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly nextOffset: number;
  readonly gaps: readonly LogGap[];
}

export interface Refusal {
  /** The call was cancelled, and did nothing. */
  readonly isCancelled: boolean;
  readonly code: string | undefined;
  readonly message: string;
  readonly offset: number | undefined;
}

export function packRead(records: readonly ReadRecord[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { key, value } of records) {
    size += RECORD_HEADER_BYTES + (key?.byteLength ?? 0) + value.byteLength;
  }
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  let at = 0;
  for (const { offset, timeMs, key, value, tombstone } of records) {
    view.setFloat64(at, offset, true);
    view.setFloat64(at + 8, timeMs, true);
    view.setUint32(at + 16, key === undefined ? NO_LENGTH : key.byteLength, true);
    view.setUint32(at + 20, tombstone === true ? NO_LENGTH : value.byteLength, true);
    at += RECORD_HEADER_BYTES;
    if (key !== undefined) {
      bytes.set(key, at);
      at += key.byteLength;
    }
    bytes.set(value, at);
    at += value.byteLength;
  }
  return bytes;
}

/** The records' parts are views into `bytes`. */
export function unpackRead(bytes: Uint8Array, count: number): ReadRecord[] {
  const view = viewOf(bytes);
  const records: ReadRecord[] = [];
  let at = 0;
  for (let nth = 0; nth < count; nth++) {
    const offset = view.getFloat64(at, true);
    const timeMs = view.getFloat64(at + 8, true);
    const keyLength = view.getUint32(at + 16, true);
    const valueLength = view.getUint32(at + 20, true);
    at += RECORD_HEADER_BYTES;
    const valueAt = at + (keyLength === NO_LENGTH ? 0 : keyLength);
    const end = valueAt + (valueLength === NO_LENGTH ? 0 : valueLength);
    records.push({
      offset,
      timeMs,
      ...(keyLength === NO_LENGTH ? undefined : { key: bytes.subarray(at, valueAt) }),
      value: bytes.subarray(valueAt, end),
      ...(valueLength === NO_LENGTH ? { tombstone: true as const } : undefined),
    });
    at = end;
  }
  return records;
}

export function packRefusal(error: unknown, isCancelled: boolean): Refusal {
  const offset = error instanceof LogError ? error.offset : undefined;
  return { isCancelled, code: codeOf(error), message: messageOf(error), offset };
}

export function unpackRefusal(refusal: Refusal): Error {
  const { code, message, offset } = refusal;
  if (code === undefined) return new Error(message);
  if (!isLogErrorCode(code)) return new CodedError(code, message);
  return new LogError(code, message, offset === undefined ? {} : { offset });
}
