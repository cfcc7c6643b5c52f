// What `swarmkeep share` names becomes a share: torrents of the archive, files and folders in them, and
// files and folders of this machine, which are put into the archive first.

import { isKept } from '#archive/catalogue/kept-torrents.ts';
import type { Output } from '#cli/command.ts';
import { readContentFolder } from '#cli/content-folder.ts';
import { CliError } from '#cli/errors.ts';
import { putTorrent } from '#cli/put/put-torrent.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import { accountsOf, addressesOf } from '#cli/site-parts.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { adminIds, findMember, findMemberById } from '#site/accounts/members.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { childOf, type FolderRow } from '#site/folders/folder-rows.ts';
import { hrefTo } from '#site/routes.ts';
import { listItems, type NewShareItem } from '#site/shares/share-items.ts';
import { makeShare } from '#site/shares/shares.ts';

export interface ShareWish {
  /** `HASH`, `HASH/path/in/it`, or the absolute path of a file or folder of this machine. */
  readonly things: readonly string[];
  /** Empty for the first administrator. */
  readonly member: string;
  readonly days: number;
  readonly downloadsMax: number | undefined;
  /** Empty for none. */
  readonly password: string;
  /** Levels of folders; undefined: all of one thing, none of several. */
  readonly depth: number | undefined;
  /** Empty for the name of the first. */
  readonly label: string;
}

export interface ShareMade {
  readonly id: number;
  readonly url: string;
  readonly label: string;
  readonly member: string;
  readonly expiresMs: number;
  readonly items: readonly {
    readonly kind: string;
    readonly label: string;
    readonly infoHash: string;
  }[];
}

const HASH = /^([0-9a-f]{40}|[0-9a-f]{64})(?:\/(.*))?$/i;

/** @throws CliError CLI_NOT_FOUND, CLI_REFUSED */
export async function makeShareOf(
  rooms: Rooms,
  wish: ShareWish,
  output: Output,
): Promise<ShareMade> {
  const member = await sharer(rooms, wish.member);
  const depth = wish.depth ?? (wish.things.length > 1 ? 0 : undefined);
  const items: NewShareItem[] = [];
  for (const thing of wish.things) items.push({ ...(await found(rooms, thing, output)), depth });
  const first = items[0]?.label ?? '';
  const more = items.length > 1 ? ` and ${items.length - 1} more` : '';
  const label = wish.label === '' ? first + more : wish.label;
  const { days, downloadsMax, password } = wish;
  const world = { ...accountsOf(rooms), config: rooms.config.site };
  const share = { memberId: member.id, items, label, days, downloadsMax, password };
  const { id, token, expiresMs } = accepted(await makeShare(world, share));
  const { siteUrl } = await addressesOf(rooms);
  return {
    ...{ id, label, member: member.name, url: siteUrl + hrefTo('share', { token }) },
    expiresMs,
    items: ((await listItems(rooms.sql, [id])).get(id) ?? []).map((item) => ({
      ...{ kind: item.kind, label: item.label, infoHash: item.infoHash },
    })),
  };
}

async function sharer(rooms: Rooms, name: string) {
  const [admin = 0] = await adminIds(rooms.sql.read<AccountTables>());
  const member =
    name === '' ? await findMemberById(rooms.sql, admin) : await findMember(rooms.sql, name);
  if (member !== undefined && member.state === 'active' && member.mayLeech) return member;
  const words =
    name === ''
      ? 'No administrator is there to share it: --member'
      : `"${name}" is no member who may take`;
  throw new CliError('CLI_NOT_FOUND', words);
}

async function found(
  rooms: Rooms,
  thing: string,
  output: Output,
): Promise<Omit<NewShareItem, 'depth'>> {
  const [, hash, path = ''] = HASH.exec(thing) ?? [];
  const torrent = await findTorrentByHash(
    rooms.sql,
    hash ?? (await putFirst(rooms, thing, output)),
  );
  if (torrent === undefined || torrent.removedMs !== undefined) {
    throw new CliError('CLI_NOT_FOUND', `No torrent has the hash "${hash}"`);
  }
  if (!(await isKept(rooms.sql, torrent.id))) {
    throw new CliError('CLI_REFUSED', `The archive does not keep "${torrent.title}"`);
  }
  let row: FolderRow | undefined;
  for (const name of path.split('/').filter((one) => one !== '')) {
    const folder: number = row?.position ?? NO_PARENT;
    row = await childOf(rooms.sql, { torrentId: torrent.id, folder }, name);
    if (row === undefined) {
      throw new CliError('CLI_NOT_FOUND', `"${torrent.title}" has no "${path}"`);
    }
  }
  const position = row?.position ?? NO_PARENT;
  return { torrentId: torrent.id, position, label: row?.name ?? torrent.title };
}

/** Its info hash. */
async function putFirst(rooms: Rooms, path: string, output: Output): Promise<string> {
  const folder = await readContentFolder(path);
  let done = 0;
  const put = await putTorrent(rooms, {
    ...{
      folder,
      signal: output.signal,
      version: 'v1',
      category: 'other',
      tags: [],
      description: '',
    },
    onBytes(bytes) {
      done += bytes;
      output.progress({ what: 'bytes stored', done, total: folder.sizeBytes });
    },
  });
  return put.infoHash;
}
