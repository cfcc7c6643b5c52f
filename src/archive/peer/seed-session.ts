// One peer that takes a kept torrent: told that everything is here, given a slot in its turn, its requests
// answered one after the other. What is read for it and not yet sent is bounded: the next request is
// looked at when the socket has room.

import type { ArchiveConfig } from '#archive/config.ts';
import type { Clock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Pace } from '#base/pace.ts';
import { decodeHashRequest, encodeHashAnswer } from '#wire/hash-exchange.ts';
import type { KeptPieces, PiecePart } from './kept-pieces.ts';
import type { PeerWire } from './peer-wire.ts';
import type { SeedSlots, SlotHolder } from './seed-slots.ts';

/** Some clients ask for more than a block at once; more than this is nobody's. */
const REQUEST_BYTES_MAX = 128 * 1024;
/** In the socket's hands, until the next request is read. */
const SENDING_BYTES_MAX = 256 * 1024;
const SILENT_MS_MAX = 180_000;
/** Of one peer; each may cost the hashing of a few segments. */
const HASH_REQUESTS_MAX = 8;
const HASH_REQUEST_KIND = 21;

export interface SeedSessionWorld {
  readonly clock: Clock;
  readonly config: ArchiveConfig;
  readonly logger: Logger;
  readonly slots: SeedSlots;
  /** Of all sessions together. */
  readonly pace: Pace;
  readonly onSent: (bytes: number) => void;
}

export interface SeededPeer {
  /** Its handshake was answered. */
  readonly wire: PeerWire;
  readonly address: string;
  readonly torrentId: number;
  readonly pieces: KeptPieces;
  /** Pieces that are known to be damaged, which it is not told to be here. */
  readonly lacking?: ReadonlySet<number> | undefined;
}

interface Request extends PiecePart {
  readonly respond: (error: Error | null, block?: Uint8Array) => void;
}

export class SeedSession implements SlotHolder {
  readonly address: string;
  readonly torrentId: number;
  readonly #world: SeedSessionWorld;
  readonly #wire: PeerWire;
  readonly #pieces: KeptPieces;
  readonly #gone = new AbortController();
  #queue: Request[] = [];
  #isServing = false;
  #hashRequests = 0;
  #heardMs: number;
  /** Since when it wants nothing; undefined while it does. */
  #contentSinceMs: number | undefined;

  constructor(world: SeedSessionWorld, peer: SeededPeer) {
    this.#world = world;
    this.#wire = peer.wire;
    this.#pieces = peer.pieces;
    this.address = peer.address;
    this.torrentId = peer.torrentId;
    this.#heardMs = world.clock.monotonicMs();
    this.#contentSinceMs = this.#heardMs;
    this.#listen();
    this.#greet(peer.lacking);
  }

  /** Milliseconds for which it has wanted nothing; 0 while it does. */
  get idleMs(): number {
    const sinceMs = this.#contentSinceMs;
    return sinceMs === undefined ? 0 : this.#world.clock.monotonicMs() - sinceMs;
  }

  get isSilent(): boolean {
    return this.#world.clock.monotonicMs() - this.#heardMs > SILENT_MS_MAX;
  }

  unchoke(): void {
    this.#wire.unchoke();
  }

  choke(): void {
    this.#queue = [];
    this.#wire.choke();
  }

  close(): void {
    this.#wire.socket.destroy();
  }

