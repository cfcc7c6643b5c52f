// Tells in one load that a client is surely not among those of some table, so that the many announces
// that have nothing to do with it need not make its key. Counts clients by a few bits of their peer
// id and torrent; two that share a place only cost a look into the table itself.

import type { AnnounceRequest } from '#swarm/announce-slot.ts';

const PLACES = 1 << 14;

type Client = Pick<AnnounceRequest, 'torrentId' | 'peerId'>;

export class ClientFilter {
  readonly #counts = new Uint32Array(PLACES);

  add(client: Client): void {
    this.#counts[placeOf(client)]! += 1;
  }

  /** A client that was added. */
  remove(client: Client): void {
    this.#counts[placeOf(client)]! -= 1;
  }

  mayHold(client: Client): boolean {
    return this.#counts[placeOf(client)] !== 0;
  }

  clear(): void {
    this.#counts.fill(0);
  }
}

/** The last bytes of a peer id are the random ones. */
function placeOf(client: Client): number {
  const { peerId, torrentId } = client;
  const low = peerId[19]! | (peerId[18]! << 8) | (peerId[17]! << 16) | (peerId[16]! << 24);
  const high = peerId[15]! | (peerId[14]! << 8) | (peerId[13]! << 16) | (peerId[12]! << 24);
  const hash = Math.imul(low ^ Math.imul(high ^ torrentId, 0x85eb_ca6b), 0x9e37_79b1);
  return (hash >>> 15) & (PLACES - 1);
}
