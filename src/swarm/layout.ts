// The swarm's memory, byte by byte. One SharedArrayBuffer, reserved whole and touched as it fills:
// pages that nobody wrote cost nothing. All numbers are 32-bit words in the machine's own order
// unless said otherwise, because the memory is never written anywhere; addresses, peer ids and
// info hashes are bytes in wire order. Every region starts at a multiple of 64 bytes. Records are
// numbered from 1, so that a zeroed word says "none".
//
//   header            64 words
//      0  magic 0x53574b31            1  layout check: a hash of the sizes below
//      2  lock of the slabs           3  lock of the torrent indexes
//      4  wall time of the first Swarm over this memory, Unix ms: float64, words 4 and 5
//      6  seed of the hashes          7  1 once words 4 to 6 are set
//      9  sweep cursor
//     10  streams slab: records ever used, 11 first free, 12 in use   (under the lock of the slabs)
//     16  peer slab: records ever used, 17 first free, 18 in use     (under the lock of the slabs)
//     20  extension slab, as above
//     24  torrent slab, as above
//     28  arena: first unit never used
//     32  arena: first free block of order 0 … 27: 28 words          (under the lock of the slabs)
//     60  peers counted    61  seeders counted    62  silent baselines    (atomic adds)
//   shard locks       16 words each, of which the first is the lock: a cache line of its own
//   torrent id index  one word per bucket: first torrent
//   hash index        one word per bucket: first link, torrent * 2 (v1) or torrent * 2 + 1 (v2)
//   peer index        one word per bucket: first peer; bit 31 is the bucket's lock
//   members           2 words each: member id, torrents it is active in
//   torrents          32 words each, see TORRENT
//   peers             20 words each, see PEER
//   extensions        12 words each, see EXTENSION
//   streams           58 words each, see STREAMS: of the few baselines that ever began anew
//   arena             units of 3 words: the peer lists, in blocks of 2^n units
//   arena tags        one byte per unit: 0x80 + order on the first unit of a free block, else 0
//
// A torrent has three peer lists. The primary list has exactly one entry per peer record, silent
// ones included, so that it is also the way to every peer of the torrent; the IPv6 list has one entry
// per peer that is dialable by IPv6, the WebRTC list one per peer that a connection of ours answers
// for. A list is one arena block, in four runs without gaps:
//
//   leechers | seeders | partial seeds | hidden       hidden: silent, or not dialable by IPv4
//
//   primary entry     3 words: peer, then bytes: IPv4 address 4, port 2, hash versions (u16)
//   IPv6 entry        6 words: peer, then bytes: IPv6 address 16, port 2, hash versions (u16)
//   WebRTC entry      3 words: peer, then bytes: connection 4, worker 2, hash versions (u16)
//
// In those entries a word holds its four bytes lowest first, whatever the machine (connection and
// worker stand lowest byte first too, since they are read here only). So an answer is
// copied from lists alone, and choosing peers never touches a peer record. A peer of one IPv4
// address costs 80 bytes of record, 12 to 24 of list and 4 to 8 of index.

import type { SwarmConfig } from './config.ts';

export const HEADER_WORDS = 64;
export const MAGIC = 0x5357_4b31;

export const HEADER = {
  magic: 0,
  check: 1,
  slabLock: 2,
  torrentLock: 3,
  startedMs: 4,
  seed: 6,
  ready: 7,
  sweepCursor: 9,
  streamsSlab: 10,
  peerSlab: 16,
  extensionSlab: 20,
  torrentSlab: 24,
  arenaUsed: 28,
  arenaFree: 32,
  peersCounted: 60,
  seedersCounted: 61,
  silentCounted: 62,
} as const;

export const LOCK_WORDS = 16;

export const TORRENT_WORDS = 32;
export const TORRENT = {
  /** 0 in a free record, whose `nextById` is the next free one. */
  id: 0,
  /** Shard in bits 0-11; the lists' orders in 12-16, 17-21 and 22-26; flags in 27-31. */
  shape: 1,
  /** 20 bytes; all zero when the torrent has no such hash. */
  hashV1: 2,
  hashV2: 7,
  nextById: 12,
  nextByV1: 13,
  nextByV2: 14,
  /** Each peer counts once, whatever its addresses. */
  seeders: 15,
  leechers: 16,
  partialSeeds: 17,
  completed: 18,
  /** Block (unit number + 1, 0 for none), then how many entries each of the four runs has. */
  primary: 19,
  /** The other two have no hidden run, which is why 28 + 4 words end the record. */
  ipv6: 24,
  webrtc: 28,
} as const;

/** `shards` of the configuration is at most one more. */
export const SHARD_MASK = 0xfff;
/** Bits of TORRENT.shape. */
export const TORRENT_FLAG = {
  /** In the indexes, answering. Without it a used record only waits for its peers to be dropped. */
  alive: 1 << 27,
  hasV1: 1 << 28,
  hasV2: 1 << 29,
  /** Leaves memory as soon as it has no peer. */
  transient: 1 << 30,
} as const;