  #listen(): void {
    const wire = this.#wire;
    const { slots, clock } = this.#world;
    wire.socket.on('data', () => {
      this.#heardMs = clock.monotonicMs();
    });
    wire.socket.once('close', () => {
      this.#gone.abort();
      this.#queue = [];
      slots.leave(this);
    });
    wire.on('interested', () => this.#want());
    wire.on('uninterested', () => {
      this.#contentSinceMs ??= clock.monotonicMs();
      slots.leave(this);
      this.choke();
    });
    wire.on('request', (piece, offset, length, respond) =>
      this.#asked({ piece, offset, length, respond }),
    );
    wire.on('cancel', (piece, offset, length) => {
      const isOther = (one: Request): boolean =>
        one.piece !== piece || one.offset !== offset || one.length !== length;
      this.#queue = this.#queue.filter(isOther);
    });
    wire.on('have-all', () => this.close());
    wire.on('bitfield', (pieces) => {
      if (this.#hasAll(pieces)) this.close();
    });
    wire.on('unknownmessage', (message) => {
      if (message[0] === HASH_REQUEST_KIND) void this.#answerHashes(message);
    });
  }

  #greet(lacking: ReadonlySet<number> = new Set()): void {
    const wire = this.#wire;
    wire.setKeepAlive(true);
    if (wire.hasFast && lacking.size === 0) wire.haveAll();
    else wire.bitfield(allBut(lacking, this.#pieces.plan.pieceCount));
    // It may have spoken before its torrent was opened.
    if (wire.peerInterested) this.#want();
    if (this.#hasAll(wire.peerPieces)) this.close();
  }

  #want(): void {
    this.#contentSinceMs = undefined;
    this.#world.slots.want(this);
  }

  #asked(request: Request): void {
    if (request.length > REQUEST_BYTES_MAX || !this.#pieces.has(request)) {
      this.close();
      return;
    }
    if (this.#queue.length >= this.#world.config.peerRequestsMax) {
      request.respond(new Error('There are too many requests'));
      return;
    }
    this.#queue.push(request);
    void this.#serve();
  }

  /** Answers what waits, in order. Never rejects. */
  async #serve(): Promise<void> {
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        await this.#roomToSend();
        await this.#world.pace.take(next.length, this.#gone.signal);
        await this.#give(next);
      }
    } catch {
      // The peer has gone, and with it whatever it asked for.
    } finally {
      this.#isServing = false;
    }
  }

  async #give(request: Request): Promise<void> {
    const { signal } = this.#gone;
    try {
      const bytes = await this.#pieces.read(request, signal);
      if (signal.aborted || this.#wire.amChoking) return;
      request.respond(null, bytes);
      this.#world.onSent(bytes.length);
    } catch (error) {
      if (signal.aborted) return;
      const { logger } = this.#world;
      const code = codeOf(error) ?? 'unknown';
      logger.warn('A peer could not be given a piece', { code, torrentId: this.torrentId });
      request.respond(new Error('It cannot be read'));
      // Who knows no refusal would wait for it, and may find it elsewhere.
      if (!this.#wire.hasFast) this.close();
    }
  }

  /** Resolves when little is under way. Rejects when the peer has gone. */
  async #roomToSend(): Promise<void> {
    const { signal } = this.#gone;
    const { socket } = this.#wire;
    while (socket.writableLength > SENDING_BYTES_MAX) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = (): void => {
          socket.off('drain', done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        socket.once('drain', done);
        signal.addEventListener('abort', done, { once: true });
      });
    }
    signal.throwIfAborted();
  }

  /** Never rejects. */
  async #answerHashes(message: Uint8Array): Promise<void> {
    const request = decodeHashRequest(message.slice());
    if (request === undefined) {
      this.close();
      return;
    }
    if (this.#hashRequests >= HASH_REQUESTS_MAX) {
      this.#wire.sendMessage(encodeHashAnswer(request, undefined));
      return;
    }
    this.#hashRequests += 1;
    try {
      const hashes = await this.#pieces.hashes(request, this.#gone.signal).catch(() => undefined);
      if (!this.#gone.signal.aborted) this.#wire.sendMessage(encodeHashAnswer(request, hashes));
    } finally {
      this.#hashRequests -= 1;
    }
  }

  #hasAll(pieces: { get(index: number): boolean }): boolean {
    const { pieceCount } = this.#pieces.plan;
    for (let piece = 0; piece < pieceCount; piece++) if (!pieces.get(piece)) return false;
    return true;
  }
}

/** The bits of a peer that has every other piece; those behind the last are zero. */
function allBut(lacking: ReadonlySet<number>, pieceCount: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(pieceCount / 8)).fill(0xff);
  const over = bits.length * 8 - pieceCount;
  if (bits.length > 0) bits[bits.length - 1] = (0xff << over) & 0xff;
  for (const piece of lacking) bits[piece >> 3] = (bits[piece >> 3] ?? 0) & ~(0x80 >> (piece & 7));
  return bits;
}
