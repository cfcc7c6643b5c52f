// Early and repeated announces (T10). A channel is a way by which a peer announces: hash version,
// family and door. For each the peer remembers the last announce that was neither early nor a
// repeat, in one word:
//
//   bits 0-3    channel + 1; the whole word is 0 when it is free
//   bits 4-15   hash of event, counters and `left`
//   bits 16-31  seconds since the memory's start, modulo 2^16
//
// The newest word stands in the peer record, up to four more in its extension; when a sixth channel
// comes the oldest is forgotten, which only makes its next announce count as timely. An early one is
// not remembered, so that a client which asks too often gets peers once per interval and not never.
// The sweep frees words before their time could wrap.

import { type AnnounceRequest, DOOR, EVENT } from './announce-slot.ts';
import { EXTENSION, EXTENSION_RECENTS, EXTENSION_WORDS, PEER, PEER_WORDS } from './layout.ts';
import type { SwarmMemory } from './memory.ts';

export const REPEAT_SECONDS_MAX = 60;
/** A word older than this is freed by the sweep. Half of what 16 bits can tell. */
export const RECENT_SECONDS_MAX = 0x8000;

/** Which of the six reach bits an announce concerns: v1 and v2 for each of IPv4, IPv6, WebRTC. */
export function reachBitOf(request: AnnounceRequest): number {
  const group = request.door === DOOR.websocket ? 2 : request.family === 6 ? 1 : 0;
  return group * 2 + (request.hashVersion === 2 ? 1 : 0);
}

/** The word that remembers `request`, made at `nowSeconds`. Never 0. */
export function channelWord(request: AnnounceRequest, nowSeconds: number): number {
  const channel = reachBitOf(request) * 2 + (request.door === DOOR.http ? 1 : 0);
  return ((nowSeconds & 0xffff) << 16) | (requestHash(request) << 4) | (channel + 1);
}

export function isSameChannel(a: number, b: number): boolean {
  return (a & 0xf) === (b & 0xf);
}

export function secondsBetween(older: number, newer: number): number {
  return ((newer >>> 16) - (older >>> 16)) & 0xffff;
}

/** `older` is 0 when there was none. */
export function isRepeat(older: number, newer: number): boolean {
  if (older === 0 || ((older ^ newer) & 0xffff) !== 0) return false;
  return secondsBetween(older, newer) < REPEAT_SECONDS_MAX;
}

/** Whether this event is judged at all. */
export function canBeEarly(request: AnnounceRequest): boolean {
  return request.event === EVENT.none || request.event === EVENT.paused;
}

export class Channels {
  readonly #peers: Uint32Array;
  readonly #extensions: Uint32Array;

  constructor(memory: SwarmMemory) {
    this.#peers = memory.peers;
    this.#extensions = memory.extensions;
  }

  /** The remembered word of the channel of `word`, 0 when there is none. */
  find(peer: number, word: number): number {
    const at = peer * PEER_WORDS;
    const own = this.#peers[at + PEER.recent]!;
    if (own !== 0 && isSameChannel(own, word)) return own;
    const extension = this.#peers[at + PEER.extension]!;
    if (extension === 0) return 0;
    const first = extension * EXTENSION_WORDS + EXTENSION.recents;
    for (let slot = 0; slot < EXTENSION_RECENTS; slot++) {
      const other = this.#extensions[first + slot]!;
      if (other !== 0 && isSameChannel(other, word)) return other;
    }
    return 0;
  }

  /** Whether remembering `word` would push another channel out of a record without extension. */
  needsExtension(peer: number, word: number): boolean {
    const own = this.#peers[peer * PEER_WORDS + PEER.recent]!;
    return own !== 0 && !isSameChannel(own, word);
  }

  remember(peer: number, word: number): void {
    const peers = this.#peers;
    const at = peer * PEER_WORDS;
    const own = peers[at + PEER.recent]!;
    const extension = peers[at + PEER.extension]!;
    if (own === 0 || isSameChannel(own, word) || extension === 0) {
      peers[at + PEER.recent] = word;
      return;
    }
    const first = extension * EXTENSION_WORDS + EXTENSION.recents;
    let victim = 0;
    let victimAge = -1;
    for (let slot = 0; slot < EXTENSION_RECENTS; slot++) {
      const other = this.#extensions[first + slot]!;
      if (other !== 0 && isSameChannel(other, word)) {
        this.#extensions[first + slot] = word;
        return;
      }
      const age = other === 0 ? 0x1_0000 : secondsBetween(other, word);
      if (age > victimAge) {
        victim = slot;
        victimAge = age;
      }
    }
    this.#extensions[first + victim] = word;
  }

  /** Whether a word would soon read as younger than it is. */
  hasStale(peer: number, nowSeconds: number): boolean {
    return this.#eachStale(peer, nowSeconds, false);
  }

  freeStale(peer: number, nowSeconds: number): void {
    this.#eachStale(peer, nowSeconds, true);
  }

  #eachStale(peer: number, nowSeconds: number, isFreed: boolean): boolean {
    const now = (nowSeconds & 0xffff) << 16;
    const at = peer * PEER_WORDS;
    const own = this.#peers[at + PEER.recent]!;
    let found = false;
    if (own !== 0 && secondsBetween(own, now) > RECENT_SECONDS_MAX) {
      found = true;
      if (isFreed) this.#peers[at + PEER.recent] = 0;
    }
    const extension = this.#peers[at + PEER.extension]!;
    if (extension === 0) return found;
    const first = extension * EXTENSION_WORDS + EXTENSION.recents;
    for (let slot = 0; slot < EXTENSION_RECENTS; slot++) {
      const other = this.#extensions[first + slot]!;
      if (other === 0 || secondsBetween(other, now) <= RECENT_SECONDS_MAX) continue;
      found = true;
      if (isFreed) this.#extensions[first + slot] = 0;
    }
    return found;
  }
}

function requestHash(request: AnnounceRequest): number {
  let hash = Math.imul(request.event + 1, 0x9e37_79b1);
  hash = fold(hash, request.uploaded);
  hash = fold(hash, request.downloaded);
  hash = fold(hash, request.left);
  return (hash ^ (hash >>> 12) ^ (hash >>> 24)) & 0xfff;
}

function fold(hash: number, value: number): number {
  const low = Math.imul(hash ^ (value | 0), 0x85eb_ca6b);
  const mixed = low ^ (low >>> 13) ^ Math.floor(value / 0x1_0000_0000);
  return Math.imul(mixed, 0xc2b2_ae35);
}
