// Torrents as the site, the command line and tests add, find, change and remove them. Each change is
// one transaction that also enqueues what the trackers must know; none of it needs a tracker to be up.

import { sql as raw, type Selectable, type Transaction } from 'kysely';
import { assert } from '#base/assert.ts';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import { torrentId as asTorrentId } from '#base/ids.ts';
import { dropCover } from '#site/covers/covers.ts';
import { insertEntries } from '#site/folders/insert-entries.ts';
import { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown } from '#site/shown.ts';
import { changedFields, noteEdit } from '#site/torrent-history/torrent-changes.ts';
import { dialectOf, isUniqueViolation } from '#sql/dialect.ts';
import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { TorrentMessage } from '#wire/control-message.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import type { CatalogueConfig } from './catalogue-config.ts';
import type { CatalogueTables, TorrentTable } from './catalogue-tables.ts';
import { setTags, uncountTags } from './categories.ts';
import { findTorrentIn, type Torrent } from './find-torrent.ts';
import { prepareApart } from './prepare-apart.ts';
import {
  type Duplicate,
  findDuplicate,
  type PreparedTorrent,
  titleOf,
} from './prepared-torrent.ts';
import { replacedWords } from './replacements.ts';
import { type Catalogue, indexTorrent, lockSearchIndex, unindexTorrent } from './search-index.ts';
import { sortKey } from './search-words.ts';
import {
  checkWords,
  cleanDescription,
  cleanTags,
  cleanTitle,
  type TorrentWords,
  WORDS_LIMITS,
  wordsVersion,
} from './torrent-words.ts';

const MESSAGES_AT_ONCE = 500;

export interface CatalogueWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly config: CatalogueConfig;
  /** Wakes the outbox relay after a commit. */
  changed(): void;
}

export interface NewTorrent extends Omit<TorrentWords, 'title'> {
  /** The uploaded .torrent file. */
  readonly bytes: Uint8Array;
  readonly uploaderId: number;
  /** Default: made of the torrent's name. */
  readonly title?: string;
  /** May upload again what somebody else than its uploader removed. */
  readonly isStaff?: boolean;
  /** Takes the place of this one, which is removed. Whether the uploader may is the caller's to check. */
  readonly replacesId?: number;
  /** Of a torrent that is put back: the id it had, which it gets again when nobody else has it now. */
  readonly formerId?: number;
}

export type AddTorrentResult =
  | {
      readonly kind: 'added';
      readonly torrent: Torrent;
      /** Then the file that was uploaded is not the one to seed with. */
      readonly hashChanged: boolean;
      readonly notes: readonly string[];
    }
  | Duplicate
  | Refusal;

/** The torrent is in force at every tracker within a second after this resolves. @throws SqlError */
export async function addTorrent(
  world: CatalogueWorld,
  request: NewTorrent,
): Promise<AddTorrentResult> {
  const prepared = await prepareApart(world.config, request.bytes);
  if (prepared instanceof Refusal) return prepared;
  const words = cleanWords({ ...request, title: request.title ?? titleOf(prepared.metainfo) });
  const problem = checkWords(words)[0];
  if (problem !== undefined) return problem;
  const save = (): Promise<AddTorrentResult> =>
    world.sql.transaction<CatalogueTables, AddTorrentResult>((transaction) =>
      saveTorrent(transaction, { prepared, words, request, nowMs: world.clock.nowMs() }),
    );
  // Of two uploads of one file at the same moment the database lets one through; the other one
  // finds it when it looks again.
  const result = await save().catch((error: unknown) => {
    if (!isUniqueViolation(error)) throw error;
    return save();
  });
  if (!(result instanceof Refusal) && result.kind === 'added') world.changed();
  return result;
}

/** What `addTorrent` would refuse of the words alone: for whoever has a long way to the .torrent file. */
export async function refusalOfWords(sql: Sql, asked: TorrentWords): Promise<Refusal | undefined> {
  const words = cleanWords(asked);
  const problem = checkWords(words)[0];
  if (problem !== undefined) return problem;
  const category = await findCategory(sql.read<CatalogueTables>(), words.category);
  return category === undefined ? noCategory(words.category) : undefined;
}

interface Saving {
  readonly prepared: PreparedTorrent;
  readonly words: TorrentWords;
  readonly request: NewTorrent;
  readonly nowMs: number;
}

