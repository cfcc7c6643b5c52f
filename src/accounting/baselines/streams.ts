// The streams of a baseline: runs of counters that one client announced under one name, beside the one
// that is measured now. A client that begins anew leaves one behind, and so does a tier with counters
// of its own; what is remembered of them keeps a late packet, or the other tier, from being credited a
// second time (docs/decisions/0009).
//
// A stream is seven numbers, in an array of doubles, so that the swarm and the files can keep them
// without knowing what they mean:
//
//   0  key               the announce key it came by, 0 for none
//   1  uploaded          its last counters: announces of it carry these or more,
//   2  downloaded          whatever is less is older
//   3  uploaded gap      what it must pass to be credited, as a distance from the baseline's counters.
//   4  downloaded gap      So it moves with the baseline: bytes that one stream was credited with,
//                          another may report too
//   5  ended at          Unix seconds at which another stream took its place
//   6  traits            STREAM_TRAIT
//
// The one that was left longest ago stands first.

import { assert } from '#base/assert.ts';

/** Four, beside the one that is measured: a client with five trackers of its own counters is rare. */
export const STREAMS_MAX = 4;

export const STREAM = {
  key: 0,
  uploaded: 1,
  downloaded: 2,
  uploadedGap: 3,
  downloadedGap: 4,
  endedAt: 5,
  traits: 6,
} as const;
export const STREAM_NUMBERS = 7;

export const STREAM_TRAIT = {
  /** `started` ended it: what is like it is a late packet, and what passes it is another's. */
  ended: 1,
  /** It announced counters other than zero before its last ones, and nobody knows which. */
  passed: 2,
  /** A higher one of its key came back: from then on that one alone is measured. */
  outrun: 4,
} as const;

export interface Streams {
  count: number;
  /** STREAMS_MAX streams; those from `count` on mean nothing. */
  readonly numbers: Float64Array;
}

export function newStreams(): Streams {
  return { count: 0, numbers: new Float64Array(STREAMS_MAX * STREAM_NUMBERS) };
}

/** `from` may be `into`; undefined is none. */
export function copyStreams(from: Streams | undefined, into: Streams): void {
  if (from === into) return;
  into.count = from === undefined ? 0 : from.count;
  const numbers = into.count * STREAM_NUMBERS;
  // A loop: subarray() would allocate.
  for (let at = 0; at < numbers; at++) into.numbers[at] = from!.numbers[at]!;
}

/** Undefined for none, so that a baseline without streams costs no more than before. */
export function cloneStreams(streams: Streams | undefined): Streams | undefined {
  if (streams === undefined || streams.count === 0) return undefined;
  return { count: streams.count, numbers: streams.numbers.slice() };
}

export function streamField(streams: Streams, stream: number, field: number): number {
  return streams.numbers[stream * STREAM_NUMBERS + field]!;
}

export function hasTrait(streams: Streams, stream: number, trait: number): boolean {
  return (streamField(streams, stream, STREAM.traits) & trait) !== 0;
}

/** Keys tell two streams apart only when both have one. */
export function isOtherKey(one: number, other: number): boolean {
  return one !== 0 && other !== 0 && one !== other;
}

export function hasKey(streams: Streams, key: number): boolean {
  for (let stream = 0; stream < streams.count; stream++) {
    if (streamField(streams, stream, STREAM.key) === key) return true;
  }
  return false;
}

/** Whether one that `started` ended had announced others before its last counters. */
export function hasEndedPassed(streams: Streams): boolean {
  const both = STREAM_TRAIT.ended | STREAM_TRAIT.passed;
  for (let stream = 0; stream < streams.count; stream++) {
    if ((streamField(streams, stream, STREAM.traits) & both) === both) return true;
  }
  return false;
}

/** Whether a stream with this key, or without one, was outrun in a session that goes on. */
export function hasOutrun(streams: Streams, key: number): boolean {
  for (let stream = 0; stream < streams.count; stream++) {
    if (isOtherKey(streamField(streams, stream, STREAM.key), key)) continue;
    const traits = streamField(streams, stream, STREAM.traits);
    if ((traits & (STREAM_TRAIT.outrun | STREAM_TRAIT.ended)) === STREAM_TRAIT.outrun) return true;
  }
  return false;
}

/** The stream that was measured and gives its place. */
export interface LeftStream {
  readonly uploaded: number;
  readonly downloaded: number;
  readonly key: number;
  readonly passed?: boolean;
}

