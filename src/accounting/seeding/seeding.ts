// When a member seeded a torrent, whatever number of clients they have: seed time is the union of what
// their clients prove, and they seed now when one of them does. Pure; the ledger keeps one state for
// each pair of member and torrent, and gives it each record of the pair in the order of the log.
//
//   left was 0 before, not `started`   proves the time since the client's last record, an hour at most;
//                                      of it counts what no other client has proven
//   left is 0, not `stopped`           this client seeds from here on
//   anything else                      this client does not, or not any more
//
// Two clients prove overlapping times, and one of them tells later than the other. So the last spans
// are remembered, for two hours: what a record proves is an hour at most. Beyond SPANS_MAX the oldest
// gap is closed, uncounted. Why it is kept like this: docs/decisions/0017.

import type { TransferRecord } from '#accounting/transfers/transfer-record.ts';
import { RECORD_FLAG, TRANSFER_EVENT } from '#accounting/transfers/transfer-record.ts';

/**
 * The most seed time one record proves, and how long a client that said nothing more still seeds: the
 * default announce interval of 30 minutes and as much grace (A11). No setting, because totals must
 * follow from the log alone.
 */
export const SEED_SECONDS_PER_RECORD_MAX = 3600;

/** Spans before the last one, and clients beside the last one, that are remembered. */
const SPANS_MAX = 7;
const CLIENTS_MAX = 7;
/** Nothing longer ago can be proven again: a record may be an hour behind the latest, and prove one. */
export const REMEMBERED_SECONDS = 2 * SEED_SECONDS_PER_RECORD_MAX;

/** Times are whole seconds since 1970, as trackers count them. */
export interface Seeding {
  /** The span of seeding that ends last, as much of it as is remembered; 0 and 0 before any. */
  fromSeconds: number;
  untilSeconds: number;
  /** The client that said last that it has everything, by clientMark(), and when; 0 and 0 without. */
  client: number;
  seenSeconds: number;
  /** Spans before it: from and until in turn, in order, with gaps between them. */
  spans: number[];
  /** Other clients that seed: mark and when they said so, in turn. */
  clients: number[];
}

/** What a record tells about seeding. */
export interface SeedingTold {
  readonly atSeconds: number;
  /** Proven before `atSeconds`; 0 to SEED_SECONDS_PER_RECORD_MAX. */
  readonly seconds: number;
  readonly client: number;
  readonly seeds: boolean;
}

export function newSeeding(): Seeding {
  return { fromSeconds: 0, untilSeconds: 0, client: 0, seenSeconds: 0, spans: [], clients: [] };
}

/** False for the records of clients that download, which change nothing. */
export function tellsSeeding(record: TransferRecord): boolean {
  return (
    record.memberId !== 0 && (record.left === 0 || (record.flags & RECORD_FLAG.seededBefore) !== 0)
  );
}

/** Seconds that the record proves by itself. Whoever says `started` was away until now. */
export function seedSecondsProven(record: TransferRecord): number {
  const wasSeeding = (record.flags & RECORD_FLAG.seededBefore) !== 0;
  if (!wasSeeding || record.event === TRANSFER_EVENT.started) return 0;
  return Math.min(record.elapsedSeconds, SEED_SECONDS_PER_RECORD_MAX);
}

/** Whether its client seeds after the record. */
export function seedsOn(record: TransferRecord): boolean {
  return record.left === 0 && record.event !== TRANSFER_EVENT.stopped;
}

export const MARK_MAX = 0xf_ffff;

/** Tells a member's clients apart: 20 bits made of the peer id (FNV-1a), never 0. */
export function clientMark(peerId: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < peerId.length; at++) hash = Math.imul(hash ^ peerId[at]!, 0x01000193);
  return (hash ^ (hash >>> 12)) & MARK_MAX || 1;
}

/** Of a record, in whole seconds; within 32 bits, whatever a log says. */
export function tellSeconds(record: TransferRecord): number {
  return Math.min(Math.floor(record.timeMs / 1000), 0xffff_ffff);
}

/** Moves the state behind one record, and returns the seconds that it adds to the seed time. */
export function advanceSeeding(seeding: Seeding, told: SeedingTold): number {
  const { atSeconds, seconds } = told;
  const counted = seconds > 0 ? cover(seeding, atSeconds - seconds, atSeconds) : 0;
  if (told.seeds) sees(seeding, told.client, atSeconds);
  else loses(seeding, told.client);
  return counted;
}

/** Whether a client that said so at `seenMs` (0: none did) seeds, as far as anybody knows at `nowMs`. */
export function seedsAt(seenMs: number, nowMs: number): boolean {
  return seenMs > 0 && nowMs < seenMs + SEED_SECONDS_PER_RECORD_MAX * 1000;
}

/** The state's rarer half as text; empty for a member with one client that did not pause. */
export function seedingMore({ spans, clients }: Pick<Seeding, 'spans' | 'clients'>): string {
  if (spans.length === 0 && clients.length === 0) return '';
  return `${spans.join(' ')};${clients.join(' ')}`;
}

