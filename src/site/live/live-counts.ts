// Counts of swarms as they change, for the pages that show them. Pages say which torrents they show; one
// timer for all of them looks at each of those once a round, in the swarms' own memory, and what changed
// is written to the pages that show it. While no page is open there is no timer.
//
// Who watches is asked about once a round, all at once: whose session ended, who was banned or whose network
// was, is told nothing more.
//
// A page gets all of its torrents when its stream begins, which may be long after it was made. A stream
// ends after a while, and browsers open it again: then it is asked anew who they are.

import type { Clock, Timer } from '#base/clock.ts';
import { below, type Random } from '#base/random.ts';
import type { SwarmCounts, Swarms } from '#site/swarms.ts';

export interface LiveCountsWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly swarms: Pick<Swarms, 'counts'>;
  readonly config: { readonly liveStreamsMax: number; readonly liveIntervalMs: number };
  /** Which of those who watch may go on. */
  stayers(watching: readonly LiveWatcher[]): Promise<ReadonlySet<LiveWatcher>>;
}

export type LiveWatcher = Pick<LiveAsked, 'sessionId' | 'address'>;

export interface LiveAsked {
  readonly memberId: number;
  readonly sessionId: number;
  readonly address: string;
  readonly torrentIds: readonly number[];
  /** What is told of one torrent, which no tracker may know. */
  readonly describe: (torrentId: number, counts: SwarmCounts | undefined) => unknown;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** Windows of one member that are kept up to date; one more is not. */
export const STREAMS_OF_MEMBER_MAX = 6;
export const TORRENTS_OF_STREAM_MAX = 200;
const STREAM_MS_MAX = 120_000;
/** A comment keeps proxies from closing a stream in which nothing happens. */
const SILENCE_MS_MAX = 15_000;
/** After a cut browsers wait so long, and not all the same. */
const RETRY_MS = 3000;
const RETRY_SPREAD_MS = 5000;
/** Texts that a reader has not taken; a slow one is told the rest when it has. */
const TEXTS_WAITING_MAX = 4;

interface Watched {
  told: SwarmCounts | undefined;
  readonly streams: Set<Stream>;
}

interface Stream {
  readonly asked: LiveAsked;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Changed, and not told yet. */
  readonly changed: Set<number>;
  readonly endMs: number;
  toldMs: number;
}

export class LiveCounts {
  readonly #world: LiveCountsWorld;
  readonly #watched = new Map<number, Watched>();
  readonly #streams = new Set<Stream>();
  readonly #ofMember = new Map<number, number>();
  readonly #encoder = new TextEncoder();
  #timer: Timer | undefined;
  #isAsking = false;

  constructor(world: LiveCountsWorld) {
    this.#world = world;
  }

  /** Streams that are open. */
  get open(): number {
    return this.#streams.size;
  }

  /** Server-sent events; undefined while there are too many streams, of all or of this member. */
  stream(asked: LiveAsked): ReadableStream<Uint8Array> | undefined {
    const ofMember = this.#ofMember.get(asked.memberId) ?? 0;
    const isFull = this.#streams.size >= this.#world.config.liveStreamsMax;
    if (isFull || ofMember >= STREAMS_OF_MEMBER_MAX) return undefined;
    let stream: Stream | undefined;
    const end = (): void => {
      if (stream !== undefined) this.#end(stream);
    };
    // Of an answer whose client has gone before it is begun nobody cancels the stream.
    asked.signal.addEventListener('abort', end, { once: true });
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          stream = this.#begin(asked, controller);
        },
        cancel: end,
      },
      { highWaterMark: TEXTS_WAITING_MAX },
    );
  }

  #begin(asked: LiveAsked, controller: Stream['controller']): Stream {
    const nowMs = this.#world.clock.monotonicMs();
    const endMs = nowMs + STREAM_MS_MAX;
    const changed = new Set(asked.torrentIds);
    const stream = { asked, controller, changed, endMs, toldMs: nowMs };
    this.#streams.add(stream);
    this.#ofMember.set(asked.memberId, (this.#ofMember.get(asked.memberId) ?? 0) + 1);
    for (const torrentId of changed) {
      const watched = this.#watched.get(torrentId);
      if (watched !== undefined) watched.streams.add(stream);
      else {
        const told = this.#world.swarms.counts(torrentId);
        this.#watched.set(torrentId, { told, streams: new Set([stream]) });
      }
    }
    // Apart, so that not all come back at once after a restart.
    const retryMs = RETRY_MS + below(this.#world.random, RETRY_SPREAD_MS);
    this.#write(stream, `retry: ${retryMs}\n\n`);
    this.#tell(stream, nowMs);
    this.#timer ??= this.#nextRound();
    return stream;
  }

  #end(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    const { memberId, torrentIds } = stream.asked;
    const left = (this.#ofMember.get(memberId) ?? 1) - 1;
    if (left === 0) this.#ofMember.delete(memberId);
    else this.#ofMember.set(memberId, left);
    for (const torrentId of torrentIds) {
      const watched = this.#watched.get(torrentId);
      watched?.streams.delete(stream);
      if (watched?.streams.size === 0) this.#watched.delete(torrentId);
    }
    if (this.#streams.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #nextRound(): Timer {
    return this.#world.clock.after(this.#world.config.liveIntervalMs, () => this.#round());
  }

  #round(): void {
    for (const [torrentId, watched] of this.#watched) {
      const now = this.#world.swarms.counts(torrentId);
      if (isSame(now, watched.told)) continue;
      watched.told = now;
      for (const stream of watched.streams) stream.changed.add(torrentId);
    }
    const nowMs = this.#world.clock.monotonicMs();
    for (const stream of this.#streams) {
      if (nowMs >= stream.endMs) {
        stream.controller.close();
        this.#end(stream);
      } else if ((stream.controller.desiredSize ?? 0) > 0) this.#tell(stream, nowMs);
    }
    this.#timer = this.#streams.size === 0 ? undefined : this.#nextRound();
    if (!this.#isAsking && this.#streams.size > 0) void this.#askWhoStays();
  }

  /** Never rejects: a database that is away takes nobody's rights. */
  async #askWhoStays(): Promise<void> {
    this.#isAsking = true;
    const asked = [...this.#streams];
    try {
      const staying = await this.#world.stayers(asked.map((stream) => stream.asked));
      for (const stream of asked) {
        if (staying.has(stream.asked) || !this.#streams.has(stream)) continue;
        stream.controller.close();
        this.#end(stream);
      }
    } catch {
      // It is asked again in the next round.
    } finally {
      this.#isAsking = false;
    }
  }

  #tell(stream: Stream, nowMs: number): void {
    const { asked, changed } = stream;
    const rows: Record<number, unknown> = {};
    for (const torrentId of changed) {
      rows[torrentId] = asked.describe(torrentId, this.#watched.get(torrentId)?.told);
    }
    changed.clear();
    if (Object.keys(rows).length > 0) this.#write(stream, `data: ${JSON.stringify(rows)}\n\n`);
    else if (nowMs - stream.toldMs >= SILENCE_MS_MAX) this.#write(stream, ':\n\n');
    else return;
    stream.toldMs = nowMs;
  }

  #write(stream: Stream, text: string): void {
    stream.controller.enqueue(this.#encoder.encode(text));
  }
}

function isSame(a: SwarmCounts | undefined, b: SwarmCounts | undefined): boolean {
  return a?.seeders === b?.seeders && a?.leechers === b?.leechers && a?.completed === b?.completed;
}
