// What an announce takes before it joins, so that joining cannot fail: a record, an extension, room in
// the lists, and the member's place in the torrent. Given back when nobody joins after all.

import type { SwarmRefusal } from './announce-outcome.ts';
import type { AnnounceRequest } from './announce-slot.ts';
import { reachBitOf } from './channels.ts';
import type { SwarmConfig } from './config.ts';
import { PEER_FLAG } from './layout.ts';
import type { PeerTable } from './peer-table.ts';

/** Silent baselines of one member in one torrent; past it the oldest are handed over early. */
const SILENT_KEPT = 32;
/** And past this a further client id is refused, which bounds what one member can make us hold. */
export const SILENT_MAX = 256;

export class Reservation {
  /** A fresh record, 0 when the peer has one. */
  newPeer = 0;
  extension = 0;
  /** Another peer of the member, which is listed by the address that the announce takes over. */
  displaced = 0;
  /** The same when the announce also takes its place among the member's clients. */
  replaced = 0;
  #hasEntered = false;
  readonly #table: PeerTable;
  readonly #config: SwarmConfig;

  constructor(table: PeerTable, config: SwarmConfig) {
    this.#table = table;
    this.#config = config;
  }

  /**
   * Takes what `request` needs to join the torrent, whose shard is locked and whose index was looked
   * into. After a refusal giveBack() is due.
   */
  take(
    torrent: number,
    request: AnnounceRequest,
    isPresent: boolean,
    needsExtension: boolean,
  ): SwarmRefusal {
    const table = this.#table;
    const { found } = table.index;
    this.displaced = table.index.sameAddress;
    if (request.memberId !== 0 && !isPresent) {
      const refused = this.#admit(request.memberId);
      if (refused !== 'none') return refused;
    }
    const bit = reachBitOf(request);
    const reach = found === 0 ? 0 : table.reachOf(found);
    if (needsExtension) {
      this.extension = table.extensionRecords.take();
      // Without one a further channel is forgotten sooner; a further reach cannot be held at all.
      if (this.extension === 0 && (reach & (1 << bit)) === 0) return 'swarm-full';
    }
    if (bit >> 1 === 1 && (reach & PEER_FLAG.reachIpv6) === 0) {
      if (!table.ipv6.makeRoom(torrent)) return 'swarm-full';
    }
    if (bit >> 1 === 2 && (reach & PEER_FLAG.reachWebrtc) === 0) {
      if (!table.webrtc.makeRoom(torrent)) return 'swarm-full';
    }
    if (found !== 0) return 'none';
    if (!table.primary.makeRoom(torrent)) return 'swarm-full';
    this.newPeer = table.records.take();
    return this.newPeer === 0 ? 'swarm-full' : 'none';
  }

  /** What was taken and is not used. `usesRecord`: all but the record. */
  giveBack(torrent: number, memberId: number, usesRecord: boolean): void {
    const table = this.#table;
    if (this.newPeer !== 0 && !usesRecord) table.records.give(this.newPeer);
    if (this.extension !== 0) table.extensionRecords.give(this.extension);
    if (this.#hasEntered) table.members.leave(memberId);
    table.primary.trim(torrent);
    table.ipv6.trim(torrent);
    table.webrtc.trim(torrent);
  }

  /** The announce is over. */
  clear(): void {
    this.newPeer = 0;
    this.extension = 0;
    this.displaced = 0;
    this.replaced = 0;
    this.#hasEntered = false;
  }

  /** The limits of T15, for a member's peer that is about to be counted. */
  #admit(memberId: number): SwarmRefusal {
    const { index, members } = this.#table;
    if (index.othersPresent >= this.#config.peersPerMemberTorrentMax) {
      // A client that was restarted comes back with a new id from its old address: it takes its
      // own place instead of waiting for the old one to age.
      if (index.sameAddress === 0) return 'member-peers';
      this.replaced = index.sameAddress;
    }
    if (index.found === 0 && index.othersSilent >= SILENT_KEPT) {
      this.#table.setFlag(index.oldestSilent, PEER_FLAG.expired);
      if (index.othersSilent >= SILENT_MAX) return 'member-peers';
    }
    if (index.othersPresent > 0) return 'none';
    this.#hasEntered = members.enter(memberId);
    if (this.#hasEntered) return 'none';
    // A member that is nowhere was refused by the table, which holds membersMax.
    return members.torrentsOf(memberId) === 0 ? 'swarm-full' : 'member-torrents';
  }
}