/** The stream that was measured joins the others, with no gap. The first of a full list goes. */
export function leaveStream(
  streams: Streams,
  left: LeftStream,
  atSeconds: number,
  traits = 0,
): void {
  if (streams.count === STREAMS_MAX) dropStream(streams, 0);
  const { numbers } = streams;
  const at = streams.count * STREAM_NUMBERS;
  numbers[at + STREAM.key] = left.key;
  numbers[at + STREAM.uploaded] = left.uploaded;
  numbers[at + STREAM.downloaded] = left.downloaded;
  numbers[at + STREAM.uploadedGap] = 0;
  numbers[at + STREAM.downloadedGap] = 0;
  numbers[at + STREAM.endedAt] = atSeconds;
  numbers[at + STREAM.traits] = traits | (left.passed === true ? STREAM_TRAIT.passed : 0);
  streams.count++;
}

/**
 * The same when another key comes, which tells all its packets apart: its tiers join it, so that it
 * takes one place. What the highest of them announced and must pass holds for all.
 */
export function leaveKey(streams: Streams, left: LeftStream, atSeconds: number): void {
  const { numbers } = streams;
  let { uploaded, downloaded } = left;
  let uploadedGap = 0;
  let downloadedGap = 0;
  for (let stream = streams.count - 1; stream >= 0; stream--) {
    const at = stream * STREAM_NUMBERS;
    if (hasTrait(streams, stream, STREAM_TRAIT.ended)) continue;
    if (isOtherKey(numbers[at + STREAM.key]!, left.key)) continue;
    uploaded = Math.max(uploaded, numbers[at + STREAM.uploaded]!);
    downloaded = Math.max(downloaded, numbers[at + STREAM.downloaded]!);
    uploadedGap = Math.max(uploadedGap, numbers[at + STREAM.uploadedGap]!);
    downloadedGap = Math.max(downloadedGap, numbers[at + STREAM.downloadedGap]!);
    dropStream(streams, stream);
  }
  leaveStream(streams, left, atSeconds);
  const at = (streams.count - 1) * STREAM_NUMBERS;
  numbers[at + STREAM.uploaded] = uploaded;
  numbers[at + STREAM.downloaded] = downloaded;
  numbers[at + STREAM.uploadedGap] = uploadedGap;
  numbers[at + STREAM.downloadedGap] = downloadedGap;
}

/** A `started` ends every stream that this key does not tell apart; the lower tiers are forgotten. */
export function endStreams(streams: Streams, key: number, atSeconds: number): void {
  const { numbers } = streams;
  for (let stream = streams.count - 1; stream >= 0; stream--) {
    const at = stream * STREAM_NUMBERS;
    if (isOtherKey(numbers[at + STREAM.key]!, key)) continue;
    if (hasTrait(streams, stream, STREAM_TRAIT.ended)) continue;
    numbers[at + STREAM.traits]! |= STREAM_TRAIT.ended;
    numbers[at + STREAM.endedAt] = atSeconds;
    if (hasTrait(streams, stream, STREAM_TRAIT.outrun)) dropStream(streams, stream);
  }
}

export function dropStream(streams: Streams, stream: number): void {
  assert(stream >= 0 && stream < streams.count, 'the stream is there');
  const { numbers } = streams;
  const until = (streams.count - 1) * STREAM_NUMBERS;
  for (let at = stream * STREAM_NUMBERS; at < until; at++) {
    numbers[at] = numbers[at + STREAM_NUMBERS]!;
  }
  streams.count--;
}

/** The baseline's counters are lower by this much, or higher where it is negative. */
export function widenGaps(streams: Streams, uploaded: number, downloaded: number): void {
  const { numbers, count } = streams;
  for (let at = 0; at < count * STREAM_NUMBERS; at += STREAM_NUMBERS) {
    numbers[at + STREAM.uploadedGap]! += uploaded;
    numbers[at + STREAM.downloadedGap]! += downloaded;
  }
}

/**
 * The one to forget when a stream joins that nobody said is new: the one that was left longest ago, of
 * those that ended or have another key. -1 when all are tiers that may come back.
 */
export function oldestOver(streams: Streams, key: number): number {
  for (let stream = 0; stream < streams.count; stream++) {
    if (hasTrait(streams, stream, STREAM_TRAIT.ended)) return stream;
    if (isOtherKey(streamField(streams, stream, STREAM.key), key)) return stream;
  }
  return -1;
}
