// The archive as a peer: listens for clients, gives them what it keeps, and hands those who have what it
// wants to the download that wants it. It dials nobody to give. Everything a stranger can make it hold
// is bounded: connections, of one address too, requests, bytes on their way, and the time to say hello.
//
//   accept   bounded by peerConnectionsMax and by address; a content one makes room for a new one
//   hello    within HELLO_MS_MAX, plain or encrypted; of a torrent that is offered
//   right    peerServes: only whoever announced from that address, unless `anyone`
//   session  kept: seed-session.ts; wanted: the download's own link

import type { Duplex } from 'node:stream';
import type { ArchiveWorld } from '#archive/archive.ts';
import { bytesEqual, fromHex, toHex } from '#base/bytes.ts';
import { type Clock, sleep, type Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { Pace } from '#base/pace.ts';
import type { Random } from '#base/random.ts';
import type { Registry } from '#metrics/registry.ts';
import type { ListenTcp, TcpListening } from '#net/tcp-listen.ts';
import type { Store } from '#store/store.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import { KeptPieces } from './kept-pieces.ts';
import { KeyExchange } from './key-exchange.ts';
import {
  type Offer,
  OfferedTorrents,
  type PeerCatalogue,
  type PeerSwarms,
} from './offered-torrents.ts';
import { PeerWire } from './peer-wire.ts';
import { SeedSession, type SeedSessionWorld } from './seed-session.ts';
import { SeedSlots } from './seed-slots.ts';

const LOOK_MS = 3000;
const HELLO_MS_MAX = 20_000;
/** A client that wants nothing for so long goes first when there is no room for another. */
const CONTENT_MS_MAX = 30_000;
/** The part of all connections that one address may have; a household shares one. */
const ADDRESS_PART = 1 / 8;
const ADDRESS_MIN = 4;

export interface SeedingPeerWorld extends Pick<ArchiveWorld, 'sql' | 'config' | 'hasher'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** 20 bytes, by which clients know it. */
  readonly peerId: Uint8Array;
  /** Verified; what was read last stays in memory there. */
  readonly segments: Pick<Store, 'get'>;
  readonly listen: ListenTcp;
  readonly catalogue: PeerCatalogue & {
    metainfo(torrentId: number): Promise<Metainfo | undefined>;
  };
  /** Given the port that clients reach it by. */
  readonly swarms: (port: number) => PeerSwarms;
  readonly announceMs: number;
  readonly intake: {
    /** Torrents that are being taken in now. */
    taking(): readonly number[];
    /** False when it has no use for the connection, which it owns otherwise. */
    adopt(torrentId: number, wire: PeerWire, address: string): boolean;
  };
}

/** A connection from its first byte on. */
interface Caller {
  readonly wire: PeerWire;
  readonly address: string;
  /** Undefined once it has said who it is. */
  hello: Timer | undefined;
  session: SeedSession | undefined;
}

export class SeedingPeer {
  readonly #world: SeedingPeerWorld;
  readonly #swarms: PeerSwarms;
  readonly #offered: OfferedTorrents;
  readonly #listening: readonly TcpListening[];
  readonly #slots: SeedSlots;
  readonly #session: SeedSessionWorld;
  /** The oldest first. */
  readonly #callers = new Set<Caller>();
  /** By torrent and peer id. */
  readonly #known = new Map<string, Caller>();
  readonly #open = new Map<number, Promise<KeptPieces | undefined>>();

  /** @throws NetError NET_BIND_FAILED */
  static async listen(world: SeedingPeerWorld): Promise<SeedingPeer> {
    const { config, listen } = world;
    const listening: TcpListening[] = [];
    let accept: (socket: Duplex, from: string) => void = (socket) => socket.destroy();
    const connectionsMax = config.peerConnectionsMax * 2;
    try {
      for (const address of config.peerAddresses) {
        // Clients are told one port, so what the system chose first is that of the others too.
        const port = listening[0]?.port ?? config.peerPort;
        listening.push(
          await listen({ address, port, connectionsMax }, (socket, from) => accept(socket, from)),
        );
      }
    } catch (error) {
      await Promise.all(listening.map((one) => one.close()));
      throw error;
    }
    const peer = new SeedingPeer(world, listening);
    accept = (socket, from) => peer.#accept(socket, from);
    return peer;
  }

