// Tells the log what the catalogue changed: rows that changes left behind in their own transactions become
// signed events, in order, each once. Whoever answers for a change waits for `flush`, so that what was
// answered can be found again from log and blobs alone.
//
//   1  read the oldest rows, and what is so now; put what the events name into the store
//   2  append the events, on disk
//   3  in one transaction: delete the rows, write down which events stand
//
// After a crash between 2 and 3 the end of the topic has the events of rows that are still there: an event
// says which change it tells, so they are found and not told twice.

import type { Transaction } from 'kysely';
import { ArchiveError } from '#archive/errors.ts';
import { bytesEqual, fromHex, toHex } from '#base/bytes.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Logger } from '#base/logger.ts';
import type { Log } from '#log/log.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import {
  type ArchiveEvent,
  decodeEvent,
  EVENTS_TOPIC,
  type EventBody,
  type EventKey,
  eventHash,
  fileRefs,
  NO_EVENT,
} from './event.ts';
import type { EventTables } from './event-tables.ts';
import { bodyOfChange, type ChangeRow, type TorrentWords } from './told-change.ts';

const ROWS_AT_ONCE = 100;
const LOOK_MS = 1000;
const RETRY_MS = 10_000;
/** Asked every second, also when nothing happens. */
const oldestChanges = fixedQuery<EventTables, Readonly<Record<string, never>>, ChangeRow>(
  (reading) => reading.selectFrom('archive_change').selectAll().orderBy('id').limit(ROWS_AT_ONCE),
);

/** The keys of this server; `next` is one that was made and may be in force already. */
export interface EventKeys {
  current(): EventKey;
  next(): EventKey | undefined;
  /** Durable when it returns: `next` is made, or found again. */
  makeNext(): EventKey;
  /** `next` takes the place of `current`. */
  adoptNext(): void;
}

export interface EventWorld {
  readonly sql: Sql;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keys: EventKeys;
  /** Undefined when the catalogue of torrents does not have it. */
  readonly describe: (torrentId: number) => Promise<TorrentWords | undefined>;
  store(): Promise<Store>;
}

interface Tail {
  /** Of the last event. */
  hash: Uint8Array;
  nextOffset: number;
}

interface Told {
  readonly row: ChangeRow;
  readonly body: EventBody | undefined;
  readonly name: string;
  readonly offset: number;
}

export class EventRelay {
  readonly #world: EventWorld;
  #tail: Tail | undefined;
  /** Changes that the end of the topic tells already, by `EventBody.change`. */
  #known = new Map<string, { readonly event: ArchiveEvent; readonly offset: number }>();
  #running: Promise<void> = Promise.resolve();

  constructor(world: EventWorld) {
    this.#world = world;
  }

  /**
   * Every change that was committed before the call is told when it resolves. @throws ArchiveError
   * ARCHIVE_EVENT_KEY_UNKNOWN, LogError, StoreError; what waits is told the next time
   */
  flush(): Promise<void> {
    const next = this.#running.catch(() => undefined).then(() => this.#flush());
    this.#running = next;
    return next;
  }

  /** Until the signal aborts: tells what nobody waits for. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, sql } = this.#world;
    let seen: number | undefined;
    while (!signal.aborted) {
      let restMs = LOOK_MS;
      try {
        const ended = sql.transactionsEnded;
        // Where nobody has written anything there is nothing to tell.
        if (ended === undefined || ended !== seen) await this.flush();
        seen = ended;
      } catch (error) {
        restMs = RETRY_MS;
        logger.error('Changes of the archive could not be told to the log', {
          ...{ code: codeOf(error) ?? '', error: messageOf(error) },
        });
      }
      await sleep(clock, restMs, signal).catch(() => undefined);
    }
  }

  /**
   * Another key signs from here on, and the one before it vouches for that. `isLost`: there is none any
   * more that could. Returns the new public key in hex. @throws as `flush`
   */
  rotateKey(isLost: boolean): Promise<string> {
    const next = this.#running.catch(() => undefined).then(() => this.#rotate(isLost));
    this.#running = next.then(() => undefined);
    return next;
  }

