// Copies of peers for the site's member and torrent pages. Raw words are copied under the shard's
// lock into room that was made before; objects are built from them when the lock is given back.

import type { SwarmRooms } from './baseline-keeper.ts';
import { PEER, PEER_FLAG, PEER_STATE, PEER_WORDS } from './layout.ts';
import { downloadedOf, leftOf, uploadedOf } from './peer-record.ts';
import type { PeerState, PeerView } from './swarm-views.ts';
import { PEER_ID_WORDS, writeBytes } from './wire-words.ts';

/** A peer record, then its address words: two for IPv4, five for IPv6, then the torrent's id. */
const IPV4_AT = PEER_WORDS;
const IPV6_AT = IPV4_AT + 2;
const ID_AT = IPV6_AT + 5;
const COPY_WORDS = ID_AT + 1;
const COPIES_PER_LOCK = 64;

export class PeerViewer {
  readonly #rooms: SwarmRooms;
  readonly #copies = new Uint32Array(COPY_WORDS * COPIES_PER_LOCK);

  constructor(rooms: SwarmRooms) {
    this.#rooms = rooms;
  }

  ofMember(memberId: number, limit: number): PeerView[] {
    const { table, torrents, time } = this.#rooms;
    const views: PeerView[] = [];
    if (memberId === 0) return views;
    time.read();
    const used = table.records.recordsUsed;
    for (let peer = 1; peer <= used && views.length < limit; peer++) {
      // Without the lock, so that strangers' shards are left alone; checked again under it.
      if (table.memberOf(peer) !== memberId || table.reachOf(peer) === 0) continue;
      const torrent = table.torrentOf(peer);
      if (torrent === 0 || !torrents.lockRecord(torrent)) continue;
      const isTheirs = table.memberOf(peer) === memberId && table.torrentOf(peer) === torrent;
      const isCounted = isTheirs && table.reachOf(peer) !== 0 && torrents.isAlive(torrent);
      if (isCounted) this.#copy(peer, torrent, 0);
      torrents.unlock();
      if (isCounted) views.push(this.#view(0));
    }
    return views;
  }

  ofTorrent(torrentId: number, limit: number): PeerView[] {
    const { memory, table, torrents, time } = this.#rooms;
    const views: PeerView[] = [];
    time.read();
    for (let place = 0; views.length < limit; place += COPIES_PER_LOCK) {
      const torrent = torrents.lockById(torrentId);
      if (torrent === 0) break;
      const count = table.primary.count(torrent);
      const until = Math.min(place + COPIES_PER_LOCK, count);
      let copied = 0;
      for (let at = place; at < until; at++) {
        const peer = memory.arena[table.primary.entryAt(torrent, at)]!;
        if (table.reachOf(peer) !== 0) this.#copy(peer, torrent, copied++);
      }
      torrents.unlock();
      for (let copy = 0; copy < copied && views.length < limit; copy++) {
        views.push(this.#view(copy));
      }
      if (until === count) break;
    }
    return views;
  }

  #copy(peer: number, torrent: number, copy: number): void {
    const { memory, table, torrents } = this.#rooms;
    const copies = this.#copies;
    const to = copy * COPY_WORDS;
    const at = peer * PEER_WORDS;
    for (let word = 0; word < PEER_WORDS; word++) copies[to + word] = table.peers[at + word]!;
    const entry = table.primary.entryAt(torrent, table.peers[at + PEER.place]!);
    for (let word = 0; word < 2; word++)
      copies[to + IPV4_AT + word] = memory.arena[entry + 1 + word]!;
    copies[to + ID_AT] = torrents.idOf(torrent);
    if ((table.reachOf(peer) & PEER_FLAG.reachIpv6) === 0) return;
    const entry6 = table.ipv6.entryAt(torrent, table.place6Of(peer));
    for (let word = 0; word < 5; word++) {
      copies[to + IPV6_AT + word] = memory.arena[entry6 + 1 + word]!;
    }
  }

  #view(copy: number): PeerView {
    const copies = this.#copies.subarray(copy * COPY_WORDS, (copy + 1) * COPY_WORDS);
    const flags = copies[PEER.flags]!;
    const memberId = copies[PEER.memberId]!;
    return {
      memberId,
      torrentId: copies[ID_AT]!,
      peerId: bytesOf(copies, PEER.peerId, PEER_ID_WORDS * 4),
      state: stateName((flags & PEER_FLAG.state) >>> PEER_FLAG.stateShift),
      ipv4: (flags & PEER_FLAG.reachIpv4) === 0 ? undefined : bytesOf(copies, IPV4_AT, 6),
      ipv6: (flags & PEER_FLAG.reachIpv6) === 0 ? undefined : bytesOf(copies, IPV6_AT, 18),
      webrtc: (flags & PEER_FLAG.reachWebrtc) !== 0,
      uploaded: uploadedOf(copies, 0),
      downloaded: downloadedOf(copies, 0),
      left: leftOf(copies, 0),
      lastSeenSeconds: this.#rooms.time.toUnix(copies[PEER.lastSeen]! | 0),
    };
  }
}

function stateName(state: number): PeerState {
  if (state === PEER_STATE.seeder) return 'seeder';
  return state === PEER_STATE.leecher ? 'leecher' : 'partial-seed';
}

function bytesOf(words: Uint32Array, from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  writeBytes(words, from, bytes, { at: 0, count });
  return bytes;
}
