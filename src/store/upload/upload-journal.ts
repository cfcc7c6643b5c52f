// The file of one resumable upload, `<id>.upload`: what is known of it, as lines that are only ever
// added. Bytes are none in it: they are blobs of the store, stored before their line is written.
//
//   CRC32 of the JSON, 8 hex digits | space | JSON | LF
//   first  {"v":1,"owner","length","segmentBytes","metadata","atMs"}
//   then   {"atMs","segments":[[ref,bytes]…],"tail":[ref,bytes]|null}
//
// `segments` are added behind those before, each of `segmentBytes`, but the last of the upload. `tail`
// stands in place of the tail before it: the bytes behind the last segment. So the upload ends where
// segments and tail end. A line counts when it and all before it are whole; what follows was torn by a
// crash, was never acknowledged, and is cut off.

import { crc32 } from 'node:zlib';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { BlobInfo } from '#store/store.ts';

export interface UploadHead {
  readonly owner: string;
  /** Of the whole file. */
  readonly length: number;
  readonly segmentBytes: number;
  /** The header Upload-Metadata, as it came. */
  readonly metadata: string;
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface UploadStep {
  readonly atMs: number;
  readonly segments: readonly BlobInfo[];
  readonly tail: BlobInfo | undefined;
}

export interface ReadJournal {
  readonly head: UploadHead;
  readonly steps: readonly UploadStep[];
  /** Of the lines that count. */
  readonly bytes: number;
}

export function headLine(head: UploadHead): Uint8Array {
  return lineOf({ v: 1, ...head });
}

export function stepLine({ atMs, segments, tail }: UploadStep): Uint8Array {
  return lineOf({
    atMs,
    segments: segments.map(({ ref, bytes }) => [ref, bytes]),
    tail: tail === undefined ? null : [tail.ref, tail.bytes],
  });
}

function lineOf(value: unknown): Uint8Array {
  const text = JSON.stringify(value);
  return Buffer.from(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`);
}

/** Undefined when not even the first line is whole: the upload was never answered. */
export function readJournal(file: Uint8Array): ReadJournal | undefined {
  const text = Buffer.from(file).toString('latin1');
  const steps: UploadStep[] = [];
  let head: UploadHead | undefined;
  let at = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
    const value = readValue(Buffer.from(text.slice(at, end), 'latin1').toString('utf8'));
    if (head === undefined) {
      head = headOf(value);
      if (head === undefined) return undefined;
    } else {
      const step = stepOf(value);
      if (step === undefined) break;
      steps.push(step);
    }
    at = end + 1;
  }
  return head === undefined ? undefined : { head, steps, bytes: at };
}

type Fields = Readonly<Record<string, unknown>>;

function readValue(line: string): Fields | undefined {
  const text = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== crc32(text).toString(16).padStart(8, '0')) {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function headOf(value: Fields | undefined): UploadHead | undefined {
  if (value?.['v'] !== 1) return undefined;
  const { owner, metadata } = value;
  const [length, segmentBytes, atMs] = ['length', 'segmentBytes', 'atMs'].map((name) =>
    countOf(value[name]),
  );
  if (typeof owner !== 'string' || typeof metadata !== 'string') return undefined;
  if (length === undefined || !segmentBytes || atMs === undefined) return undefined;
  return { owner, metadata, length, segmentBytes, atMs };
}

function stepOf(value: Fields | undefined): UploadStep | undefined {
  const atMs = countOf(value?.['atMs']);
  const list = value?.['segments'];
  if (value === undefined || atMs === undefined || !Array.isArray(list)) return undefined;
  const segments: BlobInfo[] = [];
  for (const one of list) {
    const info = infoOf(one);
    if (info === undefined) return undefined;
    segments.push(info);
  }
  const tail = value['tail'] === null ? undefined : infoOf(value['tail']);
  if (value['tail'] !== null && tail === undefined) return undefined;
  return { atMs, segments, tail };
}

function infoOf(value: unknown): BlobInfo | undefined {
  if (!Array.isArray(value)) return undefined;
  const [name, size] = value as readonly unknown[];
  const ref: BlobRef | undefined = typeof name === 'string' ? blobRef(name) : undefined;
  const bytes = countOf(size);
  return ref === undefined || bytes === undefined ? undefined : { ref, bytes };
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
