// Downloads pieces of a torrent from its swarm, in order: whoever takes them writes files from their
// beginning to their end, and holds no more than a window of pieces. Each piece comes from one peer, so
// that who sends a wrong one is known, and asked for nothing more. Peers are dialled, and those who dialled
// the archive (peer/seeding-peer.ts) are taken on.

import type { Duplex } from 'node:stream';
import { PeerWire } from '#archive/peer/peer-wire.ts';
import { toHex } from '#base/bytes.ts';
import { type Clock, sleep, type Timer } from '#base/clock.ts';
import { BLOCK_BYTES } from '#wire/merkle.ts';
import type { PiecePlan } from './piece-plan.ts';

export interface PeerAddress {
  /** As a connection takes it: `192.0.2.1`, `2001:db8::1`. */
  readonly address: string;
  readonly port: number;
}

/** Someone who is no peer and may have any piece: a web seed. */
export interface PieceSource {
  /** Any bytes, or undefined when it has none now; they are proven by who asked. Never rejects. */
  piece(piece: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

export interface SwarmDownloadWorld {
  readonly clock: Clock;
  /** 20 bytes, by which peers know the archive. */
  readonly peerId: Uint8Array;
  /** Who is in the swarm now; asked every few seconds. */
  readonly peers: () => readonly PeerAddress[];
  /** A connection that is being made; it ends by `error` or `close`. */
  readonly connect: (to: PeerAddress) => Duplex;
}

export interface Piece {
  readonly piece: number;
  /** Verified. */
  readonly bytes: Uint8Array;
}

const LINKS_MAX = 20;
/** Of peers that dialled, beside those. */
const ADOPTED_MAX = 20;
const BLOCKS_ASKED_MAX = 64;
/** Pieces that one source is asked for at once. */
const SOURCE_PIECES_MAX = 2;
/** After an answer that was none. */
const SOURCE_REST_MS = 15_000;
/** While the window is full. */
const SOURCE_LOOK_MS = 100;
const LOOK_MS = 3000;
/** Without a block from a peer that was asked for some. */
const STALL_MS_MAX = 20_000;
/** Until a peer that could not be reached, or that went, is dialled again. */
const REDIAL_MS = 60_000;
/** Pieces that were asked for or wait for those before them, in bytes; at least two pieces. */
const WINDOW_BYTES = 64 * 1024 * 1024;

interface Link {
  readonly key: string;
  readonly wire: PeerWire;
  readonly socket: Duplex;
  /** Pieces it was asked for, the first of them first. */
  readonly asked: Map<number, { readonly bytes: Uint8Array; next: number; received: number }>;
  blocks: number;
  heardMs: number;
}

/** One torrent, once. */
export class SwarmDownload {
  readonly #world: SwarmDownloadWorld;
  readonly #plan: PiecePlan;
  readonly #infoHash: string;
  readonly #links = new Map<string, Link>();
  /** Until when a peer is left alone; for ever when it lied. */
  readonly #restUntilMs = new Map<string, number>();
  readonly #done = new Map<number, Uint8Array>();
  readonly #busy = new Set<number>();
  /** Sources that gave a wrong piece. */
  readonly #liars = new Set<PieceSource>();
  readonly #ended = new AbortController();
  #needed: readonly number[] = [];
  /** Index into `#needed` of the piece that is given next. */
  #next = 0;
  #wake = Promise.withResolvers<void>();
  #timer: Timer | undefined;
  #isOver = false;

  /** `infoHash`: 20 bytes, v1 or the truncated one of v2. */
  constructor(world: SwarmDownloadWorld, plan: PiecePlan, infoHash: Uint8Array) {
    this.#world = world;
    this.#plan = plan;
    this.#infoHash = toHex(infoHash);
  }

  /** Peers that were reached and answer. */
  get peers(): number {
    return this.#links.size;
  }

  /**
   * Those pieces, in that (ascending) order, verified. Waits for peers as long as it takes; rejects with
   * the signal's reason. Once.
   */
  async *pieces(needed: readonly number[], signal: AbortSignal): AsyncGenerator<Piece> {
    this.#needed = needed;
    const abort = (): void => this.#wake.resolve();
    signal.addEventListener('abort', abort, { once: true });
    try {
      this.#look();
      while (this.#next < needed.length) {
        signal.throwIfAborted();
        const piece = needed[this.#next] as number;
        const bytes = this.#done.get(piece);
        if (bytes === undefined) {
          this.#wake = Promise.withResolvers<void>();
          await this.#wake.promise;
          continue;
        }
        this.#done.delete(piece);
        this.#next += 1;
        this.#askAll();
        yield { piece, bytes };
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.#end();
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#ended.abort();
    this.#timer?.cancel();
    for (const { socket } of this.#links.values()) socket.destroy();
  }

  /** Dials whoever is new, and lets go of who has fallen silent. */
  #look(): void {
    if (this.#isOver) return;
    const nowMs = this.#world.clock.monotonicMs();
    for (const link of [...this.#links.values()]) {
      if (link.asked.size > 0 && nowMs - link.heardMs > STALL_MS_MAX) link.socket.destroy();
    }
    for (const peer of this.#world.peers()) {
      if (this.#links.size >= LINKS_MAX) break;
      const key = `${peer.address} ${peer.port}`;
      const isResting = (this.#restUntilMs.get(key) ?? 0) > nowMs;
      if (!isResting && !this.#links.has(key)) this.#dial(key, peer);
    }
    this.#askAll();
    this.#timer = this.#world.clock.after(LOOK_MS, () => this.#look());
  }

  /** Asked beside the peers from now on. */
  addSource(source: PieceSource): void {
    const { signal } = this.#ended;
    for (let at = 0; at < SOURCE_PIECES_MAX; at++) void this.#askSource(source, signal);
  }

  /**
   * Takes on a peer that dialled; both handshakes were sent. False when there is no use for it: then it
   * stays the caller's to end.
   */
  adopt(wire: PeerWire, address: string): boolean {
    const key = `from ${address}`;
    const isResting = (this.#restUntilMs.get(key) ?? 0) > this.#world.clock.monotonicMs();
    const isFull = this.#links.size >= LINKS_MAX + ADOPTED_MAX;
    if (this.#isOver || isResting || isFull || this.#links.has(key)) return false;
    const link = this.#link(key, wire);
    wire.setKeepAlive(true);
    wire.interested();
    this.#ask(link);
    return true;
  }

  #dial(key: string, peer: PeerAddress): void {
    const wire = new PeerWire(this.#world.connect(peer));
    this.#link(key, wire);
    wire.on('handshake', (infoHash) => {
      if (infoHash !== this.#infoHash) {
        wire.socket.destroy();
        return;
      }
      wire.setKeepAlive(true);
      wire.interested();
    });
    wire.handshake(this.#infoHash, this.#world.peerId);
  }

  #link(key: string, wire: PeerWire): Link {
    const heardMs = this.#world.clock.monotonicMs();
    const { socket } = wire;
    const link: Link = { key, wire, socket, asked: new Map(), blocks: 0, heardMs };
    this.#links.set(key, link);
    socket.once('close', () => this.#leave(link));
    const look = (): void => this.#ask(link);
    wire.on('bitfield', look);
    wire.on('have', look);
    wire.on('unchoke', look);
    return link;
  }

  #leave(link: Link): void {
    if (this.#links.get(link.key) !== link) return;
    this.#links.delete(link.key);
    const restMs = this.#world.clock.monotonicMs() + REDIAL_MS;
    this.#restUntilMs.set(link.key, Math.max(restMs, this.#restUntilMs.get(link.key) ?? 0));
    for (const piece of link.asked.keys()) this.#busy.delete(piece);
    link.asked.clear();
    this.#askAll();
  }

  #askAll(): void {
    if (this.#isOver) return;
    for (const link of this.#links.values()) this.#ask(link);
  }

  #ask(link: Link): void {
    if (this.#isOver || link.wire.peerChoking) return;
    while (link.blocks < BLOCKS_ASKED_MAX) {
      let open: number | undefined;
      for (const [piece, { bytes, next }] of link.asked) {
        if (next < bytes.length) open = piece;
        if (open !== undefined) break;
      }
      const piece = open ?? this.#choose(link);
      if (piece === undefined) return;
      this.#askBlock(link, piece);
    }
  }

  #askBlock(link: Link, piece: number): void {
    const asked = link.asked.get(piece);
    if (asked === undefined) return;
    if (link.blocks === 0) link.heardMs = this.#world.clock.monotonicMs();
    const offset = asked.next;
    const length = Math.min(BLOCK_BYTES, asked.bytes.length - offset);
    asked.next += length;
    link.blocks += 1;
    link.wire.request(piece, offset, length, (error, block) => {
      link.blocks -= 1;
      if (link.asked.get(piece) !== asked) return;
      if (error !== null || block?.length !== length) {
        // Choked in between, or refused: the whole piece is anybody's again.
        link.asked.delete(piece);
        this.#busy.delete(piece);
        this.#askAll();
        return;
      }
      link.heardMs = this.#world.clock.monotonicMs();
      asked.bytes.set(block, offset);
      asked.received += length;
      if (asked.received === asked.bytes.length) this.#finish(link, piece, asked.bytes);
      this.#ask(link);
    });
  }

  /** Piece after piece, until it is over or the source has lied. Never rejects. */
  async #askSource(source: PieceSource, signal: AbortSignal): Promise<void> {
    const { clock } = this.#world;
    const rest = (ms: number): Promise<void> => sleep(clock, ms, signal).catch(() => undefined);
    while (!signal.aborted && !this.#liars.has(source)) {
      const piece = this.#claim(() => true);
      if (piece === undefined) {
        await rest(SOURCE_LOOK_MS);
        continue;
      }
      const bytes = await source.piece(piece, signal);
      this.#busy.delete(piece);
      if (signal.aborted) return;
      if (bytes === undefined || !this.#plan.isPiece(piece, bytes)) {
        if (bytes !== undefined) this.#liars.add(source);
        this.#askAll();
        await rest(SOURCE_REST_MS);
        continue;
      }
      this.#give(piece, bytes);
    }
  }

  /** The first piece of the window that the peer has and nobody was asked for. */
  #choose(link: Link): number | undefined {
    const piece = this.#claim((at) => link.wire.peerPieces.get(at));
    if (piece === undefined) return undefined;
    const bytes = new Uint8Array(this.#plan.pieceBytes(piece));
    link.asked.set(piece, { bytes, next: 0, received: 0 });
    return piece;
  }

  #claim(has: (piece: number) => boolean): number | undefined {
    const { pieceLength } = this.#plan;
    const room = Math.max(2, Math.floor(WINDOW_BYTES / pieceLength));
    const end = Math.min(this.#next + room, this.#needed.length);
    for (let at = this.#next; at < end; at++) {
      const piece = this.#needed[at] as number;
      if (this.#busy.has(piece) || this.#done.has(piece) || !has(piece)) continue;
      this.#busy.add(piece);
      return piece;
    }
    return undefined;
  }

  #finish(link: Link, piece: number, bytes: Uint8Array): void {
    link.asked.delete(piece);
    this.#busy.delete(piece);
    if (!this.#plan.isPiece(piece, bytes)) {
      this.#restUntilMs.set(link.key, Number.POSITIVE_INFINITY);
      link.socket.destroy();
      return;
    }
    this.#give(piece, bytes);
  }

  #give(piece: number, bytes: Uint8Array): void {
    this.#done.set(piece, bytes);
    if (this.#needed[this.#next] === piece) this.#wake.resolve();
  }
}
