// The baseline within a peer record, but for its key and streams (peer-streams.ts). Three 53-bit
// counters take five words: the low 32 bits each, then uploaded's and downloaded's 21 high bits with
// the halves of `left`'s in the bits above, of which the topmost is free for `passed`.

import type { AnnounceOutcome } from './announce-outcome.ts';
import type { BaselineNumbers } from './baseline.ts';
import { PEER, PEER_FLAG, PEER_WORDS } from './layout.ts';

const U32 = 0x1_0000_0000;
const HIGHER_AGO_MAX = 0xffff;
const PASSED = 0x8000_0000;

export interface Counters {
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
}

/** What is read of a baseline at once. */
export type ReadBaseline = Pick<
  AnnounceOutcome,
  | 'uploaded'
  | 'downloaded'
  | 'key'
  | 'sequence'
  | 'higherAtSeconds'
  | 'left'
  | 'completed'
  | 'passed'
  | 'streams'
  | 'lastSeenSeconds'
>;

export function writeCounters(peers: Uint32Array, peer: number, counters: Counters): void {
  const at = peer * PEER_WORDS;
  const leftHigh = Math.floor(counters.left / U32);
  // The low 32 bits. A remainder of doubles would be a loop in the processor.
  peers[at + PEER.uploaded] = counters.uploaded >>> 0;
  peers[at + PEER.downloaded] = counters.downloaded >>> 0;
  peers[at + PEER.left] = counters.left >>> 0;
  peers[at + PEER.highA] = Math.floor(counters.uploaded / U32) | ((leftHigh & 0x7ff) << 21);
  peers[at + PEER.highB] = Math.floor(counters.downloaded / U32) | ((leftHigh >>> 11) << 21);
}

export function uploadedOf(peers: Uint32Array, peer: number): number {
  const at = peer * PEER_WORDS;
  return (peers[at + PEER.highA]! & 0x1f_ffff) * U32 + peers[at + PEER.uploaded]!;
}

export function downloadedOf(peers: Uint32Array, peer: number): number {
  const at = peer * PEER_WORDS;
  return (peers[at + PEER.highB]! & 0x1f_ffff) * U32 + peers[at + PEER.downloaded]!;
}

export function leftOf(peers: Uint32Array, peer: number): number {
  const at = peer * PEER_WORDS;
  const high =
    (peers[at + PEER.highA]! >>> 21) | (((peers[at + PEER.highB]! >>> 21) & 0x3ff) << 11);
  return high * U32 + peers[at + PEER.left]!;
}

/** All but lastSeen, key and streams. `lastSeenUnix` is what lastSeen will read as, Unix seconds. */
export function writeBaseline(
  peers: Uint32Array,
  peer: number,
  numbers: BaselineNumbers,
  lastSeenUnix: number,
): void {
  const at = peer * PEER_WORDS;
  writeCounters(peers, peer, numbers);
  if (numbers.passed === true) peers[at + PEER.highB]! |= PASSED;
  peers[at + PEER.sequence] = numbers.sequence;
  const ago = Math.min(Math.max(lastSeenUnix - numbers.higherAtSeconds, 0), HIGHER_AGO_MAX);
  let flags = (peers[at + PEER.flags]! & 0xffff) | PEER_FLAG.known;
  flags = numbers.completed ? flags | PEER_FLAG.completed : flags & ~PEER_FLAG.completed;
  peers[at + PEER.flags] = flags | (ago << 16);
}

/** Fills the baseline fields of `into`, but key and streams; the record holds a baseline. */
export function readBaseline(
  peers: Uint32Array,
  peer: number,
  lastSeenUnix: number,
  into: Omit<ReadBaseline, 'key' | 'streams'>,
): void {
  const at = peer * PEER_WORDS;
  const flags = peers[at + PEER.flags]!;
  into.uploaded = uploadedOf(peers, peer);
  into.downloaded = downloadedOf(peers, peer);
  into.left = leftOf(peers, peer);
  into.passed = (peers[at + PEER.highB]! & PASSED) !== 0;
  into.sequence = peers[at + PEER.sequence]!;
  into.completed = (flags & PEER_FLAG.completed) !== 0;
  into.higherAtSeconds = lastSeenUnix - (flags >>> 16);
  into.lastSeenSeconds = lastSeenUnix;
}