  async #rotate(isLost: boolean): Promise<string> {
    const { keys } = this.#world;
    const tail = isLost ? await this.#lastOf() : await this.#open();
    const next = isLost ? keys.current() : keys.makeNext();
    const key = toHex(next.publicKey);
    const signer = isLost ? next : keys.current();
    await this.#append(tail, [signer.event({ kind: 'key', key }, tail.hash)]);
    if (!isLost) keys.adoptNext();
    this.#tail = tail;
    return key;
  }

  async #flush(): Promise<void> {
    for (;;) {
      const rows = await oldestChanges(this.#world.sql.read<EventTables>(), {});
      if (rows.length === 0) return;
      this.#tail ??= await this.#open();
      const told = await this.#tell(rows, this.#tail).catch((error: unknown) => {
        // What the topic ends with now, nobody knows.
        this.#tail = undefined;
        throw error;
      });
      await this.#world.sql.transaction<EventTables, void>((transaction) =>
        settle(transaction, told),
      );
      this.#known.clear();
    }
  }

  async #tell(rows: readonly ChangeRow[], tail: Tail): Promise<readonly Told[]> {
    const { sql, describe, store, keys } = this.#world;
    const told: Told[] = [];
    const values: Uint8Array[] = [];
    let { hash } = tail;
    for (const row of rows) {
      const known = this.#known.get(changeOf(row));
      if (known !== undefined) {
        const { event, offset } = known;
        told.push({ row, body: event.body, name: event.name, offset });
        continue;
      }
      const body = await bodyOfChange(
        { sql, describe, store: await store() },
        { row, change: changeOf(row), live: await this.#liveNames(row.torrent_id, told) },
      );
      if (body === undefined) {
        told.push({ row, body, name: '', offset: -1 });
        continue;
      }
      const value = keys.current().event(body, hash);
      hash = eventHash(value);
      told.push({ row, body, name: toHex(hash), offset: tail.nextOffset + values.length });
      values.push(value);
    }
    if (values.length > 0) await (await store()).flush();
    if (values.length > 0) await this.#append(tail, values);
    return told;
  }

  async #append(tail: Tail, values: readonly Uint8Array[]): Promise<void> {
    const records = values.map((value) => ({ value }));
    const { firstOffset } = await this.#world.log.append(EVENTS_TOPIC, records, {
      consistency: 'durable',
    });
    tail.nextOffset = firstOffset + values.length;
    tail.hash = eventHash(values.at(-1) ?? new Uint8Array());
  }

  /** Names of the events that stand for the torrent, those of this batch included. */
  async #liveNames(torrentId: number, told: readonly Told[]): Promise<readonly string[]> {
    const rows = await this.#world.sql
      .read<EventTables>()
      .selectFrom('archive_event')
      .select('name')
      .where('torrent_id', '=', torrentId)
      .execute();
    let names = rows.map((row) => row.name);
    for (const { row, body, name } of told) {
      if (row.torrent_id === torrentId && body !== undefined) names = [name];
      if (row.torrent_id === torrentId && body?.kind === 'delete') names = [];
    }
    return names;
  }

  /** The end of the topic, which our key must have signed. */
  async #open(): Promise<Tail> {
    const { keys, log, sql } = this.#world;
    const tail = await this.#lastOf();
    if (tail.nextOffset === 0) {
      const key = keys.current();
      await this.#append(tail, [key.event({ kind: 'key', key: toHex(key.publicKey) }, tail.hash)]);
    }
    const next = keys.next();
    const { records } = await log.read(EVENTS_TOPIC, { from: Math.max(0, tail.nextOffset - 1) });
    const last = decodeEvent(records.at(-1)?.value ?? new Uint8Array());
    if (typeof last === 'string') {
      const message = `The last of ${tail.nextOffset} events is refused: ${last}`;
      throw new ArchiveError('ARCHIVE_EVENT_INVALID', message);
    }
    const inForce = last.body.kind === 'key' ? fromHex(last.body.key) : last.key;
    if (next !== undefined && bytesEqual(inForce ?? NO_EVENT, next.publicKey)) keys.adoptNext();
    if (!bytesEqual(inForce ?? NO_EVENT, keys.current().publicKey)) {
      const message = `Event ${tail.nextOffset - 1} was signed by ${toHex(last.key)}, and that key is not here`;
      throw new ArchiveError('ARCHIVE_EVENT_KEY_UNKNOWN', message);
    }
    await tellAgainWhenLost(sql, tail.nextOffset, this.#world.clock.nowMs());
    return tail;
  }

  async #lastOf(): Promise<Tail> {
    const { log } = this.#world;
    await log.createTopic(EVENTS_TOPIC, { consistency: 'durable' });
    const { firstOffset, nextOffset } = await log.stats(EVENTS_TOPIC);
    let hash = NO_EVENT;
    this.#known.clear();
    let from = Math.max(firstOffset, nextOffset - 2 * ROWS_AT_ONCE);
    while (from < nextOffset) {
      const read = await log.read(EVENTS_TOPIC, { from });
      for (const { offset, value } of read.records) {
        hash = eventHash(value);
        const event = decodeEvent(value);
        if (typeof event === 'string' || event.body.kind === 'key') continue;
        this.#known.set(event.body.change, { event, offset });
      }
      if (read.nextOffset <= from) break;
      from = read.nextOffset;
    }
    return { hash, nextOffset };
  }
}

