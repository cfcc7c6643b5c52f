// Makes the archive's catalogue again from the log's events and the blobs they name, and says where it was
// another one. Nothing is wiped first: each torrent is put right in a transaction of its own, so that
// members are served meanwhile and a run that was killed is run again.
//
//   1  read every event and check its signature; a damaged one is named, and ends it unless it shall be
// skipped
//   2  what stands in the end: which torrents are kept, which are wanted
//   3  for each compare the catalogue with the event's lists of files, and put right what differs
//   4  what the catalogue keeps and an event took back is let go; what no event tells of is told

import type { Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { insertEntries } from '#archive/catalogue/kept-torrents.ts';
import { decodeFileMap, mapSegmentCount, segmentRef } from '#archive/content/file-map.ts';
import { ArchiveError } from '#archive/errors.ts';
import { bytesEqual, toHex } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Log } from '#log/log.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import { decodeEntryList, type ListedFile } from './entry-list.ts';
import { type EventTorrent, fileRefs } from './event.ts';
import { saveStanding } from './event-relay.ts';
import { type EventTables, queueChange } from './event-tables.ts';
import { saveListed } from './save-listed.ts';
import { readStands, type Stand, type Stands } from './standing.ts';
import { listsOf } from './told-change.ts';

const STAT_AT_ONCE = 1000;

export interface ReindexWorld {
  readonly sql: Sql;
  readonly log: Pick<Log, 'read'>;
  readonly store: Store;
  /** In force at the end of the log, or nothing of it is believed. 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The id of the torrent in the catalogue of torrents; undefined when it is not there. */
  readonly torrentId: (infoHash: string) => Promise<number | undefined>;
  /** Puts it there again; undefined, and why, when it may not be. */
  readonly restore: (
    torrent: EventTorrent,
    file: Uint8Array,
  ) => Promise<{ readonly id: number } | { readonly why: string }>;
}

export interface ReindexOptions {
  /** Only says what differs. */
  readonly isCheck: boolean;
  /** Goes on with the events that are sound. */
  readonly skipDamaged: boolean;
  readonly signal?: AbortSignal;
  readonly onProblem: (problem: string) => void;
  readonly onTorrent?: (done: number, total: number) => void;
}

export interface Reindexed {
  readonly events: number;
  /** Events that were refused, and gaps. */
  readonly damagedEvents: number;
  readonly kept: number;
  readonly wanted: number;
  readonly files: number;
  /** Torrents whose rows were not those of the log. */
  readonly differences: number;
  /** Put back into the catalogue of torrents. */
  readonly restored: number;
  /** Blobs of restored files that the store does not have. */
  readonly missingBlobs: number;
  /** What could not be put right; each was told to `onProblem`. */
  readonly problems: number;
}

type Standing = Stand['body'];

type Sums = { -readonly [Name in keyof Reindexed]: Reindexed[Name] };

/**
 * @throws ArchiveError ARCHIVE_EVENT_INVALID, ARCHIVE_EVENT_KEY_UNKNOWN before anything was changed;
 * StoreError
 */
export async function reindex(world: ReindexWorld, options: ReindexOptions): Promise<Reindexed> {
  const sums: Sums = {
    ...{ events: 0, damagedEvents: 0, kept: 0, wanted: 0, files: 0, differences: 0 },
    ...{ restored: 0, missingBlobs: 0, problems: 0 },
  };
  const { stands, gone } = await readLog(world, options, sums);
  const run = new Run(world, options, sums);
  let done = 0;
  for (const stand of stands.values()) {
    options.signal?.throwIfAborted();
    await run.putRight(stand);
    done += 1;
    options.onTorrent?.(done, stands.size);
  }
  await run.letGo(gone);
  return sums;
}

async function readLog(
  { log, publicKey }: ReindexWorld,
  { signal, skipDamaged, onProblem }: ReindexOptions,
  sums: Sums,
): Promise<Stands> {
  const found = await readStands(log, {
    ...(signal === undefined ? {} : { signal }),
    onProblem(problem) {
      sums.damagedEvents += 1;
      onProblem(problem);
    },
  });
  sums.events = found.events;
  if (sums.damagedEvents > 0 && !skipDamaged) {
    const message = `${sums.damagedEvents} events are damaged or missing; nothing was changed`;
    throw new ArchiveError('ARCHIVE_EVENT_INVALID', message);
  }
  if (found.key !== undefined && !bytesEqual(found.key, publicKey)) {
    const message = `The log's events end with the key ${toHex(found.key)}, and that key is not here`;
    throw new ArchiveError('ARCHIVE_EVENT_KEY_UNKNOWN', message);
  }
  return found;
}

