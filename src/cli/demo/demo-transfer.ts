// One torrent in one client of the demo: the pieces it has, the ones it asks for, and its counters as
// they are announced. Blocks travel by the BitTorrent peer protocol over real sockets.

import type Protocol from 'bittorrent-protocol';
import { below, type Random } from '#base/random.ts';
import type { GeneratedContent } from './generated-content.ts';

type Wire = InstanceType<typeof Protocol>;

const BLOCK_BYTES = 16_384;
const REQUESTS_MAX = 4;
export const WIRES_MAX = 8;

export interface TransferWorld {
  readonly random: Random;
  /** Queues a block that was asked for; the client sends it when its rate allows. */
  readonly upload: (send: () => void, bytes: number) => void;
  readonly onComplete: () => void;
}

interface Link {
  readonly wire: Wire;
  /** The piece this wire is asked for. */
  piece: number | undefined;
  bytes: Uint8Array;
  /** Where the next request begins, and how many bytes have come. */
  asked: number;
  received: number;
  requests: number;
}

export class DemoTransfer {
  readonly content: GeneratedContent;
  readonly #world: TransferWorld;
  readonly #have: Uint8Array;
  readonly #links = new Set<Link>();
  readonly #asked = new Set<number>();
  #missing: number;
  uploaded = 0;
  downloaded = 0;

  /** `complete` begins as a seeder. */
  constructor(content: GeneratedContent, complete: boolean, world: TransferWorld) {
    this.content = content;
    this.#world = world;
    this.#have = new Uint8Array(content.pieceCount).fill(complete ? 1 : 0);
    this.#missing = complete ? 0 : content.pieceCount;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Bytes that are missing, as announced. */
  get left(): number {
    const { metainfo } = this.content;
    return Math.min(metainfo.sizeBytes, this.#missing * metainfo.pieceLength);
  }

  get hasRoom(): boolean {
    return this.#links.size < WIRES_MAX;
  }

  /** Takes a connection over after both handshakes. */
  join(wire: Wire): void {
    const link: Link = {
      wire,
      piece: undefined,
      bytes: new Uint8Array(),
      asked: 0,
      received: 0,
      requests: 0,
    };
    this.#links.add(link);
    wire.on('close', () => {
      this.#links.delete(link);
      if (link.piece !== undefined) this.#asked.delete(link.piece);
    });
    wire.on('request', (piece, offset, length, respond) => {
      const isGood =
        this.#have[piece] === 1 &&
        length <= BLOCK_BYTES &&
        offset + length <= this.content.pieceBytes(piece);
      if (!isGood) {
        wire.destroy();
        return;
      }
      const send = (): void => {
        if (!this.#links.has(link)) return;
        this.uploaded += length;
        respond(null, this.content.read(piece, offset, length));
      };
      this.#world.upload(send, length);
    });
    const look = (): void => this.#ask(link);
    wire.on('bitfield', look);
    wire.on('have', look);
    wire.on('unchoke', look);
    wire.bitfield(this.#bitfield());
    wire.interested();
    wire.unchoke();
  }

  leave(): void {
    for (const { wire } of [...this.#links]) wire.destroy();
  }

  #bitfield(): Uint8Array {
    const bits = new Uint8Array(Math.ceil(this.#have.length / 8));
    for (const [piece, has] of this.#have.entries()) {
      if (has === 1) bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7));
    }
    return bits;
  }

  /** Keeps a few requests on their way while the other side has something for us. */
  #ask(link: Link): void {
    if (link.wire.peerChoking || this.isComplete) return;
    if (link.piece === undefined) {
      const piece = this.#choose(link.wire);
      if (piece === undefined) return;
      this.#asked.add(piece);
      link.piece = piece;
      link.bytes = new Uint8Array(this.content.pieceBytes(piece));
      link.asked = 0;
      link.received = 0;
    }
    const { piece, bytes } = link;
    while (link.requests < REQUESTS_MAX && link.asked < bytes.length) {
      const offset = link.asked;
      const length = Math.min(BLOCK_BYTES, bytes.length - offset);
      link.asked += length;
      link.requests += 1;
      link.wire.request(piece, offset, length, (error, block) => {
        link.requests -= 1;
        if (error !== null || block === undefined || link.piece !== piece) return;
        bytes.set(block.subarray(0, length), offset);
        this.downloaded += length;
        link.received += length;
        if (link.received === bytes.length) this.#finish(link, piece);
        this.#ask(link);
      });
    }
  }

  /** A piece that the other side has, we lack, and nobody else is asked for. */
  #choose(wire: Wire): number | undefined {
    const count = this.#have.length;
    const start = below(this.#world.random, count);
    for (let step = 0; step < count; step++) {
      const piece = (start + step) % count;
      if (this.#have[piece] === 0 && !this.#asked.has(piece) && wire.peerPieces.get(piece)) {
        return piece;
      }
    }
    return undefined;
  }

  #finish(link: Link, piece: number): void {
    link.piece = undefined;
    this.#asked.delete(piece);
    if (this.#have[piece] === 1 || !this.content.isPiece(piece, link.bytes)) return;
    this.#have[piece] = 1;
    this.#missing -= 1;
    for (const { wire } of this.#links) wire.have(piece);
    if (this.isComplete) this.#world.onComplete();
  }
}