function changeOf({ id, kind, torrent_id: torrentId, at_ms: atMs }: ChangeRow): string {
  return `${id} ${kind} ${torrentId} ${atMs}`;
}

/** Another log than the one that was told: it is told everything that is so. */
async function tellAgainWhenLost(sql: Sql, nextOffset: number, nowMs: number): Promise<void> {
  await sql.transaction<EventTables, void>(async (transaction) => {
    const row = await transaction
      .selectFrom('archive_event')
      .select((of) => of.fn.max<number | null>('log_offset').as('last'))
      .executeTakeFirst();
    if ((row?.last ?? -1) < nextOffset) return;
    const stand = await transaction
      .selectFrom('archive_event')
      .select(['torrent_id', 'kind'])
      .orderBy('log_offset')
      .execute();
    await transaction.deleteFrom('archive_event').execute();
    for (const { torrent_id, kind } of stand) {
      await transaction
        .insertInto('archive_change')
        .values({ torrent_id, kind, at_ms: nowMs })
        .execute();
    }
  });
}

async function settle(transaction: Transaction<EventTables>, told: readonly Told[]): Promise<void> {
  for (const { row, body, name, offset } of told) {
    await transaction.deleteFrom('archive_change').where('id', '=', row.id).execute();
    if (body === undefined || body.kind === 'key') continue;
    await saveStanding(transaction, { torrentId: row.torrent_id, body, name, offset });
  }
}

/** The event takes the place of those that stood for its torrent. */
export async function saveStanding(
  transaction: Transaction<EventTables>,
  event: {
    readonly torrentId: number;
    readonly body: Exclude<EventBody, { readonly kind: 'key' }>;
    readonly name: string;
    readonly offset: number;
  },
): Promise<void> {
  const { torrentId, body, name, offset } = event;
  await transaction.deleteFrom('archive_event').where('torrent_id', '=', torrentId).execute();
  if (body.kind === 'delete') return;
  const lists: readonly BlobRef[] = body.kind === 'keep' ? body.lists : [];
  await transaction
    .insertInto('archive_event')
    .values({
      ...{ name, kind: body.kind, torrent_id: torrentId, log_offset: offset },
      ...{
        info_hash: body.torrent.infoHash,
        refs: [...fileRefs(body.torrent), ...lists].join(' '),
      },
    })
    .execute();
}
