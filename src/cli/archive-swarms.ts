// The archive's place in the swarms: it joins the tracker's memory as a client does whom nobody is named
// for. No record is written of it, so nothing it gives or takes is anybody's credit.

import type { Offer, PeerSwarms } from '#archive/peer/offered-torrents.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { type Family, parseIp } from '#net/ip-address.ts';
import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { Swarm } from '#swarm/swarm.ts';

const PEER_ID_PREFIX = '-SK0100-';
/** Of one torrent, among which a caller's address is looked for. */
const PEERS_LOOKED_AT_MAX = 20_000;
const NOTHING_YET = {
  ...{ uploaded: 0, downloaded: 0, key: 0, sequence: 0, higherAtSeconds: 0, left: 0 },
  completed: false,
};

/** The archive's own for as long as the program runs. */
export function archivePeerId(random: Random): Uint8Array {
  return new Uint8Array([...Buffer.from(PEER_ID_PREFIX, 'latin1'), ...random.bytes(12)]);
}

export class ArchiveSwarms implements PeerSwarms {
  readonly #swarm: Swarm;
  readonly #peerId: Uint8Array;
  readonly #requests: readonly AnnounceRequest[];

  /** `addresses`: IPv4 and IPv6, those by which clients reach `port`. */
  constructor(parts: {
    readonly swarm: Swarm;
    readonly peerId: Uint8Array;
    readonly addresses: readonly string[];
    readonly port: number;
  }) {
    const { swarm, peerId, addresses, port } = parts;
    this.#swarm = swarm;
    this.#peerId = peerId;
    this.#requests = addresses.flatMap((text) => {
      const address = new Uint8Array(16);
      const family = parseIp(text, address);
      const isNobodys = address.every((byte) => byte === 0);
      return family === 0 || isNobodys ? [] : [requestOf({ address, family, port, peerId })];
    });
  }

  join(offer: Offer): boolean {
    return this.#announce(offer, EVENT.none);
  }

  leave(offer: Offer): void {
    this.#announce(offer, EVENT.stopped);
  }

  hasAddress(torrentId: number, address: string): boolean {
    const bytes = new Uint8Array(16);
    const family = parseIp(address, bytes);
    const wanted = bytes.subarray(0, family === 4 ? 4 : 16);
    const peers = this.#swarm.peersOfTorrent(torrentId, PEERS_LOOKED_AT_MAX);
    return peers.some(({ ipv4, ipv6, peerId }) => {
      const own = family === 4 ? ipv4 : ipv6;
      if (own === undefined || bytesEqual(peerId, this.#peerId)) return false;
      return wanted.every((byte, at) => own[at] === byte);
    });
  }

  #announce({ hashes, isWanted, isDamaged }: Offer, event: 0 | 3): boolean {
    let isIn = true;
    for (const request of this.#requests) {
      for (const hash of [hashes.v1, hashes.v2]) {
        if (hash === undefined) continue;
        request.infoHash.set(hash);
        request.event = event;
        request.left = isWanted || isDamaged ? Number.MAX_SAFE_INTEGER : 0;
        isIn = this.#settle(request) && isIn;
      }
    }
    return isIn;
  }

  /** False when the trackers do not know the torrent, or have no room. */
  #settle(request: AnnounceRequest): boolean {
    const swarm = this.#swarm;
    request.place = 0;
    if (!swarm.locate(request)) return false;
    if (swarm.begin(request).refused !== 'none') return false;
    swarm.settle(request, NOTHING_YET);
    return true;
  }
}

function requestOf(from: {
  readonly address: Uint8Array;
  readonly family: Family;
  readonly port: number;
  readonly peerId: Uint8Array;
}): AnnounceRequest {
  return {
    ...from,
    ...{ door: DOOR.http, event: EVENT.none, isTls: false, connection: 0, worker: 0 },
    ...{ infoHash: new Uint8Array(20), key: 0, uploaded: 0, downloaded: 0, left: 0, numwant: 0 },
    ...{ memberId: 0, torrentId: 0, hashVersion: 0, place: 0 },
  };
}
