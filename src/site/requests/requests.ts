// What members ask for. Points that are put in leave their owner's balance at once and wait with the
// request; they are paid once, to whoever uploaded what the asker accepts, or given back, each to its
// owner, when the request is withdrawn. A request and its points change in one transaction.

import { type Generated, sql as raw, type Selectable, type Transaction } from 'kysely';
import { grantBonus, spendBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import type { Clock } from '#base/clock.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import { cleanTitle } from '#site/catalogue/torrent-words.ts';
import type { NewNotice } from '#site/notices/notices.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import { versionOf } from '#site/shown.ts';
import { integerSum } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export interface RequestTables {
  request: {
    id: Generated<number>;
    /** Who asks. */
    member_id: number;
    title: string;
    /** Markdown. */
    description: string;
    state: string;
    created_ms: number;
    closed_ms: number | null;
    /** What was offered, and with `filled` what was accepted. */
    torrent_id: number | null;
  };
  request_bounty: { request_id: number; member_id: number; milli_points: number };
}

export const REQUEST_STATES = ['open', 'filled', 'withdrawn'] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

export interface Request {
  readonly id: number;
  readonly memberId: number;
  readonly title: string;
  readonly description: string;
  readonly state: RequestState;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly closedMs: number | undefined;
  readonly torrentId: number | undefined;
  /** What waits with it, or was paid. */
  readonly milliPoints: number;
}

export const TITLE_CHARS_MAX = 200;
export const DESCRIPTION_CHARS_MAX = 10_000;
export const POINTS_MAX = 1_000_000;
/** Open ones of one member. */
const OPEN_MAX = 50;
/** As the page makes them: what is sent twice is put in once. */
const ORDER = /^[0-9a-f]{24}$/;

interface World {
  readonly sql: Sql;
  readonly clock: Clock;
}

type Tables = RequestTables & BonusTables;

export async function addRequest(
  world: World,
  asked: Pick<Request, 'memberId' | 'title' | 'description'>,
): Promise<number | Refusal> {
  const title = cleanTitle(asked.title);
  const description = asked.description.trim();
  if (title === '' || title.length > TITLE_CHARS_MAX) {
    const words = `Say what you look for, in at most ${TITLE_CHARS_MAX} characters.`;
    return new Refusal('title-missing', words, 'title');
  }
  if (description.length > DESCRIPTION_CHARS_MAX) {
    const words = `A description has at most ${DESCRIPTION_CHARS_MAX} characters.`;
    return new Refusal('description-long', words, 'description');
  }
  return await world.sql.transaction<RequestTables, number | Refusal>(async (transaction) => {
    await lockMember(transaction, asked.memberId);
    const open = await transaction
      .selectFrom('request')
      .select((of) => of.fn.countAll<number>().as('rows'))
      .where('member_id', '=', asked.memberId)
      .where('state', '=', 'open')
      .executeTakeFirstOrThrow();
    if (open.rows >= OPEN_MAX) {
      const words = `${OPEN_MAX} requests of yours are open. Withdraw one first.`;
      return new Refusal('requests-full', words, 'title');
    }
    const row = { member_id: asked.memberId, title, description, state: 'open' };
    const { id } = await transaction
      .insertInto('request')
      .values({ ...row, created_ms: world.clock.nowMs(), closed_ms: null, torrent_id: null })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  });
}

/** Puts points in. */
export async function addBounty(
  world: World,
  asked: {
    readonly requestId: number;
    readonly memberId: number;
    /** Whole ones. */
    readonly points: number;
    readonly order: string;
  },
): Promise<Refusal | undefined> {
  const { requestId, memberId, points, order } = asked;
  if (!Number.isInteger(points) || points < 1 || points > POINTS_MAX) {
    return new Refusal('points-invalid', 'Points are a whole number, 1 or more.', 'points');
  }
  if (!ORDER.test(order)) {
    return new Refusal('order-missing', 'Nothing was put in. Press the button again.', 'points');
  }
  return await world.sql.transaction<Tables, Refusal | undefined>(async (transaction) => {
    if (!(await lockOpen(transaction, requestId))) return NOT_OPEN;
    const isPaid = await spendBonus(transaction as never, {
      ...{ memberId, atMs: world.clock.nowMs(), milliPoints: points * 1000, kind: 'bounty' },
      once: `bounty:${requestId}:${order}`,
    });
    if (!isPaid) {
      const words = 'You have not so many points, or these are put in already.';
      return new Refusal('points-missing', words, 'points');
    }
    await transaction
      .insertInto('request_bounty')
      .values({ request_id: requestId, member_id: memberId, milli_points: points * 1000 })
      .onConflict((conflict) =>
        conflict.columns(['request_id', 'member_id']).doUpdateSet((of) => ({
          milli_points: of('request_bounty.milli_points', '+', points * 1000),
        })),
      )
      .execute();
    return undefined;
  });
}

/** Offers a torrent; whoever asked is told, and says whether it is what they meant. */
export async function offerTorrent(
  world: World,
  asked: {
    readonly requestId: number;
    readonly torrent: { readonly id: number; readonly uploaderId: number; readonly title: string };
  },
): Promise<Refusal | undefined> {
  const { requestId, torrent } = asked;
  return await world.sql.transaction<Tables, Refusal | undefined>(async (transaction) => {
    const request = await lockOpen(transaction, requestId);
    if (!request) return NOT_OPEN;
    if (torrent.uploaderId === request.member_id) {
      const words = 'Who asks does not fill it: the points of others are in it. Withdraw it.';
      return new Refusal('filler-is-asker', words, 'torrent');
    }
    if (request.torrent_id !== null) {
      const words = 'Another torrent waits for an answer already.';
      return new Refusal('offer-waits', words, 'torrent');
    }
    await transaction
      .updateTable('request')
      .set({ torrent_id: torrent.id })
      .where('id', '=', requestId)
      .execute();
    const title = `Is “${torrent.title}” what you asked for?`;
    const body = `You asked for “${request.title}”. Accept it, and the points are paid.`;
    const once = `request ${requestId} torrent ${torrent.id}`;
    await tell(world, transaction, { requestId, memberId: request.member_id, title, body, once });
    return undefined;
  });
}

/** It is not what was asked for: the request waits for another. */
export async function refuseOffer(
  world: World,
  { requestId, torrentId }: { readonly requestId: number; readonly torrentId: number },
): Promise<Refusal | undefined> {
  return await world.sql.transaction<Tables, Refusal | undefined>(async (transaction) => {
    const request = await lockOpen(transaction, requestId);
    if (!request || request.torrent_id !== torrentId) return NO_OFFER;
    await transaction
      .updateTable('request')
      .set({ torrent_id: null })
      .where('id', '=', requestId)
      .execute();
    return undefined;
  });
}

/** Pays what waits to `uploaderId`, who uploaded the torrent that was offered. */
export async function acceptOffer(
  world: World,
  asked: { readonly requestId: number; readonly torrentId: number; readonly uploaderId: number },
): Promise<Refusal | undefined> {
  const { requestId, torrentId, uploaderId } = asked;
  return await world.sql.transaction<Tables, Refusal | undefined>(async (transaction) => {
    const request = await lockOpen(transaction, requestId);
    if (!request || request.torrent_id !== torrentId) return NO_OFFER;
    const bounties = await bountiesOf(transaction, requestId);
    const milliPoints = bounties.reduce((sum, one) => sum + one.milli_points, 0);
    await close(world, transaction, requestId, 'filled');
    if (milliPoints > 0) {
      const entry = { memberId: uploaderId, atMs: world.clock.nowMs(), milliPoints };
      await grantBonus(transaction as never, [
        { ...entry, kind: 'request', once: `request:${requestId}` },
      ]);
    }
    const title = `“${request.title}” is filled by your torrent`;
    const body = `${milliPoints / 1000} points are yours.`;
    const once = `request ${requestId} paid`;
    await tell(world, transaction, { requestId, memberId: uploaderId, title, body, once });
    return undefined;
  });
}

/** Gives everybody back what they put in. */
export async function withdrawRequest(
  world: World,
  requestId: number,
): Promise<Refusal | undefined> {
  return await world.sql.transaction<Tables, Refusal | undefined>(async (transaction) => {
    if (!(await lockOpen(transaction, requestId))) return NOT_OPEN;
    const bounties = await bountiesOf(transaction, requestId);
    await close(world, transaction, requestId, 'withdrawn');
    await grantBonus(
      transaction as never,
      bounties.map(({ member_id: memberId, milli_points: milliPoints }) => ({
        ...{ memberId, atMs: world.clock.nowMs(), milliPoints, kind: 'bounty' as const },
        once: `bounty-back:${requestId}`,
      })),
    );
    return undefined;
  });
}

/** Of what a decision is about. */
export function offerVersion({ torrentId }: Pick<Request, 'torrentId'>): string {
  return versionOf([torrentId ?? 0]);
}

const NOT_OPEN = new Refusal('request-closed', 'This request is not open any more.', 'points');
const NO_OFFER = new Refusal('offer-gone', 'There is no such offer any more.', 'torrent');

/** Newest first, before an id when one is given. */
export async function listRequests(
  sql: Sql,
  page: { readonly state: RequestState; readonly limit: number; readonly before?: number },
): Promise<readonly Request[]> {
  let query = requestsQuery(sql)
    .where('request.state', '=', page.state)
    .orderBy('request.id', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('request.id', '<', page.before);
  return (await query.execute()).map(requestOf);
}

export async function findRequest(sql: Sql, id: number): Promise<Request | undefined> {
  const row = await requestsQuery(sql).where('request.id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : requestOf(row);
}

function requestsQuery(sql: Sql) {
  return sql
    .read<RequestTables>()
    .selectFrom('request')
    .selectAll('request')
    .select((of) =>
      of
        .selectFrom('request_bounty')
        .select(integerSum(raw.ref<number>('request_bounty.milli_points')).as('sum'))
        .whereRef('request_bounty.request_id', '=', 'request.id')
        .as('points'),
    );
}

/** Held until the transaction ends; undefined unless it is open. */
async function lockOpen(
  transaction: Transaction<Tables>,
  id: number,
): Promise<Selectable<RequestTables['request']> | undefined> {
  return await transaction
    .updateTable('request')
    .set({ state: 'open' })
    .where('id', '=', id)
    .where('state', '=', 'open')
    .returningAll()
    .executeTakeFirst();
}

async function bountiesOf(transaction: Transaction<Tables>, requestId: number) {
  return await transaction
    .selectFrom('request_bounty')
    .selectAll()
    .where('request_id', '=', requestId)
    .orderBy('member_id')
    .execute();
}

async function close(
  world: World,
  transaction: Transaction<Tables>,
  id: number,
  state: RequestState,
): Promise<void> {
  await transaction
    .updateTable('request')
    .set({ state, closed_ms: world.clock.nowMs() })
    .where('id', '=', id)
    .execute();
}

async function tell(
  world: World,
  transaction: Transaction<Tables>,
  told: Pick<NewNotice, 'memberId' | 'title' | 'body' | 'once'> & { readonly requestId: number },
): Promise<void> {
  const { requestId, ...rest } = told;
  const link = hrefTo('request', { id: requestId });
  await sendNotices(transaction, [{ kind: 'good', ...rest, link }], world.clock.nowMs());
}

type Row = Selectable<RequestTables['request']> & { readonly points: number | null };

function requestOf(row: Row): Request {
  return {
    id: row.id,
    memberId: row.member_id,
    title: row.title,
    description: row.description,
    state: REQUEST_STATES.find((state) => state === row.state) ?? 'open',
    createdMs: row.created_ms,
    closedMs: row.closed_ms ?? undefined,
    torrentId: row.torrent_id ?? undefined,
    milliPoints: row.points ?? 0,
  };
}
