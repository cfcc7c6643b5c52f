// Shares: a member's link to torrents, folders or files that the archive keeps, for people without an
// account. The link holds 256 random bits, of which the database has the hash alone, so that it can be
// neither guessed nor read there; it is shown once. It ends by its time, when it was used as often as was
// said, when it is revoked, when its member is banned or may take no more, and when the archive has let go
// of all it leads to. docs/shares.md has what links answer.

import { sql as raw, type Selectable } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import type { Passwords } from '#site/accounts/passwords.ts';
import { isToken, newToken, tokenHash } from '#site/accounts/sessions.ts';
import { Refusal } from '#site/refusal.ts';
import type { Sql } from '#sql/sql.ts';
import {
  insertItems,
  type ListedItem,
  listItems,
  type NewShareItem,
  openItems,
  SHARE_ITEMS_MAX,
  shortLabel,
} from './share-items.ts';
import type { ShareTables } from './share-tables.ts';

export const SHARE_LIMITS = {
  downloadsMax: 1_000_000,
  passwordCharsMin: 8,
  passwordCharsMax: 200,
} as const;

const DAY_MS = 86_400_000;
export const SHARES_LISTED_MAX = 50;
/** How long a share that is over still stands in lists. */
const KEPT_AFTER_MS = 30 * DAY_MS;

type Tables = ShareTables & AccountTables;

export interface SharesWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly passwords: Passwords;
  readonly config: { readonly sharesPerMemberMax: number; readonly shareDaysMax: number };
}

export interface Share {
  readonly id: number;
  readonly memberId: number;
  readonly label: string;
  readonly passwordHash: string | undefined;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revokedMs: number | undefined;
  readonly downloadsMax: number | undefined;
  readonly downloads: number;
  readonly sentBytes: number;
}

export interface NewShare {
  readonly memberId: number;
  /** 1 to SHARE_ITEMS_MAX, all of them kept. */
  readonly items: readonly NewShareItem[];
  readonly label: string;
  readonly days: number;
  readonly downloadsMax: number | undefined;
  /** Empty for none. */
  readonly password: string;
}

