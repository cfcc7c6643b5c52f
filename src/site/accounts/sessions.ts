// Sessions: a member signed in on a device. The cookie holds 256 random bits; SQL holds their
// SHA-256, so that whoever reads the database cannot sign in. They are rows, not signed cookies, so
// that each can be ended from any other device.

import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { ClassTables } from '#accounting/classes/class-tables.ts';
import { utf8 } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Role } from '#site/permissions.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import { givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';

const TOKEN_BYTES = 32;
/** 32 bytes in base64url. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
/** A visit is written down at most this often, so that reading pages does not write. */
const SEEN_MS = 300_000;
const DAY_MS = 86_400_000;
const DEVICE_LENGTH_MAX = 200;
const LIST_MAX = 500;

export interface SessionsWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: {
    readonly sessionIdleDays: number;
    readonly sessionsPerMemberMax: number;
  };
}

/** Who asks, found by the cookie. */
export interface Viewer {
  readonly memberId: number;
  readonly name: string;
  readonly role: Role;
  /** The member's class; empty is the first. */
  readonly className: string;
  readonly sessionId: number;
}

export interface Session {
  readonly id: number;
  readonly createdMs: number;
  readonly seenMs: number;
  readonly expiresMs: number;
  /** Empty when it was removed, or never kept. */
  readonly address: string;
  readonly device: string;
}

/** A random secret for a cookie or a link, 43 characters of base64url. */
export function newToken(random: Random): string {
  return Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url');
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** What is stored of a token. 256 random bits need no salt and no slow hash. */
export function tokenHash(token: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(utf8(token)).digest());
}

/** Returns how many there were. */
export async function removeExpiredSessions(sql: Sql, nowMs: number): Promise<number> {
  return await sql.transaction<AccountTables, number>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('session')
      .where('expires_ms', '<=', nowMs)
      .executeTakeFirst();
    return Number(numDeletedRows);
  });
}