/** What seedingMore() wrote. */
export function readSeedingMore(text: string): Pick<Seeding, 'spans' | 'clients'> {
  const [spans = '', clients = ''] = text.split(';');
  return { spans: numbersOf(spans), clients: numbersOf(clients) };
}

function numbersOf(text: string): number[] {
  return text === '' ? [] : text.split(' ').map(Number);
}

/** Adds a span and returns how much of it was in none before. */
function cover(seeding: Seeding, from: number, until: number): number {
  const { fromSeconds, untilSeconds, spans } = seeding;
  if (from === untilSeconds) {
    seeding.untilSeconds = until;
    forget(seeding);
    return until - from;
  }
  if (from > untilSeconds || until < untilSeconds - SEED_SECONDS_PER_RECORD_MAX) {
    // Far behind the last one, the clock was set back: what was before says nothing about now.
    if (until < untilSeconds) spans.length = 0;
    else if (untilSeconds > 0) spans.push(fromSeconds, untilSeconds);
    seeding.fromSeconds = from;
    seeding.untilSeconds = until;
    forget(seeding);
    return until - from;
  }
  if (from >= fromSeconds) {
    // Within the last span, or across its end, as of two clients that seed at once: no list is made.
    if (until > untilSeconds) seeding.untilSeconds = until;
    forget(seeding);
    return Math.max(0, until - untilSeconds);
  }
  return mergeSpan(seeding, from, until);
}

/** The same where spans overlap. */
function mergeSpan(seeding: Seeding, from: number, until: number): number {
  const all = [...seeding.spans, seeding.fromSeconds, seeding.untilSeconds];
  const merged: number[] = [];
  let counted = until - from;
  let [low, high] = [from, until];
  let isPlaced = false;
  for (let at = 0; at < all.length; at += 2) {
    const [start, end] = [all[at]!, all[at + 1]!];
    counted -= Math.max(0, Math.min(end, until) - Math.max(start, from));
    if (end < low) merged.push(start, end);
    else if (start > high) {
      if (!isPlaced) merged.push(low, high);
      isPlaced = true;
      merged.push(start, end);
    } else {
      low = Math.min(low, start);
      high = Math.max(high, end);
    }
  }
  if (!isPlaced) merged.push(low, high);
  seeding.untilSeconds = merged.pop()!;
  seeding.fromSeconds = merged.pop()!;
  seeding.spans = merged;
  forget(seeding);
  return counted;
}

function forget(seeding: Seeding): void {
  const { spans } = seeding;
  const since = seeding.untilSeconds - REMEMBERED_SECONDS;
  if (seeding.fromSeconds < since) seeding.fromSeconds = since;
  while (spans.length > 0 && spans[1]! <= since) spans.splice(0, 2);
  // The gap between the two oldest counts as seeded from here on, and was not counted.
  while (spans.length > SPANS_MAX * 2) spans.splice(1, 2);
}

function sees(seeding: Seeding, client: number, atSeconds: number): void {
  const { clients } = seeding;
  if (clients.length === 0 && (seeding.client === client || seeding.client === 0)) {
    seeding.client = client;
    seeding.seenSeconds = atSeconds;
    return;
  }
  if (seeding.client !== client) takeTurn(seeding, client);
  seeding.client = client;
  seeding.seenSeconds = atSeconds;
  for (let at = clients.length - 2; at >= 0; at -= 2) {
    // Who said nothing for so long has gone without a word.
    if (clients[at + 1]! <= atSeconds - SEED_SECONDS_PER_RECORD_MAX) clients.splice(at, 2);
  }
  while (clients.length > CLIENTS_MAX * 2) clients.splice(0, 2);
}

/** The one before stands last among the others, in the place of the one who speaks now. */
function takeTurn({ client: before, seenSeconds, clients }: Seeding, client: number): void {
  let at = 0;
  while (at < clients.length && clients[at] !== client) at += 2;
  if (at === clients.length) {
    if (before !== 0) clients.push(before, seenSeconds);
    return;
  }
  // Two clients in turn are the most common case: no list grows or shrinks for it.
  for (; at + 2 < clients.length; at += 2) {
    clients[at] = clients[at + 2]!;
    clients[at + 1] = clients[at + 3]!;
  }
  clients[at] = before;
  clients[at + 1] = seenSeconds;
}

function loses(seeding: Seeding, client: number): void {
  const { clients } = seeding;
  if (seeding.client === client) {
    // The others stand in the order in which they were heard.
    seeding.seenSeconds = clients.pop() ?? 0;
    seeding.client = clients.pop() ?? 0;
    return;
  }
  for (let at = 0; at < clients.length; at += 2) {
    if (clients[at] === client) {
      // Not splice(), which makes an array of what it takes out.
      for (let behind = at + 2; behind < clients.length; behind++) {
        clients[behind - 2] = clients[behind]!;
      }
      // Two calls that the compiler knows, where a shorter length is one into the engine.
      clients.pop();
      clients.pop();
      return;
    }
  }
}