  private constructor(world: SeedingPeerWorld, listening: readonly TcpListening[]) {
    const { sql, clock, config, catalogue, announceMs, logger, metrics } = world;
    this.#world = world;
    this.#listening = listening;
    this.#swarms = world.swarms(this.port);
    const taking = (): readonly number[] => world.intake.taking();
    const offering = { sql, clock, catalogue, announceMs, taking, swarms: this.#swarms };
    this.#offered = new OfferedTorrents(offering);
    this.#slots = new SeedSlots({ clock, slotsMax: config.peerSlotsMax });
    const perSecond = config.peerUploadBytesPerSecond;
    const sent = metrics.counter(
      'swarmkeep_archive_peer_sent_bytes_total',
      'Bytes of content that BitTorrent clients were given by the archive.',
    );
    this.#session = {
      ...{ clock, config, logger, slots: this.#slots },
      pace: new Pace(clock, perSecond === 0 ? Number.POSITIVE_INFINITY : perSecond),
      onSent: (bytes) => sent.add(bytes),
    };
  }

  /** By which clients reach it. */
  get port(): number {
    return this.#listening[0]?.port ?? 0;
  }

  /** Clients that are connected and have said what they want. */
  get peers(): number {
    return this.#known.size;
  }

  /** Until the signal aborts; then resolves when everybody was let go. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, metrics } = this.#world;
    const connections = metrics.gauge(
      'swarmkeep_archive_peer_connections',
      'BitTorrent clients that are connected to the archive.',
    );
    while (!signal.aborted) {
      try {
        await this.#offered.refresh();
      } catch (error) {
        logger.warn('What the archive offers could not be looked up', { error: messageOf(error) });
      }
      this.#tidy();
      connections.set(this.#callers.size);
      await sleep(clock, LOOK_MS, signal).catch(() => undefined);
    }
    await this.#close();
  }

  async #close(): Promise<void> {
    const closed = Promise.all(this.#listening.map((one) => one.close()));
    this.#offered.close();
    for (const { wire } of this.#callers) wire.socket.destroy();
    await closed;
  }

  /** Lets go of who takes what is no longer given, or has fallen silent. */
  #tidy(): void {
    this.#slots.turn();
    const inUse = new Set<number>();
    for (const { session } of this.#callers) {
      if (session === undefined) continue;
      const { torrentId } = session;
      if (session.isSilent || !this.#offered.has({ torrentId, isWanted: false })) session.close();
      else inUse.add(torrentId);
    }
    for (const torrentId of this.#open.keys()) {
      if (!inUse.has(torrentId)) this.#open.delete(torrentId);
    }
  }

  #accept(socket: Duplex, address: string): void {
    if (!this.#hasRoom(address)) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const wire = new PeerWire(socket, new KeyExchange(this.#world.random));
    const hello = this.#world.clock.after(HELLO_MS_MAX, () => socket.destroy());
    const caller: Caller = { wire, address, hello, session: undefined };
    this.#callers.add(caller);
    socket.once('close', () => this.#leave(caller));
    wire.on('crypto-infohash', (hash) => {
      const infoHash = this.#offered.findObfuscated(hash);
      if (infoHash === undefined) socket.destroy();
      else wire.setInfoHash(infoHash);
    });
    wire.on('handshake', (infoHash, peerId) => {
      this.#welcome(caller, infoHash, peerId).catch((error: unknown) => {
        const code = codeOf(error) ?? 'unknown';
        this.#world.logger.warn('A client could not be answered', { code });
        socket.destroy();
      });
    });
  }

  #leave(caller: Caller): void {
    caller.hello?.cancel();
    this.#callers.delete(caller);
    for (const [key, known] of this.#known) if (known === caller) this.#known.delete(key);
  }

  /** Room for one more from there, made if need be by ending one that wants nothing. */
  #hasRoom(address: string): boolean {
    const { peerConnectionsMax: max } = this.#world.config;
    const own = [...this.#callers].filter((caller) => caller.address === address).length;
    if (own >= Math.max(ADDRESS_MIN, Math.floor(max * ADDRESS_PART))) return false;
    if (this.#callers.size < max) return true;
    for (const { session } of this.#callers) {
      if (session === undefined || session.idleMs < CONTENT_MS_MAX) continue;
      session.close();
      return true;
    }
    return false;
  }

  async #welcome(caller: Caller, infoHash: string, peerId: string): Promise<void> {
    caller.hello?.cancel();
    caller.hello = undefined;
    const { wire, address } = caller;
    const { config, intake, peerId: own } = this.#world;
    const offer = this.#offered.find(infoHash);
    const isServed =
      offer !== undefined &&
      !bytesEqual(fromHex(peerId) ?? own, own) &&
      (config.peerServes === 'anyone' || this.#swarms.hasAddress(offer.torrentId, address));
    if (!isServed || wire.isShaken) {
      wire.socket.destroy();
      return;
    }
    this.#supersede(`${offer.torrentId} ${peerId}`, caller);
    // Said on a connection by the v1 hash, it would mean that both go on by the v2 one.
    wire.isV2 = offer.hashes.v2 !== undefined && toHex(offer.hashes.v2) === infoHash;
    if (offer.isWanted) {
      wire.handshake(infoHash, own);
      if (!intake.adopt(offer.torrentId, wire, address)) wire.socket.destroy();
      return;
    }
    const pieces = await this.#piecesOf(offer);
    const lacking = offer.isDamaged ? await pieces?.lacking(this.#world.sql) : undefined;
    if (pieces === undefined || wire.socket.destroyed) {
      wire.socket.destroy();
      return;
    }
    wire.extendedHandshake = { v: 'Swarmkeep', reqq: config.peerRequestsMax, upload_only: 1 };
    wire.handshake(infoHash, own, { fast: true });
    const peer = { wire, address, torrentId: offer.torrentId, pieces, lacking };
    caller.session = new SeedSession(this.#session, peer);
  }

  /** Whoever comes again has lost the connection before, of which this side may not know yet. */
  #supersede(key: string, caller: Caller): void {
    const before = this.#known.get(key);
    // Another address with that peer id is somebody else, or wants to be taken for them.
    if (before !== undefined && before.address === caller.address) before.wire.socket.destroy();
    this.#known.set(key, caller);
  }

  #piecesOf({ torrentId }: Offer): Promise<KeptPieces | undefined> {
    const known = this.#open.get(torrentId);
    if (known !== undefined) return known;
    const opening = this.#openPieces(torrentId);
    this.#open.set(torrentId, opening);
    opening.catch(() => this.#open.delete(torrentId));
    return opening;
  }

  async #openPieces(torrentId: number): Promise<KeptPieces | undefined> {
    const { sql, segments, hasher, catalogue } = this.#world;
    const metainfo = await catalogue.metainfo(torrentId);
    if (metainfo === undefined) return undefined;
    return await KeptPieces.open({ sql, segments, hasher }, torrentId, metainfo);
  }
}