/** Signs a member in; returns the token for the cookie. The oldest sessions make room. */
export async function openSession(
  world: SessionsWorld,
  memberId: number,
  from: { readonly address: string; readonly device: string },
): Promise<string> {
  const { sql, clock, random, config } = world;
  const token = newToken(random);
  const nowMs = clock.nowMs();
  await sql.transaction<AccountTables, void>(async (transaction) => {
    await transaction.deleteFrom('session').where('expires_ms', '<=', nowMs).execute();
    const { is_protected } = await transaction
      .selectFrom('member')
      .select('is_protected')
      .where('id', '=', memberId)
      .executeTakeFirstOrThrow();
    const keep = transaction
      .selectFrom('session')
      .select('id')
      .where('member_id', '=', memberId)
      .orderBy('seen_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(config.sessionsPerMemberMax - 1);
    await transaction
      .deleteFrom('session')
      .where('member_id', '=', memberId)
      .where('id', 'not in', keep)
      .execute();
    await transaction
      .insertInto('session')
      .values({
        member_id: memberId,
        token_hash: tokenHash(token),
        created_ms: nowMs,
        seen_ms: nowMs,
        expires_ms: nowMs + config.sessionIdleDays * DAY_MS,
        address: is_protected === 1 ? '' : from.address.slice(0, 64),
        device: printable(from.device).slice(0, DEVICE_LENGTH_MAX),
      })
      .execute();
    await transaction
      .updateTable('member')
      .set({ seen_ms: nowMs })
      .where('id', '=', memberId)
      .execute();
  });
  return token;
}

const viewerRows = fixedQuery(
  (reading: Kysely<AccountTables & ClassTables>, given: { hash: Uint8Array; nowMs: number }) =>
    reading
      .selectFrom('session')
      .innerJoin('member', 'member.id', 'session.member_id')
      .leftJoin('member_class', 'member_class.member_id', 'member.id')
      .select([
        'session.id',
        'member_class.name as class_name',
        'session.seen_ms',
        'member.id as member_id',
        'member.name',
        'member.role',
      ])
      .where('session.token_hash', '=', given.hash)
      .where('session.expires_ms', '>', given.nowMs)
      .where('member.state', '=', 'active'),
);

/** Those of these sessions that are not over, of active members. */
export async function livingSessions(
  { sql, clock }: Pick<SessionsWorld, 'sql' | 'clock'>,
  ids: readonly number[],
): Promise<ReadonlySet<number>> {
  const reading = sql.read<AccountTables>();
  const rows = await reading
    .selectFrom('session')
    .innerJoin('member', 'member.id', 'session.member_id')
    .select('session.id')
    .where(isOneOf(reading, 'session.id', givenList(reading, ids)))
    .where('session.expires_ms', '>', clock.nowMs())
    .where('member.state', '=', 'active')
    .execute();
  return new Set(rows.map((row) => row.id));
}

/** Undefined unless the token names a session that is not over, of an active member. */
export async function findViewer(world: SessionsWorld, token: string): Promise<Viewer | undefined> {
  if (!isToken(token)) return undefined;
  const nowMs = world.clock.nowMs();
  const hash = tokenHash(token);
  const [row] = await viewerRows(world.sql.read(), { hash, nowMs });
  if (row === undefined) return undefined;
  if (nowMs - row.seen_ms >= SEEN_MS) await noteVisit(world, row.id, row.member_id);
  return {
    memberId: row.member_id,
    name: row.name,
    role: row.role,
    className: row.class_name ?? '',
    sessionId: row.id,
  };
}

async function noteVisit(world: SessionsWorld, id: number, memberId: number): Promise<void> {
  const nowMs = world.clock.nowMs();
  const expires_ms = nowMs + world.config.sessionIdleDays * DAY_MS;
  await world.sql.transaction<AccountTables, void>(async (transaction) => {
    await transaction
      .updateTable('session')
      .set({ seen_ms: nowMs, expires_ms })
      .where('id', '=', id)
      .execute();
    await transaction
      .updateTable('member')
      .set({ seen_ms: nowMs })
      .where('id', '=', memberId)
      .execute();
  });
}

/** A member's own, the last used first. */
export async function listSessions(
  world: SessionsWorld,
  memberId: number,
): Promise<readonly Session[]> {
  const rows = await world.sql
    .read<AccountTables>()
    .selectFrom('session')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('expires_ms', '>', world.clock.nowMs())
    .orderBy('seen_ms', 'desc')
    .orderBy('id', 'desc')
    .limit(LIST_MAX)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    createdMs: row.created_ms,
    seenMs: row.seen_ms,
    expiresMs: row.expires_ms,
    address: row.address,
    device: row.device,
  }));
}

/** Ends one of a member's own sessions; false when it is none of theirs. */
export async function endSession(sql: Sql, memberId: number, id: number): Promise<boolean> {
  const result = await sql.transaction<AccountTables, { numDeletedRows: bigint }>((transaction) =>
    transaction
      .deleteFrom('session')
      .where('id', '=', id)
      .where('member_id', '=', memberId)
      .executeTakeFirstOrThrow(),
  );
  return result.numDeletedRows > 0n;
}

/** Ends all of a member's sessions. */
export async function endAllSessions(sql: Sql, memberId: number): Promise<void> {
  await sql.transaction<AccountTables, void>(async (transaction) => {
    await transaction.deleteFrom('session').where('member_id', '=', memberId).execute();
  });
}

/** `Firefox on Linux`, as far as the browser's own words tell. */
export function deviceName(device: string): string {
  const browser = (
    [
      ['Firefox', /Firefox\//],
      ['Edge', /Edg\//],
      ['Opera', /OPR\//],
      ['Chromium', /Chrome\//],
      ['Safari', /Safari\//],
      ['curl', /^curl\//],
    ] as const
  ).find(([, pattern]) => pattern.test(device))?.[0];
  const system = (
    [
      ['Android', /Android/],
      ['iPhone or iPad', /iPhone|iPad/],
      ['Windows', /Windows/],
      ['macOS', /Mac OS X/],
      ['Linux', /Linux/],
    ] as const
  ).find(([, pattern]) => pattern.test(device))?.[0];
  if (browser === undefined) return system ?? 'Unknown device';
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** PostgreSQL keeps no NUL, and pages show no control characters. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
