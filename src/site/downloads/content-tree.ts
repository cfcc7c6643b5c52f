// The catalogue as downloads ask it: folders and files of a torrent, and which torrents are kept.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { ContentTree } from '#archive/downloads/content-tree.ts';
import type { DavCatalogue, DavTorrent } from '#archive/webdav/webdav.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { shownHash } from '#site/catalogue/find-torrent.ts';
import { childOf, childrenAfter, rowsBelow } from '#site/folders/folder-rows.ts';
import type { Sql } from '#sql/sql.ts';

const HASH_DIGITS = 8;
const TITLE_CHARS_MAX = 120;

export function contentTree(sql: Sql): ContentTree {
  return {
    children: (of, limit) => childrenAfter(sql, of, limit),
    child: (of, name) => childOf(sql, of, name),
    below: (of, limit) => rowsBelow(sql, of, limit),
  };
}

export function davCatalogue(sql: Sql): DavCatalogue {
  const kept = () =>
    sql
      .read<CatalogueTables & ArchiveTables>()
      .selectFrom('archive_torrent')
      .innerJoin('torrent', 'torrent.id', 'archive_torrent.torrent_id')
      .select(['id', 'name', 'title', 'created_ms', 'info_hash_v1', 'info_hash_v2'])
      .where('removed_ms', 'is', null)
      .orderBy('id');
  return {
    async keptTorrents(after, limit) {
      return (await kept().where('id', '>', after).limit(limit).execute()).map(davTorrent);
    },
    async keptTorrent(folder) {
      const digits = /\[([0-9a-f]{8})\]$/.exec(folder)?.[1];
      if (digits === undefined) return undefined;
      const from = new Uint8Array(Buffer.from(digits, 'hex'));
      const until = new Uint8Array(32).fill(0xff);
      until.set(from);
      const found = await kept()
        .where((of) =>
          of.or([
            of.and([of('info_hash_v1', '>=', from), of('info_hash_v1', '<=', until)]),
            of.and([of('info_hash_v2', '>=', from), of('info_hash_v2', '<=', until)]),
          ]),
        )
        .execute();
      return found.map(davTorrent).find((torrent) => torrent.folder === folder);
    },
  };
}

interface KeptRow {
  readonly id: number;
  readonly name: string;
  readonly title: string;
  readonly created_ms: number;
  readonly info_hash_v1: Uint8Array | null;
  readonly info_hash_v2: Uint8Array | null;
}

function davTorrent(row: KeptRow): DavTorrent {
  const { id, name, title, created_ms: createdMs } = row;
  const hash = shownHash(row.info_hash_v1, row.info_hash_v2);
  return { id, name, createdMs, folder: `${folderName(title)} [${hash.slice(0, HASH_DIGITS)}]` };
}

/** A title as every system can have it as a folder's name. */
function folderName(title: string): string {
  const safe = title
    .replace(/[\p{Cc}\p{Cf}\\/:*?"<>|[\]]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '');
  return [...safe].slice(0, TITLE_CHARS_MAX).join('').trimEnd() || 'torrent';
}
