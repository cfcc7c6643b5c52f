// A torrent's own past, put together from where each thing is decided: the torrent itself (uploaded,
// removed, replaced), what was written about it (torrent-changes.ts), its windows of credit, and the
// archive's turns. Newest first, page by page; nothing is kept twice for it.

import { sql as raw } from 'kysely';
import { type ArchiveTurn, listTurns } from '#archive/catalogue/archive-turns.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { shownHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import type { OtherTorrent } from '#site/catalogue/replacements.ts';
import type { CreditTables } from '#site/credit/credit-tables.ts';
import type { Sql } from '#sql/sql.ts';
import { type ChangeDetails, listChanges } from './torrent-changes.ts';

export type HistoryWhat =
  | { readonly kind: 'uploaded' }
  | { readonly kind: 'removed'; readonly reason: string; readonly isReplaced: boolean }
  | { readonly kind: 'replaces'; readonly other: OtherTorrent }
  | {
      readonly kind: 'freed';
      readonly uploadPercent: number;
      readonly downloadPercent: number;
      readonly fromMs: number;
      /** 2^53-1 when it has no end. */
      readonly untilMs: number;
    }
  | { readonly kind: 'kept' | 'unkept' }
  | ChangeDetails;

export type HistoryEntry = HistoryWhat & {
  /** Unix milliseconds. */
  readonly atMs: number;
  /** Who did it; 0 for the operator at the command line; undefined where it was nobody in particular. */
  readonly memberId: number | undefined;
};

export interface HistoryPage {
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  /** For the page that follows; undefined on the last one. */
  readonly nextCursor: string | undefined;
}

/** A place in the order of all sources: by time, then by source, then by the source's own ids. */
interface Place {
  readonly atMs: number;
  readonly source: number;
  readonly id: number;
}

type Placed = { readonly place: Place; readonly entry: HistoryEntry };
/** A source's newest lines before a place in its own order. */
type Source = (
  before: { readonly atMs: number; readonly id: number },
  limit: number,
) => Promise<readonly (HistoryEntry & { readonly id: number })[]>;

const END = Number.MAX_SAFE_INTEGER;
const CURSOR = /^(\d{1,16})\.(\d)\.(\d{1,16})$/;

/** `cursor` as the page before gave it; one that was not is the first page's. */
export async function torrentHistory(
  sql: Sql,
  torrent: Torrent,
  page: { readonly limit: number; readonly cursor?: string },
): Promise<HistoryPage> {
  const { limit } = page;
  const after = placeOf(page.cursor ?? '');
  const sources: readonly Source[] = [
    ofTorrent(sql, torrent),
    ofChanges(sql, torrent.id),
    ofCredit(sql, torrent.id),
    ofArchive(sql, torrent.id),
    ofReplaced(sql, torrent.id),
  ];
  const found = await Promise.all(
    sources.map(async (read, source): Promise<readonly Placed[]> => {
      const id = source < after.source ? END : source === after.source ? after.id : 0;
      const lines = await read({ atMs: after.atMs, id }, limit + 1);
      return lines.map(({ id: own, ...entry }) => ({
        place: { atMs: entry.atMs, source, id: own },
        entry: entry as HistoryEntry,
      }));
    }),
  );
  const all = found.flat().toSorted((a, b) => compare(b.place, a.place));
  const shown = all.slice(0, limit);
  const last = shown.at(-1)?.place;
  return {
    entries: shown.map(({ entry }) => entry),
    nextCursor:
      all.length > limit && last !== undefined
        ? `${last.atMs}.${last.source}.${last.id}`
        : undefined,
  };
}

function placeOf(cursor: string): Place {
  const [, atMs, source, id] = CURSOR.exec(cursor) ?? [];
  if (atMs === undefined) return { atMs: END, source: END, id: END };
  const number = (text: string | undefined): number => Math.min(END, Number(text));
  return { atMs: number(atMs), source: number(source), id: number(id) };
}

function compare(a: Place, b: Place): number {
  return a.atMs - b.atMs || a.source - b.source || a.id - b.id;
}

/** Its beginning and its end, which stand in its row. */
function ofTorrent(sql: Sql, torrent: Torrent): Source {
  return async (before) => {
    const { createdMs, removedMs, removedReason, uploaderId } = torrent;
    const begin = { id: 1, kind: 'uploaded', atMs: createdMs, memberId: uploaderId } as const;
    const lines: (HistoryEntry & { readonly id: number })[] = [begin];
    if (removedMs !== undefined) {
      const row = await sql
        .read<CatalogueTables>()
        .selectFrom('torrent')
        .select('removed_by')
        .where('id', '=', torrent.id)
        .executeTakeFirst();
      const isReplaced = torrent.replacedById !== undefined;
      lines.unshift({
        ...{ id: 2, kind: 'removed', atMs: removedMs, memberId: row?.removed_by ?? undefined },
        ...{ reason: removedReason, isReplaced },
      });
    }
    return lines.filter(
      ({ atMs, id }) => atMs < before.atMs || (atMs === before.atMs && id < before.id),
    );
  };
}

function ofChanges(sql: Sql, torrentId: number): Source {
  return async (before, limit) => await listChanges(sql, torrentId, { before, limit });
}

/** Windows for this torrent and everybody: a member's own ones are that member's affair. */
function ofCredit(sql: Sql, torrentId: number): Source {
  return async (before, limit) => {
    const rows = await sql
      .read<CreditTables>()
      .selectFrom('credit_window')
      .selectAll()
      .where('torrent_id', '=', torrentId)
      .where('torrent_id', '>', 0)
      .where('member_id', '=', 0)
      .where(raw<boolean>`(opened_ms, id) < (${before.atMs}, ${before.id})`)
      .orderBy('opened_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      ...{ id: row.id, kind: 'freed', atMs: row.opened_ms, memberId: row.opened_by },
      ...{ uploadPercent: row.upload_percent, downloadPercent: row.download_percent },
      ...{ fromMs: row.from_ms, untilMs: row.until_ms },
    }));
  };
}

function ofArchive(sql: Sql, torrentId: number): Source {
  return async (before, limit) => {
    const turns = await listTurns(sql, torrentId, { before, limit });
    return turns.map(({ id, kind, atMs }: ArchiveTurn) => {
      return { id, kind: kind === 'keep' ? 'kept' : 'unkept', atMs, memberId: undefined };
    });
  };
}

/** Torrents that it took the place of. */
function ofReplaced(sql: Sql, torrentId: number): Source {
  return async (before, limit) => {
    const rows = await sql
      .read<CatalogueTables>()
      .selectFrom('torrent')
      .select(['id', 'title', 'info_hash_v1', 'info_hash_v2', 'removed_ms', 'removed_by'])
      .where('replaced_by', '=', torrentId)
      .where('removed_ms', 'is not', null)
      .where(raw<boolean>`(removed_ms, id) < (${before.atMs}, ${before.id})`)
      .orderBy('removed_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      ...{ id: row.id, kind: 'replaces', atMs: row.removed_ms ?? 0 },
      memberId: row.removed_by ?? undefined,
      other: { title: row.title, infoHash: shownHash(row.info_hash_v1, row.info_hash_v2) },
    }));
  };
}