export interface ShareMade {
  readonly id: number;
  readonly token: string;
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

/** The token is told here and nowhere else. @throws SiteError SITE_PASSWORDS_BUSY */
export async function makeShare(
  world: SharesWorld,
  wanted: NewShare,
): Promise<ShareMade | Refusal> {
  const { sql, clock, random, passwords, config } = world;
  const problem = problemOf(wanted, config.shareDaysMax);
  if (problem !== undefined) return problem;
  const { password, memberId, items, downloadsMax } = wanted;
  const passwordHash = password === '' ? null : await passwords.hash(password);
  const token = newToken(random);
  const nowMs = clock.nowMs();
  const expiresMs = nowMs + wanted.days * DAY_MS;
  return await sql.transaction<ShareTables, ShareMade | Refusal>(async (transaction) => {
    await lockMember(transaction, memberId);
    const { open } = await transaction
      .selectFrom('share')
      .select((of) => of.fn.countAll<number>().as('open'))
      .where('member_id', '=', memberId)
      .where('revoked_ms', 'is', null)
      .where('expires_ms', '>', nowMs)
      .executeTakeFirstOrThrow();
    if (open >= config.sharesPerMemberMax) {
      const words = `You have ${open} shares that are open, as many as one member may. Revoke one first.`;
      return new Refusal('shares-full', words);
    }
    const { id } = await transaction
      .insertInto('share')
      .values({
        ...{ token_hash: tokenHash(token), member_id: memberId, label: shortLabel(wanted.label) },
        ...{ password_hash: passwordHash, created_ms: nowMs },
        expires_ms: expiresMs,
        ...{ revoked_ms: null, downloads_max: downloadsMax ?? null, downloads: 0, sent_bytes: 0 },
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await insertItems(transaction, { id, from: 0 }, items);
    return { id, token, expiresMs };
  });
}

/** Into one of the member's own that is in force; twice the same is one. */
export async function addToShare(
  { sql, clock }: Pick<SharesWorld, 'sql' | 'clock'>,
  to: { readonly shareId: number; readonly memberId: number },
  item: NewShareItem,
): Promise<Refusal | undefined> {
  const nowMs = clock.nowMs();
  return await sql.transaction<ShareTables, Refusal | undefined>(async (transaction) => {
    const share = await transaction
      .updateTable('share')
      // Of two at once the second one waits here, and takes the next place.
      .set((of) => ({ downloads: of.ref('downloads') }))
      .where('id', '=', to.shareId)
      .where('member_id', '=', to.memberId)
      .where('revoked_ms', 'is', null)
      .where('expires_ms', '>', nowMs)
      .returning('id')
      .executeTakeFirst();
    if (share === undefined) {
      return new Refusal('share-unknown', 'That share is over, or none of yours.', 'into');
    }
    const { id } = share;
    const there = await transaction
      .selectFrom('share_item')
      .selectAll()
      .where('share_id', '=', id)
      .execute();
    const { torrentId, position, depth } = item;
    const same = there.find(
      (one) => one.torrent_id === torrentId && one.position === position && one.ended_ms === null,
    );
    if (same !== undefined) {
      await transaction
        .updateTable('share_item')
        .set({ depth: depth ?? null })
        .where('share_id', '=', id)
        .where('place', '=', same.place)
        .execute();
      return undefined;
    }
    if (there.length >= SHARE_ITEMS_MAX) {
      const words = `A share leads to ${SHARE_ITEMS_MAX} things at most. Make another one.`;
      return new Refusal('share-full', words, 'into');
    }
    const from = Math.max(-1, ...there.map(({ place }) => place)) + 1;
    await insertItems(transaction, { id, from }, [item]);
    return undefined;
  });
}

function problemOf({ days, downloadsMax, password, items }: NewShare, daysMax: number) {
  if (items.length === 0 || items.length > SHARE_ITEMS_MAX) {
    const words = `A share leads to 1 to ${SHARE_ITEMS_MAX} torrents, folders and files.`;
    return new Refusal('items-invalid', words);
  }
  if (!Number.isInteger(days) || days < 1 || days > daysMax) {
    return new Refusal('days-invalid', `A share lasts 1 to ${daysMax} days.`, 'days');
  }
  const { downloadsMax: most, passwordCharsMin, passwordCharsMax } = SHARE_LIMITS;
  const isCount = downloadsMax === undefined || Number.isInteger(downloadsMax);
  if (!isCount || (downloadsMax ?? 1) < 1 || (downloadsMax ?? 1) > most) {
    const words = `Leave it empty, or say how many: 1 to ${most}.`;
    return new Refusal('downloads-invalid', words, 'downloads');
  }
  const length = [...password].length;
  if (password !== '' && (length < passwordCharsMin || length > passwordCharsMax)) {
    const words = `Leave it empty, or give ${passwordCharsMin} to ${passwordCharsMax} characters.`;
    return new Refusal('password-invalid', words, 'password');
  }
  return undefined;
}

/** By the token of its link, as long as it is in force; what it leads to is asked of its items. */
export async function findOpenShare(
  world: Pick<SharesWorld, 'sql' | 'clock'>,
  token: string,
): Promise<Share | undefined> {
  if (!isToken(token)) return undefined;
  const row = await openShares(world).where('token_hash', '=', tokenHash(token)).executeTakeFirst();
  return row && shareOf(row);
}

/** What running downloads ask: the count was theirs when they began. */
export async function isItemOpen(
  world: Pick<SharesWorld, 'sql' | 'clock'>,
  item: { readonly shareId: number; readonly place: number },
): Promise<boolean> {
  const share = await openShares(world).where('share.id', '=', item.shareId).executeTakeFirst();
  if (share === undefined) return false;
  const row = await openItems(world.sql)
    .where('share_id', '=', item.shareId)
    .where('place', '=', item.place)
    .executeTakeFirst();
  return row !== undefined;
}

function openShares({ sql, clock }: Pick<SharesWorld, 'sql' | 'clock'>) {
  return sql
    .read<Tables>()
    .selectFrom('share')
    .innerJoin('member', 'member.id', 'share.member_id')
    .selectAll('share')
    .where('share.revoked_ms', 'is', null)
    .where('share.expires_ms', '>', clock.nowMs())
    .where('member.state', '=', 'active')
    .where('member.may_leech', '=', 1);
}

/** Takes one of the downloads that a share has; false when there is none left. */
export async function takeDownload(sql: Sql, id: number): Promise<boolean> {
  return await sql.transaction<ShareTables, boolean>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('share')
      .set((of) => ({ downloads: of('downloads', '+', 1) }))
      .where('id', '=', id)
      .where((of) =>
        of.or([of('downloads_max', 'is', null), raw<boolean>`downloads < downloads_max`]),
      )
      .executeTakeFirst();
    return Number(numUpdatedRows) > 0;
  });
}

/** Of one that was taken and could not be given. */
export async function giveBackDownload(sql: Sql, id: number): Promise<void> {
  await sql.transaction<ShareTables, void>(async (transaction) => {
    await transaction
      .updateTable('share')
      .set((of) => ({ downloads: of('downloads', '-', 1) }))
      .where('id', '=', id)
      .where('downloads', '>', 0)
      .execute();
  });
}

/** In force at once: what is being given ends within a second. False when it is none of theirs. */
export async function revokeShare(
  world: Pick<SharesWorld, 'sql' | 'clock'>,
  id: number,
  /** Undefined for staff, who may end any. */
  memberId: number | undefined,
): Promise<boolean> {
  return await world.sql.transaction<ShareTables, boolean>(async (transaction) => {
    let query = transaction
      .updateTable('share')
      .set({ revoked_ms: world.clock.nowMs() })
      .where('id', '=', id)
      .where('revoked_ms', 'is', null);
    if (memberId !== undefined) query = query.where('member_id', '=', memberId);
    return Number((await query.executeTakeFirst()).numUpdatedRows) > 0;
  });
}

export interface ListedShare extends Share {
  readonly member: string;
  /** What it leads to, also what it led to. */
  readonly items: readonly ListedItem[];
}

/** The newest first, before that id; of one member, or of all. */
export async function listShares(
  sql: Sql,
  of: { readonly memberId?: number; readonly before?: number | undefined },
): Promise<readonly ListedShare[]> {
  let query = sql
    .read<Tables>()
    .selectFrom('share')
    .innerJoin('member', 'member.id', 'share.member_id')
    .selectAll('share')
    .select('member.name as member')
    .orderBy('share.id', 'desc')
    .limit(SHARES_LISTED_MAX + 1);
  if (of.memberId !== undefined) query = query.where('share.member_id', '=', of.memberId);
  if (of.before !== undefined) query = query.where('share.id', '<', of.before);
  const rows = await query.execute();
  const ids = rows.map(({ id }) => id);
  const items = await listItems(sql, ids);
  return rows.map((row) => ({
    ...shareOf(row),
    member: row.member,
    items: items.get(row.id) ?? [],
  }));
}

export async function addSentBytes(sql: Sql, sums: ReadonlyMap<number, number>): Promise<void> {
  await sql.transaction<ShareTables, void>(async (transaction) => {
    for (const [id, bytes] of sums) {
      await transaction
        .updateTable('share')
        .set((of) => ({ sent_bytes: of('sent_bytes', '+', bytes) }))
        .where('id', '=', id)
        .execute();
    }
  });
}

/** Returns how many there were. */
export async function removeOldShares(sql: Sql, nowMs: number): Promise<number> {
  return await sql.transaction<ShareTables, number>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('share')
      .where('expires_ms', '<=', nowMs - KEPT_AFTER_MS)
      .executeTakeFirst();
    return Number(numDeletedRows);
  });
}

export type ShareState = 'open' | 'used-up' | 'revoked' | 'expired' | 'let-go';

export function listedState(share: ListedShare, nowMs: number): ShareState {
  const state = stateOf(share, nowMs);
  const isGone = !share.items.some((item) => item.isOpen);
  return isGone && (state === 'open' || state === 'used-up') ? 'let-go' : state;
}

/** Of one whose torrents are kept. */
export function stateOf(share: Share, nowMs: number): ShareState {
  if (share.revokedMs !== undefined) return 'revoked';
  if (share.expiresMs <= nowMs) return 'expired';
  const { downloads, downloadsMax } = share;
  return downloadsMax !== undefined && downloads >= downloadsMax ? 'used-up' : 'open';
}

function shareOf(row: Selectable<ShareTables['share']>): Share {
  return {
    id: row.id,
    memberId: row.member_id,
    label: row.label,
    passwordHash: row.password_hash ?? undefined,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms ?? undefined,
    downloadsMax: row.downloads_max ?? undefined,
    downloads: row.downloads,
    sentBytes: row.sent_bytes,
  };
}