export const PEER_WORDS = 20;
export const PEER = {
  /** PEER_FLAG bits in 0-15; seconds from "higher counters came" to "last seen" in 16-31. */
  flags: 0,
  memberId: 1,
  torrent: 2,
  /** 20 bytes. */
  peerId: 3,
  /** Low words of the counters; their 21 high bits are packed into the two words after. */
  uploaded: 8,
  downloaded: 9,
  left: 10,
  /** Uploaded's 21 high bits, then the low 11 of `left`'s. */
  highA: 11,
  /** Downloaded's 21 high bits, then the high 10 of `left`'s, then the baseline's `passed`. */
  highB: 12,
  /** The client's key; with PEER_FLAG.streams the streams record, which holds the key. */
  key: 13,
  sequence: 14,
  /** Signed seconds since the memory's start; a restored baseline may lie before it. */
  lastSeen: 15,
  /** Next of the index chain, or next free record. */
  next: 16,
  /** Place in the primary list. */
  place: 17,
  /** The last announce that was neither early nor a repeat, see `channels.ts`. */
  recent: 18,
  /** Extension record, 0 for none. */
  extension: 19,
} as const;

export const PEER_FLAG = {
  /** Bits 0-5: reach, two bits (v1, v2) for each of IPv4, IPv6, WebRTC. None: silent. */
  reach: 0x3f,
  reachIpv4: 0x03,
  reachIpv6: 0x0c,
  reachWebrtc: 0x30,
  /** Bits 6-7: PEER_STATE. */
  stateShift: 6,
  state: 0xc0,
  /** The record holds a baseline. */
  known: 1 << 8,
  completed: 1 << 9,
  /** A silent baseline that the next sweep hands over, whatever its age. */
  expired: 1 << 10,
  /** The record is in its torrent's list. Clear: free, or reserved by a begin(). */
  used: 1 << 11,
  /** Bits 12-13: how many announces founded the baseline that are not durable yet. */
  foundingShift: 12,
  founding: 0x3000,
  /** The last announce said `stopped`: what waited before it may not bring the peer back. */
  ended: 1 << 14,
  /** The baseline has a streams record. */
  streams: 1 << 15,
} as const;

/** Also the number of the run in a peer list; 3 is the hidden run. */
export const PEER_STATE = { leecher: 0, seeder: 1, partialSeed: 2 } as const;

export const EXTENSION_WORDS = 12;
export const EXTENSION = {
  /** Place in the IPv6 list, valid while an IPv6 reach bit is set; next free in a free record. */
  place6: 0,
  /** Six words: when each reach bit was announced last, like PEER.lastSeen. */
  seen: 1,
  /** Four more words like PEER.recent. */
  recents: 7,
  /** Place in the WebRTC list, valid while a WebRTC reach bit is set. */
  placeWebrtc: 11,
} as const;
export const EXTENSION_RECENTS = 4;

export const STREAMS_WORDS = 58;
export const STREAMS = {
  /** How many streams; next free in a free record. */
  count: 0,
  /** The baseline's own key, whose place in the peer record this record's number took. */
  key: 1,
  /** STREAM_NUMBERS_MAX float64, which is why the record has an even number of words. */
  numbers: 2,
} as const;

export const UNIT_WORDS = 3;
export const ARENA_ORDERS = 28;
/** Most units a peer can need: two entries, an IPv6 entry of two, twice for growth. */
const ARENA_UNITS_PER_PEER = 8;

/** Where each region begins, in words, and how long it is. Equal configs give equal layouts. */
export interface SwarmLayout {
  readonly shards: number;
  readonly locksAt: number;
  readonly idIndexAt: number;
  readonly idBuckets: number;
  readonly hashIndexAt: number;
  readonly hashBuckets: number;
  readonly peerIndexAt: number;
  readonly peerBuckets: number;
  readonly membersAt: number;
  readonly memberSlots: number;
  readonly torrentsAt: number;
  readonly torrentsMax: number;
  readonly peersAt: number;
  readonly peersMax: number;
  readonly extensionsAt: number;
  readonly streamsAt: number;
  readonly arenaAt: number;
  readonly arenaUnits: number;
  readonly tagsAt: number;
  readonly words: number;
}

export function swarmLayout(config: SwarmConfig): SwarmLayout {
  let at = HEADER_WORDS;
  const region = (words: number): number => {
    const start = at;
    at += Math.ceil(words / 16) * 16;
    return start;
  };
  const idBuckets = powerOfTwo(config.torrentsMax);
  const hashBuckets = powerOfTwo(config.torrentsMax);
  const peerBuckets = powerOfTwo(config.peersMax);
  // A third of the slots stays free, so that a search ends soon.
  const memberSlots = powerOfTwo(Math.ceil(config.membersMax * 1.5));
  const arenaUnits = powerOfTwo(config.peersMax * ARENA_UNITS_PER_PEER);
  return {
    shards: config.shards,
    locksAt: region(config.shards * LOCK_WORDS),
    idIndexAt: region(idBuckets),
    idBuckets,
    hashIndexAt: region(hashBuckets),
    hashBuckets,
    peerIndexAt: region(peerBuckets),
    peerBuckets,
    membersAt: region(memberSlots * 2),
    memberSlots,
    torrentsAt: region((config.torrentsMax + 1) * TORRENT_WORDS),
    torrentsMax: config.torrentsMax,
    peersAt: region((config.peersMax + 1) * PEER_WORDS),
    peersMax: config.peersMax,
    extensionsAt: region((config.peersMax + 1) * EXTENSION_WORDS),
    streamsAt: region((config.peersMax + 1) * STREAMS_WORDS),
    arenaAt: region(arenaUnits * UNIT_WORDS),
    arenaUnits,
    tagsAt: region(Math.ceil(arenaUnits / 4)),
    words: at,
  };
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, atLeast)));
}
