// The states of many pairs, in typed arrays: 70 bytes a pair and no object. The ledger remembers here
// what it wrote last, so that it need not read again what only it writes.

import { PairIndex } from '#accounting/ledger/pair-index.ts';
import {
  advanceSeeding,
  MARK_MAX,
  newSeeding,
  readSeedingMore,
  type Seeding,
  type SeedingTold,
  seedingMore,
} from './seeding.ts';

/** How a row of the ledger keeps a state: most have one span and one client, and no text. */
export interface SeedingRow {
  /** The last span: its end (seconds since 1970) times 2^13, and its length; 0 before any. */
  readonly seeded: number;
  /** Who said last that they seed: when (seconds) times 2^20, and the client's mark; 0 when none does. */
  readonly seeder: number;
  /** As seedingMore() writes it. */
  readonly seeding_more: string;
}

type Lists = Pick<Seeding, 'spans' | 'clients'>;

const LENGTHS = 2 ** 13;
const MARKS = MARK_MAX + 1;
const CAPACITY_MIN = 1024;

export class SeedingStates {
  #index = new PairIndex();
  #from = new Float64Array(CAPACITY_MIN);
  #until = new Float64Array(CAPACITY_MIN);
  #seen = new Float64Array(CAPACITY_MIN);
  #clients = new Uint32Array(CAPACITY_MIN);
  /** By place, of the few pairs with more than one span or client. */
  #more: (Lists | undefined)[] = [];
  /** Whose row has a text. */
  readonly #written = new Set<number>();
  readonly #scratch = newSeeding();
  /** Lent to a state that has no lists; those that are filled are its own from then on. */
  #noSpans: number[] = [];
  #noClients: number[] = [];

  /** Pairs that are known. */
  get size(): number {
    return this.#index.size;
  }

  clear(): void {
    this.#index = new PairIndex();
    this.#more = [];
    this.#written.clear();
  }

  /** The pair's place; it is the size before when the pair is new, and then its state is empty. */
  placeOf(memberId: number, torrentId: number): number {
    const before = this.#index.size;
    const place = this.#index.indexOf(memberId, torrentId);
    if (place < before) return place;
    if (place === this.#from.length) this.#grow();
    this.#from[place] = 0;
    this.#until[place] = 0;
    this.#seen[place] = 0;
    this.#clients[place] = 0;
    // One behind the other: an array with holes would be searched as a table.
    this.#more[place] = undefined;
    return place;
  }

  /** What the ledger has of this pair. */
  put(place: number, row: SeedingRow): void {
    const length = row.seeded % LENGTHS;
    const until = (row.seeded - length) / LENGTHS;
    this.#from[place] = until - length;
    this.#until[place] = until;
    this.#clients[place] = row.seeder % MARKS;
    this.#seen[place] = Math.floor(row.seeder / MARKS);
    if (row.seeding_more === '') return;
    this.#more[place] = readSeedingMore(row.seeding_more);
    this.#written.add(place);
  }

  /** Moves the state behind one record, and returns the seconds that it adds to the seed time. */
  advance(place: number, told: SeedingTold): number {
    const seeding = this.#scratch;
    const more = this.#more[place];
    seeding.fromSeconds = this.#from[place]!;
    seeding.untilSeconds = this.#until[place]!;
    seeding.client = this.#clients[place]!;
    seeding.seenSeconds = this.#seen[place]!;
    seeding.spans = more?.spans ?? this.#noSpans;
    seeding.clients = more?.clients ?? this.#noClients;
    const seconds = advanceSeeding(seeding, told);
    this.#from[place] = seeding.fromSeconds;
    this.#until[place] = seeding.untilSeconds;
    this.#clients[place] = seeding.client;
    this.#seen[place] = seeding.seenSeconds;
    this.#keepMore(place, more);
    return seconds;
  }

  seeded(place: number): number {
    const until = this.#until[place]!;
    return until * LENGTHS + (until - this.#from[place]!);
  }

  seeder(place: number): number {
    return this.#seen[place]! * MARKS + this.#clients[place]!;
  }

  /** The text of the pair's row. */
  more(place: number): string {
    const more = this.#more[place];
    return more === undefined ? '' : seedingMore(more);
  }

  /** The same for who writes it; undefined when it is empty and was. */
  moreToWrite(place: number): string | undefined {
    const text = this.more(place);
    if (text !== '') this.#written.add(place);
    else if (!this.#written.delete(place)) return undefined;
    return text;
  }

  /** Most records change the lists of their state in place, or have none: nothing is made for those. */
  #keepMore(place: number, more: Lists | undefined): void {
    const { spans, clients } = this.#scratch;
    if (spans.length === 0 && clients.length === 0) {
      if (more !== undefined) this.#more[place] = undefined;
      return;
    }
    if (more?.spans === spans && more.clients === clients) return;
    this.#more[place] = { spans, clients };
    if (spans === this.#noSpans) this.#noSpans = [];
    if (clients === this.#noClients) this.#noClients = [];
  }

  #grow(): void {
    const capacity = this.#from.length * 2;
    this.#from = grown(this.#from, new Float64Array(capacity));
    this.#until = grown(this.#until, new Float64Array(capacity));
    this.#seen = grown(this.#seen, new Float64Array(capacity));
    this.#clients = grown(this.#clients, new Uint32Array(capacity));
  }
}

/** When a row's last client said that it seeds, in Unix milliseconds; 0 when none does. */
export function seederSeenMs(row: Pick<SeedingRow, 'seeder'>): number {
  return Math.floor(row.seeder / MARKS) * 1000;
}

/** Until when seeding is known, in Unix milliseconds; 0 when the member never seeded. */
export function seededUntilMs(row: Pick<SeedingRow, 'seeded' | 'seeder'>): number {
  return Math.max(Math.floor(row.seeded / LENGTHS) * 1000, seederSeenMs(row));
}

function grown<Numbers extends { set(from: Numbers): void }>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
