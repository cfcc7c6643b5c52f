// Chooses the peers of an answer: which list, who is a candidate, who is the asker. Drawing itself is
// selection.ts. Inside of an announce it works under that one's lock, else under its own.

import type { Random } from '#base/random.ts';
import { SeededRandom } from '#base/random.ts';
import { type AnnounceRequest, DOOR, EVENT } from './announce-slot.ts';
import type { SwarmRooms } from './baseline-keeper.ts';
import type { SwarmConfig } from './config.ts';
import { PEER, PEER_FLAG, PEER_STATE, PEER_WORDS } from './layout.ts';
import { Selection } from './selection.ts';

/** The list of WebSocket connections, where the others are named by their family. */
export const WEBRTC = 0;
export type PeerKind = 4 | 6 | typeof WEBRTC;

export class PeerChooser {
  /** The torrent whose shard the announce has locked, 0 when none is open. */
  heldTorrent = 0;
  /** The asker of that announce is not in the swarm yet. */
  isAskerNew = false;
  readonly #rooms: SwarmRooms;
  readonly #selection: Selection;
  readonly #peersMax: number;

  constructor(
    rooms: SwarmRooms,
    world: {
      /** Read once, for seeds. */
      readonly random: Random;
      readonly config: Pick<SwarmConfig, 'peersPerAnswerMax'>;
    },
  ) {
    const { random } = world;
    this.#rooms = rooms;
    this.#peersMax = world.config.peersPerAnswerMax;
    this.#selection = new Selection(rooms.memory, new SeededRandom(random.u32(), random.u32()), {
      wantMax: this.#peersMax,
      address: rooms.table.index.address,
    });
  }

  /** Writes up to `want` peers into `into`, as Swarm.select() says; returns how many. */
  choose(request: AnnounceRequest, kind: PeerKind, want: number, into: Uint8Array): number {
    if (request.event === EVENT.stopped) return 0;
    const { torrents, table } = this.#rooms;
    const isHeld = this.heldTorrent !== 0;
    const torrent = isHeld ? this.heldTorrent : torrents.lockById(request.torrentId);
    if (torrent === 0) return 0;
    if (!isHeld) table.index.look(torrent, request);
    const asker = isHeld && this.isAskerNew ? 0 : table.index.found;
    const list = kind === WEBRTC ? table.webrtc : kind === 4 ? table.primary : table.ipv6;
    const { draw } = this.#selection;
    const entryBytes = kind === 6 ? 18 : 6;
    draw.torrent = torrent;
    draw.candidates = list.countOf(torrent, PEER_STATE.leecher);
    if (request.left !== 0 && request.event !== EVENT.paused) {
      draw.candidates += list.countOf(torrent, PEER_STATE.seeder);
      draw.candidates += list.countOf(torrent, PEER_STATE.partialSeed);
    }
    draw.asker = asker === 0 ? -1 : this.#placeOf(asker, kind);
    draw.want = Math.min(want, this.#peersMax, into.length / entryBytes) | 0;
    draw.hashVersion = torrents.isHybrid(torrent) ? request.hashVersion : 0;
    // A connection is one client, so what it announced under another id is the asker too.
    const own = request.door === DOOR.websocket ? WEBRTC : request.family;
    draw.hasAddress = own === kind;
    const count = this.#selection.select(list, into);
    if (!isHeld) torrents.unlock();
    return count;
  }

  /** The place in the list of that kind, -1 when the peer is not handed out there. */
  #placeOf(peer: number, kind: 4 | 6 | typeof WEBRTC): number {
    const reach = this.#rooms.table.reachOf(peer);
    if (kind === WEBRTC) {
      return (reach & PEER_FLAG.reachWebrtc) === 0 ? -1 : this.#rooms.table.placeWebrtcOf(peer);
    }
    if (kind === 4) {
      if ((reach & PEER_FLAG.reachIpv4) === 0) return -1;
      return this.#rooms.table.peers[peer * PEER_WORDS + PEER.place]!;
    }
    return (reach & PEER_FLAG.reachIpv6) === 0 ? -1 : this.#rooms.table.place6Of(peer);
  }
}