async function saveTorrent(
  transaction: Transaction<CatalogueTables>,
  saving: Saving,
): Promise<AddTorrentResult> {
  const { prepared, words, request } = saving;
  await lockSearchIndex(transaction);
  const duplicate = await findDuplicate(transaction, prepared, request.replacesId);
  if (duplicate !== undefined) return duplicate;
  if (request.isStaff !== true) {
    const reason = await removedByStaff(transaction, prepared.metainfo);
    if (reason !== undefined) {
      const words = `This torrent was removed here: ${reason}`;
      return new Refusal('torrent-removed', words, 'file');
    }
  }
  const categoryId = (await findCategory(transaction, words.category))?.id;
  if (categoryId === undefined) return noCategory(words.category);
  const formerId = await freeId(transaction, request.formerId);
  const { id } = await transaction
    .insertInto('torrent')
    .values({
      ...torrentRow(saving, categoryId),
      ...(formerId === undefined ? {} : { id: formerId }),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  assert(asTorrentId(id) !== undefined, 'ids of torrents are 1 to 2^32-1');
  if (formerId !== undefined) await countOn(transaction);
  await transaction
    .insertInto('torrent_file')
    .values({ torrent_id: id, bytes: prepared.bytes })
    .execute();
  await insertEntries(transaction, { torrentId: id, from: 0, entries: prepared.entries });
  await setTags(transaction, id, words.tags);
  await indexTorrent(transaction, id);
  const torrent = await findTorrentIn(transaction, id);
  assert(torrent !== undefined, 'a torrent is there after it was inserted');
  await enqueue(transaction, torrentMessage(torrent));
  if (request.replacesId !== undefined) await replace(transaction, torrent, saving);
  const { hashChanged, notes } = prepared;
  return { kind: 'added', torrent, hashChanged, notes };
}

/** One that is removed already stays what it is. */
async function replace(
  transaction: Transaction<CatalogueTables>,
  torrent: Torrent,
  { request, nowMs }: Saving,
): Promise<void> {
  assert(request.replacesId !== undefined, 'it replaces one');
  await removeTorrentIn(
    transaction,
    {
      torrentId: request.replacesId,
      removedBy: request.uploaderId,
      reason: replacedWords(torrent),
      replacedBy: torrent.id,
    },
    nowMs,
  );
}

async function freeId(
  transaction: Transaction<CatalogueTables>,
  id: number | undefined,
): Promise<number | undefined> {
  if (id === undefined || asTorrentId(id) === undefined) return undefined;
  const query = transaction.selectFrom('torrent').select('id').where('id', '=', id);
  return (await query.executeTakeFirst()) === undefined ? id : undefined;
}

/** SQLite goes on behind the highest id by itself. */
async function countOn(transaction: Transaction<CatalogueTables>): Promise<void> {
  if (dialectOf(transaction) === 'sqlite') return;
  await raw`select setval(pg_get_serial_sequence('torrent', 'id'),
    greatest((select max(id) from torrent), nextval(pg_get_serial_sequence('torrent', 'id'))))`.execute(
    transaction,
  );
}

function torrentRow(
  saving: Saving,
  categoryId: number,
): Omit<TorrentTable, 'id' | 'is_exempt' | 'replaced_by'> {
  const { prepared, words, request, nowMs } = saving;
  const { metainfo, keys } = prepared;
  return {
    info_hash_v1: metainfo.infoHashV1 ?? null,
    info_hash_v2: metainfo.infoHashV2 ?? null,
    content_v1: keys.v1 ?? null,
    content_v2: keys.v2 ?? null,
    name: metainfo.name,
    title: words.title,
    title_key: sortKey(words.title),
    description: words.description,
    category_id: categoryId,
    uploader_id: request.uploaderId,
    source: cleanTitle(metainfo.source ?? '').slice(0, WORDS_LIMITS.titleCharsMax),
    upload_notes: prepared.notes.join('\n'),
    piece_length: metainfo.pieceLength,
    size_bytes: metainfo.sizeBytes,
    file_count: prepared.fileCount,
    seeders: 0,
    leechers: 0,
    completed: 0,
    created_ms: nowMs,
    changed_ms: nowMs,
    removed_ms: null,
    removed_by: null,
    removed_reason: '',
  };
}

export interface WordsChange extends TorrentWords {
  /** Who writes; 0 for the operator at the command line. */
  readonly changedBy: number;
  /** Of the words that the writer saw; unless given, whatever stands there is written over. */
  readonly shown?: Shown;
  /** False for what the staff does to many at once: else edits of a day are bounded. */
  readonly isBounded?: boolean;
}

/**
 * Changes what is written about a torrent; a function is given what stands there now. Whether the asker may
 * is the caller's to check.
 */
export async function updateTorrent(
  world: CatalogueWorld,
  torrentId: number,
  written: WordsChange | ((before: Torrent) => WordsChange),
): Promise<Torrent | Refusal> {
  return await world.sql.transaction<CatalogueTables, Torrent | Refusal>(async (transaction) => {
    await lockSearchIndex(transaction);
    const before = await findTorrentIn(transaction, torrentId);
    if (before === undefined || before.removedMs !== undefined) return unknownTorrent();
    const asked = typeof written === 'function' ? written(before) : written;
    const unseen = refuseUnseen(asked.shown ?? [], wordsVersion(before));
    if (unseen !== undefined) return unseen;
    const words = cleanWords(asked);
    const problem = checkWords(words)[0];
    if (problem !== undefined) return problem;
    const category = await findCategory(transaction, words.category);
    if (category === undefined) return noCategory(words.category);
    const { changedBy: memberId, isBounded = true } = asked;
    const change = { torrentId, memberId, atMs: world.clock.nowMs(), isBounded };
    const { name: categoryName } = category;
    const fields = changedFields(before, { ...words, categoryName });
    const refused = await noteEdit(transaction, change, fields);
    if (refused !== undefined) return refused;
    await unindexTorrent(transaction, torrentId);
    await transaction
      .updateTable('torrent')
      .set({
        title: words.title,
        title_key: sortKey(words.title),
        description: words.description,
        category_id: category.id,
        changed_ms: change.atMs,
      })
      .where('id', '=', torrentId)
      .execute();
    await setTags(transaction, torrentId, words.tags);
    await indexTorrent(transaction, torrentId);
    const torrent = await findTorrentIn(transaction, torrentId);
    assert(torrent !== undefined, 'a torrent does not vanish in a transaction');
    return torrent;
  });
}

export interface Removal {
  readonly torrentId: number;
  /** Who removes it; 0 for the operator at the command line. */
  readonly removedBy: number;
  /** Shown by members' clients and on the page. */
  readonly reason: string;
  /** The torrent that takes its place. */
  readonly replacedBy?: number;
}

/** The trackers refuse the torrent, with the reason, within a second. Its page and history stay. */
export async function removeTorrent(
  world: CatalogueWorld,
  removal: Removal,
): Promise<Torrent | Refusal> {
  const reason = cleanTitle(removal.reason);
  const { reasonCharsMax } = WORDS_LIMITS;
  if (reason === '' || reason.length > reasonCharsMax) {
    const words = `A reason of at most ${reasonCharsMax} characters is needed; members will read it.`;
    return new Refusal('reason-invalid', words, 'reason');
  }
  const result = await world.sql.transaction<CatalogueTables, Torrent | Refusal>((transaction) =>
    removeTorrentIn(transaction, { ...removal, reason }, world.clock.nowMs()),
  );
  if (!(result instanceof Refusal)) world.changed();
  return result;
}

/** The same in the caller's transaction; the reason is one already. Wake the relay after the commit. */
export async function removeTorrentIn(
  transaction: Transaction<CatalogueTables>,
  removal: Removal,
  nowMs: number,
): Promise<Torrent | Refusal> {
  const { torrentId, removedBy, reason, replacedBy = null } = removal;
  await lockSearchIndex(transaction);
  const { numUpdatedRows } = await transaction
    .updateTable('torrent')
    .set({
      removed_ms: nowMs,
      removed_by: removedBy,
      removed_reason: reason,
      replaced_by: replacedBy,
    })
    .where('id', '=', torrentId)
    .where('removed_ms', 'is', null)
    .executeTakeFirst();
  if (Number(numUpdatedRows) === 0) return unknownTorrent();
  await unindexTorrent(transaction, torrentId);
  await uncountTags(transaction, torrentId);
  await dropCover(transaction, torrentId);
  const torrent = await findTorrentIn(transaction, torrentId);
  assert(torrent !== undefined, 'a removed torrent keeps its row');
  await enqueue(transaction, torrentMessage(torrent));
  return torrent;
}

/** What the trackers are told about a torrent. */
export function torrentMessage(
  torrent: Pick<Torrent, 'id' | 'infoHashV1' | 'infoHashV2' | 'removedMs' | 'removedReason'>,
): TorrentMessage {
  const { infoHashV1, infoHashV2 } = torrent;
  return {
    kind: 'torrent',
    torrentId: torrent.id,
    ...(infoHashV1 === undefined ? {} : { infoHashV1 }),
    ...(infoHashV2 === undefined ? {} : { infoHashV2: infoHashV2.slice(0, 40) }),
    state: torrent.removedMs === undefined ? 'active' : 'removed',
    reason: torrent.removedReason,
    uploadCreditPercent: 100,
    downloadCreditPercent: 100,
  };
}

/**
 * Enqueues every torrent again, removed ones too, oldest first: for a log that does not know what the
 * database says. Returns how many.
 */
export async function enqueueAllTorrents(sql: Sql): Promise<number> {
  let told = 0;
  for (let after = 0; ; ) {
    const rows = await sql.transaction<CatalogueTables, readonly MessageRow[]>(
      async (transaction) => {
        const page = await transaction
          .selectFrom('torrent')
          .select(['id', 'info_hash_v1', 'info_hash_v2', 'removed_ms', 'removed_reason'])
          .where('id', '>', after)
          .orderBy('id')
          .limit(MESSAGES_AT_ONCE)
          .execute();
        await enqueue(transaction, page.map(messageOf));
        return page;
      },
    );
    told += rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < MESSAGES_AT_ONCE) return told;
    after = last.id;
  }
}

type MessageRow = Pick<
  Selectable<TorrentTable>,
  'id' | 'info_hash_v1' | 'info_hash_v2' | 'removed_ms' | 'removed_reason'
>;

function messageOf(row: MessageRow): TorrentMessage {
  return torrentMessage({
    id: row.id,
    ...(row.info_hash_v1 === null ? {} : { infoHashV1: toHex(row.info_hash_v1) }),
    ...(row.info_hash_v2 === null ? {} : { infoHashV2: toHex(row.info_hash_v2) }),
    ...(row.removed_ms === null ? {} : { removedMs: row.removed_ms }),
    removedReason: row.removed_reason,
  });
}

function cleanWords(words: TorrentWords): TorrentWords {
  return {
    title: cleanTitle(words.title),
    category: words.category,
    tags: cleanTags(words.tags),
    description: cleanDescription(words.description),
  };
}

async function findCategory(
  catalogue: Catalogue,
  slug: string,
): Promise<{ readonly id: number; readonly name: string } | undefined> {
  return await catalogue
    .selectFrom('category')
    .select(['id', 'name'])
    .where('slug', '=', slug)
    .executeTakeFirst();
}

async function removedByStaff(
  catalogue: Catalogue,
  metainfo: Pick<Metainfo, 'infoHashV1' | 'infoHashV2'>,
): Promise<string | undefined> {
  for (const column of ['info_hash_v1', 'info_hash_v2'] as const) {
    const hash = column === 'info_hash_v1' ? metainfo.infoHashV1 : metainfo.infoHashV2;
    if (hash === undefined) continue;
    const row = await catalogue
      .selectFrom('torrent')
      .select('removed_reason')
      .where(column, '=', hash)
      .where('removed_ms', 'is not', null)
      .whereRef('removed_by', '<>', 'uploader_id')
      .orderBy('id', 'desc')
      .executeTakeFirst();
    if (row !== undefined) return row.removed_reason;
  }
  return undefined;
}

function noCategory(slug: string): Refusal {
  const shown = cleanTitle(slug).slice(0, 40);
  const words = shown === '' ? 'Choose a category.' : `There is no category “${shown}”.`;
  return new Refusal('category-unknown', words, 'category');
}

function unknownTorrent(): Refusal {
  return new Refusal('torrent-unknown', 'There is no such torrent, or it was removed.');
}
