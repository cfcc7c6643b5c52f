// Full scrapes (T6): every torrent that the asker may see, with its counts, in one bencoded answer.
// It is made and sent in pieces of at most a millisecond, each a turn of the event loop, so that no
// announce waits behind more than one; packing runs in Node's thread pool. A piece is made only when
// the one before it has left, so an answer holds a bounded buffer whatever the client reads.

import { createGzip, type Gzip } from 'node:zlib';
import { utf8 } from '#base/bytes.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { TcpConnection } from '#net/tcp-server.ts';
import type { Swarm } from '#swarm/swarm.ts';
import { newCensusEntry, type TorrentCensus } from '#swarm/torrent-census.ts';
import { HttpAnswerWriter, SCRAPE_FILE_BYTES } from '#wire/http-response.ts';
import {
  CHUNK_FRAME_BYTES,
  type HttpStreamForm,
  httpStreamHead,
  LAST_CHUNK,
  writeChunk,
} from '#wire/http-stream.ts';

/** Below the smallest output of a connection. */
const PIECE_BYTES = 8192;
/** Torrents looked at in a row: well below a millisecond. */
const PIECE_TORRENTS = 200;
/** In the first piece; each has twice as many as the one before, until the engine has compiled it. */
const PIECE_TORRENTS_FIRST = 8;
/** Until a client that does not read is looked at again. */
const BLOCKED_MS = 10;
const OPEN: Uint8Array = utf8('d5:filesd');
const CLOSE: Uint8Array = utf8('ee');

export interface FullScrapesWorld {
  readonly clock: Clock;
  readonly swarm: Pick<Swarm, 'census'>;
  /** At once, in this thread. */
  readonly activeMax: number;
  /** From the request to the last byte; a slower client is dropped. */
  readonly msMax: number;
}

export class FullScrapes {
  readonly #world: FullScrapesWorld;
  readonly #streams = new Map<number, FullScrape>();

  constructor(world: FullScrapesWorld) {
    this.#world = world;
  }

  get hasRoom(): boolean {
    return this.#streams.size < this.#world.activeMax;
  }