class Run {
  readonly #world: ReindexWorld;
  readonly #options: ReindexOptions;
  readonly #sums: Sums;
  /** Ids that an event tells of. */
  readonly #told = new Set<number>();

  constructor(world: ReindexWorld, options: ReindexOptions, sums: Sums) {
    this.#world = world;
    this.#options = options;
    this.#sums = sums;
  }

  async putRight({ body, name, offset }: Stand): Promise<void> {
    const { sql } = this.#world;
    this.#sums[body.kind === 'keep' ? 'kept' : 'wanted'] += 1;
    const id = await this.#idOf(body.torrent);
    if (id === undefined) return;
    this.#told.add(id);
    const isSame = body.kind === 'keep' ? await this.#keep(id, body) : await this.#want(id, body);
    if (isSame === undefined) return;
    if (!isSame) this.#sums.differences += 1;
    if (this.#options.isCheck) return;
    await sql.transaction<EventTables, void>((transaction) =>
      saveStanding(transaction, { torrentId: id, body, name, offset }),
    );
  }

  #problem(problem: string): undefined {
    this.#sums.problems += 1;
    this.#options.onProblem(problem);
    return undefined;
  }

  async #idOf(torrent: EventTorrent): Promise<number | undefined> {
    const { torrentId, restore } = this.#world;
    const known = await torrentId(torrent.infoHash);
    if (known !== undefined) return known;
    const named = `The torrent ${torrent.infoHash} "${torrent.title}"`;
    if (this.#options.isCheck) {
      this.#sums.differences += 1;
      return this.#problem(`${named} is not in the catalogue`);
    }
    const file = await this.#torrentFile(torrent);
    if (file === undefined) return this.#problem(`${named}: its .torrent file is lost`);
    const restored = await restore(torrent, file);
    if ('why' in restored) return this.#problem(`${named} is not put back: ${restored.why}`);
    this.#sums.restored += 1;
    return restored.id;
  }

  async #torrentFile(torrent: EventTorrent): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    for (const ref of fileRefs(torrent)) {
      const part = await this.#blob(ref);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  async #blob(ref: BlobRef): Promise<Uint8Array | undefined> {
    try {
      return await this.#world.store.get(ref, { signal: this.#options.signal });
    } catch (error) {
      const code = codeOf(error);
      if (code === 'STORE_BLOB_MISSING' || code === 'STORE_CORRUPT_BLOB') return undefined;
      throw error;
    }
  }

  /** Whether it was so already; undefined when it cannot be told. */
  async #keep(id: number, body: Extract<Standing, { kind: 'keep' }>): Promise<boolean | undefined> {
    const { sql } = this.#world;
    const { keptMs } = body;
    const lists: Uint8Array[] = [];
    let count = 0;
    for (const ref of body.lists) {
      const bytes = await this.#blob(ref);
      const list = bytes === undefined ? undefined : decodeEntryList(bytes);
      if (bytes === undefined || list === undefined) {
        const { infoHash, title } = body.torrent;
        return this.#problem(`The torrent ${infoHash} "${title}": the list of its files is lost`);
      }
      lists.push(bytes);
      count += list.length;
    }
    this.#sums.files += count;
    if (await isKeptSo(sql, { id, keptMs, lists })) return true;
    if (this.#options.isCheck) return false;
    const ids: (number | null)[] = [];
    for (const bytes of lists) {
      // One at a time: as objects they take many times as much.
      const files = decodeEntryList(bytes) ?? [];
      const saved = await saveListed(sql, files, await this.#lostOf(files));
      for (const fileId of saved) ids.push(fileId);
    }
    await sql.transaction<ArchiveTables, void>((transaction) =>
      saveKept(transaction, { id, keptMs, ids }),
    );
    return false;
  }

  /** What is known to be damaged of files that are written down anew, by root. */
  async #lostOf(
    files: readonly (ListedFile | undefined)[],
  ): Promise<ReadonlyMap<string, number[]>> {
    const lost = new Map<string, number[]>();
    for (const file of files) {
      if (file === undefined) continue;
      const segments = await this.#lostSegments(file);
      if (segments.length === 0) continue;
      lost.set(toHex(file.root), segments);
      this.#sums.missingBlobs += segments.length;
    }
    return lost;
  }

  async #lostSegments(file: ListedFile): Promise<number[]> {
    const bytes = await this.#blob(file.mapRef);
    const map = bytes === undefined ? undefined : decodeFileMap(bytes);
    if (map === undefined || !bytesEqual(map.root, file.root)) return [-1];
    const lost: number[] = [];
    const count = mapSegmentCount(map);
    for (let from = 0; from < count; from += STAT_AT_ONCE) {
      const length = Math.min(STAT_AT_ONCE, count - from);
      const refs = Array.from({ length }, (_, at) => segmentRef(map, from + at));
      const there = new Set((await this.#world.store.stat(refs)).map(({ ref }) => ref));
      for (const [at, ref] of refs.entries()) if (!there.has(ref)) lost.push(from + at);
    }
    return lost;
  }

  async #want(id: number, body: Extract<Standing, { kind: 'want' }>): Promise<boolean> {
    const { sql } = this.#world;
    const row = await sql
      .read<ArchiveTables>()
      .selectFrom('archive_wanted')
      .select('wanted_ms')
      .where('torrent_id', '=', id)
      .executeTakeFirst();
    if (row?.wanted_ms === body.wantedMs) return true;
    if (this.#options.isCheck) return false;
    await sql.transaction<ArchiveTables, void>(async (transaction) => {
      await transaction
        .insertInto('archive_wanted')
        .values({ torrent_id: id, wanted_ms: body.wantedMs, problem: '' })
        .onConflict((of) => of.column('torrent_id').doUpdateSet({ wanted_ms: body.wantedMs }))
        .execute();
    });
    return false;
  }

  /** Kept or wanted here, and taken back by the log. */
  async letGo(gone: ReadonlySet<string>): Promise<void> {
    const { sql, torrentId } = this.#world;
    for (const infoHash of gone) {
      const id = await torrentId(infoHash);
      if (id === undefined) continue;
      this.#told.add(id);
      const isThere = await sql.transaction<ArchiveTables, boolean>(async (transaction) => {
        const tables = ['archive_torrent', 'archive_wanted'] as const;
        let rows = 0;
        for (const table of tables) {
          const query = transaction.selectFrom(table).select('torrent_id');
          const found = await query.where('torrent_id', '=', id).execute();
          rows += found.length;
          if (this.#options.isCheck) continue;
          await transaction.deleteFrom(table).where('torrent_id', '=', id).execute();
        }
        return rows > 0;
      });
      if (isThere) this.#sums.differences += 1;
    }
    await this.#tellUntold();
  }

  /** Kept or wanted here, and the log knows nothing of it: it lost its end. It is told anew. */
  async #tellUntold(): Promise<void> {
    const { sql } = this.#world;
    for (const [table, kind] of [
      ['archive_torrent', 'keep'],
      ['archive_wanted', 'want'],
    ] as const) {
      const rows = await sql
        .read<ArchiveTables>()
        .selectFrom(table)
        .select('torrent_id')
        .orderBy('torrent_id')
        .execute();
      for (const { torrent_id: torrentId } of rows) {
        if (this.#told.has(torrentId)) continue;
        this.#sums.differences += 1;
        if (this.#options.isCheck) continue;
        await sql.transaction<EventTables, void>(async (transaction) => {
          const standing = transaction.deleteFrom('archive_event');
          await standing.where('torrent_id', '=', torrentId).execute();
          await queueChange(transaction, { kind, torrentId, nowMs: 0 });
        });
      }
    }
  }
}

/** `lists`: as `decodeEntryList` takes them. */
async function isKeptSo(
  sql: Sql,
  kept: { readonly id: number; readonly keptMs: number; readonly lists: readonly Uint8Array[] },
): Promise<boolean> {
  const { id, keptMs, lists } = kept;
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_torrent')
    .select('kept_ms')
    .where('torrent_id', '=', id)
    .executeTakeFirst();
  if (row?.kept_ms !== keptMs) return false;
  const files = listedFiles(lists);
  for await (const list of listsOf(sql, id)) {
    for (const file of list) {
      const { done, value } = files.next();
      if (done === true || !isSame(file, value)) return false;
    }
  }
  return files.next().done === true;
}

function* listedFiles(lists: readonly Uint8Array[]): Generator<ListedFile | undefined> {
  for (const bytes of lists) yield* decodeEntryList(bytes) ?? [];
}

function isSame(one: ListedFile | undefined, other: ListedFile | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    bytesEqual(one.root, other.root) &&
    one.mapRef === other.mapRef &&
    one.bytes === other.bytes &&
    one.storedMs === other.storedMs
  );
}

async function saveKept(
  transaction: Transaction<ArchiveTables>,
  kept: { readonly id: number; readonly keptMs: number; readonly ids: readonly (number | null)[] },
): Promise<void> {
  const { id, keptMs, ids } = kept;
  await transaction.deleteFrom('archive_torrent').where('torrent_id', '=', id).execute();
  await transaction.deleteFrom('archive_wanted').where('torrent_id', '=', id).execute();
  await transaction
    .insertInto('archive_torrent')
    .values({ torrent_id: id, kept_ms: keptMs })
    .execute();
  await insertEntries(transaction, id, ids);
}