  /** Holds the connection until the answer is out. `shows` decides which torrents are in it. */
  start(
    connection: TcpConnection,
    form: HttpStreamForm,
    shows: (torrentId: number) => boolean,
  ): void {
    const onEnd = (): void => {
      this.#streams.delete(connection.id);
    };
    const stream = new FullScrape({ ...this.#world, connection, form, shows, onEnd });
    this.#streams.set(connection.id, stream);
    stream.start();
  }

  /** The connection is gone. */
  onClosed(connection: TcpConnection): void {
    this.#streams.get(connection.id)?.stop();
  }

  /** Ends the answers under way; their clients see that the last chunk is missing. */
  close(): void {
    for (const stream of [...this.#streams.values()]) stream.fail();
  }
}

interface FullScrapeWorld extends FullScrapesWorld {
  readonly connection: TcpConnection;
  readonly form: HttpStreamForm;
  readonly shows: (torrentId: number) => boolean;
  readonly onEnd: () => void;
}

class FullScrape {
  readonly #world: FullScrapeWorld;
  readonly #census: TorrentCensus;
  readonly #entry = newCensusEntry();
  readonly #writer = new HttpAnswerWriter();
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #gzip: Gzip | undefined;
  readonly #untilMs: number;
  #phase: 'gathering' | 'listing' | 'packing' | 'ended' = 'gathering';
  /** Bytes of the body that wait for room in the output: a piece, or what packing gave. */
  #waiting: Uint8Array[] = [];
  #pieceTorrents = PIECE_TORRENTS_FIRST;
  #isPacking = false;
  #isPacked: boolean;
  #timer: Timer | undefined;

  constructor(world: FullScrapeWorld) {
    this.#world = world;
    this.#census = world.swarm.census();
    this.#untilMs = world.clock.monotonicMs() + world.msMax;
    this.#gzip = world.form.gzip ? createGzip() : undefined;
    this.#isPacked = this.#gzip === undefined;
  }

  start(): void {
    const { connection, form } = this.#world;
    connection.hold();
    this.#put(httpStreamHead(form));
    this.#give(OPEN);
    const gzip = this.#gzip;
    gzip?.on('data', (bytes: Buffer) => this.#waiting.push(bytes));
    gzip?.on('end', () => {
      this.#isPacked = true;
    });
    gzip?.on('error', () => this.fail());
    this.#plan(0);
  }

  stop(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#timer?.cancel();
    this.#gzip?.destroy();
    this.#waiting = [];
    this.#world.onEnd();
  }

  fail(): void {
    this.stop();
    this.#world.connection.destroy();
  }

  #plan(delayMs: number): void {
    this.#timer = this.#world.clock.after(delayMs, () => this.#turn());
  }

  #turn(): void {
    const { clock, connection } = this.#world;
    if (clock.monotonicMs() > this.#untilMs) {
      this.fail();
      return;
    }
    // What was owed is out: the deadline for taking it is no more.
    if (connection.outputLength === 0) connection.hold();
    const hasMoved = this.#send();
    if (this.#waiting.length === 0 && !this.#isPacking) this.#work();
    connection.flush();
    if (this.#phase === 'packing' && this.#isPacked && this.#waiting.length === 0) this.#finish();
    else this.#plan(hasMoved || this.#waiting.length === 0 ? 0 : BLOCKED_MS);
  }

  /** Moves what waits into the output, as far as there is room. */
  #send(): boolean {
    const { connection, form } = this.#world;
    let hasMoved = false;
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined) return hasMoved;
      const room = connection.output.length - connection.outputLength - CHUNK_FRAME_BYTES;
      if (room < PIECE_BYTES) return hasMoved;
      const bytes = first.subarray(0, room);
      if (bytes.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(room);
      if (form.isHttp10) this.#put(bytes);
      else connection.produce(writeChunk(connection.output, connection.outputLength, bytes));
      hasMoved = true;
    }
  }

  #work(): void {
    if (this.#phase === 'gathering') {
      if (!this.#census.step()) this.#phase = 'listing';
    } else if (this.#phase === 'listing') this.#list();
  }

  #list(): void {
    const { shows } = this.#world;
    const entry = this.#entry;
    let at = 0;
    const torrents = this.#pieceTorrents;
    this.#pieceTorrents = Math.min(torrents * 2, PIECE_TORRENTS);
    for (let looked = 0; looked < torrents; looked++) {
      if (at + SCRAPE_FILE_BYTES > PIECE_BYTES) break;
      const result = this.#census.next(entry);
      if (result === 'end') {
        this.#phase = 'packing';
        this.#piece.set(CLOSE, at);
        at += CLOSE.length;
        break;
      }
      if (result === 'skipped' || !shows(entry.torrentId)) continue;
      at += this.#writer.writeScrapeFile(this.#piece, at, entry);
    }
    if (at > 0) this.#give(this.#piece.slice(0, at));
    if (this.#phase === 'packing') this.#gzip?.end();
  }

  /** A part of the body: to be packed, or to be sent as it is. */
  #give(bytes: Uint8Array): void {
    if (this.#gzip === undefined) {
      this.#waiting.push(bytes);
      return;
    }
    this.#isPacking = true;
    this.#gzip.write(bytes, () => {
      this.#isPacking = false;
    });
  }

  #put(bytes: Uint8Array): void {
    const { connection } = this.#world;
    connection.output.set(bytes, connection.outputLength);
    connection.produce(bytes.length);
  }

  #finish(): void {
    const { connection, form } = this.#world;
    this.stop();
    if (!form.isHttp10) this.#put(LAST_CHUNK);
    connection.flush();
    if (form.close || form.isHttp10) connection.end();
    else connection.release();
  }
}
