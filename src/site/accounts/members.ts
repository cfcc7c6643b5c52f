// Members as the site, the command line and tests add, find, change and remove them. Each change is
// one transaction that also enqueues what the trackers must know, so that it is in force at every
// door within a second. None of it needs a tracker to be up.

import type { Kysely, Selectable, Transaction } from 'kysely';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { memberId as asMemberId, passkey as asPasskey } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import type { Role } from '#site/permissions.ts';
import { Refusal } from '#site/refusal.ts';
import { dialectOf, isUniqueViolation, lockForTransaction } from '#sql/dialect.ts';
import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { MemberMessage } from '#wire/control-message.ts';
import type { AccountTables, MemberTable } from './account-tables.ts';
import { dropKeys } from './download-keys.ts';
import { checkPassword, generatePassword, type Passwords } from './passwords.ts';
import { endAllWaysIn, endSessions } from './ways-in.ts';

export interface AccountsWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly passwords: Passwords;
  /** Wakes the outbox relay after a commit. */
  changed(): void;
}

export type MemberState = 'active' | 'banned' | 'removed';

export interface Member {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly state: MemberState;
  /** Why they are banned; empty while active. */
  readonly reason: string;
  /** Unix milliseconds; undefined when a ban has no end, and while there is none. */
  readonly bannedUntilMs: number | undefined;
  /** The key of their announce URL; empty for removed members. A secret. */
  readonly passkey: string;
  readonly invitedBy: number | undefined;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly seenMs: number | undefined;
  /** False while a rule keeps them from taking more. */
  readonly mayLeech: boolean;
  /** Addresses of theirs are written nowhere. */
  readonly isProtected: boolean;
}

export interface NewMember {
  readonly name: string;
  /** Without one a password is made and returned. */
  readonly password?: string;
  /** `member` unless given. */
  readonly role?: Role;
  readonly invitedBy?: number;
}

export interface AddedMember {
  readonly member: Member;
  /** Only when it was made here; it is stored nowhere. */
  readonly password?: string;
}

export const NAME_LENGTH = { min: 3, max: 32 } as const;
const REASON_LENGTH_MAX = 200;
const PASSKEY_BYTES = 24;
const LIST_MAX = 500;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** What removed members are called. */
const REMOVED_NAME = /^removed-\d+$/i;

/** Undefined when a new member may be called so. */
export function checkName(name: string): Refusal | undefined {
  const { min, max } = NAME_LENGTH;
  if (name.length < min || name.length > max) {
    return new Refusal('name-length', `A name has ${min} to ${max} characters.`, 'name');
  }
  if (!NAME.test(name)) {
    const message =
      'A name is made of letters A to Z, digits, "." "_" and "-", and begins with a letter or digit.';
    return new Refusal('name-characters', message, 'name');
  }
  if (REMOVED_NAME.test(name)) {
    return new Refusal('name-taken', `"${name}" is a name of removed members.`, 'name');
  }
  return undefined;
}

/** @throws SqlError, SiteError SITE_PASSWORDS_BUSY */
export async function addMember(
  world: AccountsWorld,
  asked: NewMember,
): Promise<AddedMember | Refusal> {
  const prepared = await prepareMember(world, asked);
  if (prepared instanceof Refusal) return prepared;
  const saved = await world.sql
    .transaction<AccountTables, Member | Refusal>((transaction) =>
      insertMember(transaction, prepared),
    )
    .catch((error: unknown) => refuseTaken(error, asked.name));
  if (saved instanceof Refusal) return saved;
  world.changed();
  return prepared.generated === undefined
    ? { member: saved }
    : { member: saved, password: prepared.generated };
}

/** A new member with everything but the transaction: the slow part comes first. */
export interface PreparedMember {
  readonly name: string;
  readonly role: Role;
  readonly passwordHash: string;
  readonly generated: string | undefined;
  readonly passkey: string;
  readonly invitedBy: number | undefined;
  readonly nowMs: number;
}

/** Checks name and password and hashes the password. */
export async function prepareMember(
  world: AccountsWorld,
  asked: NewMember,
): Promise<PreparedMember | Refusal> {
  const generated = asked.password === undefined ? generatePassword(world.random) : undefined;
  const password = asked.password ?? generated ?? '';
  const wrong = checkName(asked.name) ?? checkPassword(password, asked.name);
  if (wrong !== undefined) return wrong;
  const taken = await findMember(world.sql, asked.name);
  if (taken !== undefined) return nameTaken(asked.name);
  return {
    ...memberWith(world, { name: asked.name, passwordHash: await world.passwords.hash(password) }),
    role: asked.role ?? 'member',
    generated,
    invitedBy: asked.invitedBy,
  };
}

/** A plain new member whose name and password were checked before. */
export function memberWith(
  { random, clock }: Pick<AccountsWorld, 'random' | 'clock'>,
  known: { readonly name: string; readonly passwordHash: string },
): PreparedMember {
  return {
    ...known,
    role: 'member',
    generated: undefined,
    passkey: newPasskey(random),
    invitedBy: undefined,
    nowMs: clock.nowMs(),
  };
}

/** A member, a key and the message to the trackers. @throws SqlError SQL_UNIQUE */
export async function insertMember(
  transaction: Transaction<AccountTables>,
  prepared: PreparedMember,
): Promise<Member> {
  const { name, role, passkey, nowMs } = prepared;
  const row = await transaction
    .insertInto('member')
    .values({
      name,
      name_key: nameKey(name),
      role,
      state: 'active',
      reason: '',
      password_hash: prepared.passwordHash,
      invited_by: prepared.invitedBy ?? null,
      created_ms: nowMs,
      seen_ms: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  assert(asMemberId(row.id) !== undefined, 'a member id fits 32 bits');
  await transaction
    .insertInto('member_key')
    .values({ passkey, member_id: row.id, created_ms: nowMs })
    .execute();
  const member = memberOf({ ...row, passkey });
  await enqueue(transaction, messageOf(member));
  return member;
}

/** Two sign-ups for one name at the same moment: the database lets one through. */
export function refuseTaken(error: unknown, name: string): Refusal {
  if (!isUniqueViolation(error)) throw error;
  return nameTaken(name);
}

function nameTaken(name: string): Refusal {
  return new Refusal('name-taken', `The name "${name}" is taken; choose another.`, 'name');
}

/** By name, in any case. Removed members have no name to be found by. */
export async function findMember(sql: Sql, name: string): Promise<Member | undefined> {
  const row = await selectMembers(sql.read<AccountTables>())
    .where('member.name_key', '=', nameKey(name))
    .where('member.state', '!=', 'removed')
    .executeTakeFirst();
  return row === undefined ? undefined : memberOf(row);
}

/** By id, removed members too. */
export async function findMemberById(sql: Sql, id: number): Promise<Member | undefined> {
  const row = await selectMembers(sql.read<AccountTables>())
    .where('member.id', '=', id)
    .executeTakeFirst();
  return row === undefined ? undefined : memberOf(row);
}

/** Names of members by id, for lists; absent ids are absent. */
export async function memberNames(
  sql: Sql,
  ids: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (ids.length === 0) return new Map();
  const rows = await sql
    .read<AccountTables>()
    .selectFrom('member')
    .select(['id', 'name'])
    .where('id', 'in', [...new Set(ids)].slice(0, LIST_MAX))
    .execute();
  return new Map(rows.map((row) => [row.id, row.name]));
}

export interface MemberPage {
  /** 1 to 500. */
  readonly limit: number;
  /** The name the last page ended with. */
  readonly after?: string;
  /** The name the page that is shown begins with; the page before it is wanted. */
  readonly before?: string;
}

/** By name, without removed members. */
export async function listMembers(sql: Sql, page: MemberPage): Promise<readonly Member[]> {
  assert(page.limit >= 1 && page.limit <= LIST_MAX, 'limit is 1 to 500');
  let query = selectMembers(sql.read<AccountTables>())
    .where('member.state', '!=', 'removed')
    .limit(page.limit);
  if (page.before !== undefined) {
    query = query
      .where('member.name_key', '<', nameKey(page.before))
      .orderBy('member.name_key', 'desc');
    return (await query.execute()).map(memberOf).reverse();
  }
  if (page.after !== undefined) query = query.where('member.name_key', '>', nameKey(page.after));
  return (await query.orderBy('member.name_key').execute()).map(memberOf);
}

export async function countMembers(sql: Sql): Promise<number> {
  const row = await sql
    .read<AccountTables>()
    .selectFrom('member')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .where('state', '!=', 'removed')
    .executeTakeFirstOrThrow();
  return row.rows;
}

/** Whether somebody can run this community; without one the first run is open. */
export async function hasAdmin(sql: Sql): Promise<boolean> {
  return (await adminIds(sql.read<AccountTables>())).length > 0;
}

/** Banned at once everywhere: sessions end, trackers refuse with the reason. */
export async function banMember(
  world: AccountsWorld,
  name: string,
  reason: string,
  untilMs?: number,
): Promise<Member | Refusal> {
  const words = reason.replaceAll(/\s+/g, ' ').trim();
  if (words.length > REASON_LENGTH_MAX) {
    const message = `A reason has at most ${REASON_LENGTH_MAX} characters; it is shown in clients.`;
    return new Refusal('reason-long', message, 'reason');
  }
  return await changeMember(world, name, async (transaction, member) => {
    const last = await refuseLastAdmin(transaction, member);
    if (last !== undefined) return last;
    await endSessions(transaction, member.id);
    return {
      state: 'banned',
      reason: words === '' ? 'banned by the staff' : words,
      banned_until_ms: untilMs ?? null,
    };
  });
}

export async function unbanMember(world: AccountsWorld, name: string): Promise<Member | Refusal> {
  return await changeMember(world, name, async () => ({
    ...{ state: 'active', reason: '', banned_until_ms: null },
  }));
}

export async function setMemberRole(
  world: AccountsWorld,
  name: string,
  role: Role,
): Promise<Member | Refusal> {
  return await changeMember(world, name, async (transaction, member) => {
    const last = role === 'admin' ? undefined : await refuseLastAdmin(transaction, member);
    return last ?? { role };
  });
}

/** The old key stops at the same moment as the new one starts. Returns the member with the new one. */
export async function resetPasskey(world: AccountsWorld, name: string): Promise<Member | Refusal> {
  return await changeMember(world, name, async (transaction, member) => {
    await dropKeys(transaction, member.id, world.clock.nowMs());
    const passkey = newPasskey(world.random);
    await transaction
      .insertInto('member_key')
      .values({ passkey, member_id: member.id, created_ms: world.clock.nowMs() })
      .execute();
    return {};
  });
}

/** Sets a new password (made here unless given); sessions, tokens and links from before end. */
export async function resetPassword(
  world: AccountsWorld,
  name: string,
  password?: string,
): Promise<AddedMember | Refusal> {
  const generated = password === undefined ? generatePassword(world.random) : undefined;
  const chosen = password ?? generated ?? '';
  const wrong = checkPassword(chosen, name);
  if (wrong !== undefined) return wrong;
  const password_hash = await world.passwords.hash(chosen);
  const changed = await changeMember(world, name, async (transaction, member) => {
    await endAllWaysIn(transaction, member.id);
    return { password_hash };
  });
  if (changed instanceof Refusal) return changed;
  return generated === undefined ? { member: changed } : { member: changed, password: generated };
}

/** Tells the trackers about every member again; for when the log and the database went apart. */
export async function enqueueAllMembers(sql: Sql): Promise<number> {
  let after = 0;
  let told = 0;
  for (;;) {
    const rows = await sql.transaction<AccountTables, readonly MemberRow[]>(async (transaction) => {
      const page = await selectMembers(transaction)
        .where('member.id', '>', after)
        .orderBy('member.id')
        .limit(LIST_MAX)
        .execute();
      await enqueue(
        transaction,
        page.map((row) => messageOf(memberOf(row))),
      );
      return page;
    });
    told += rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < LIST_MAX) return told;
    after = last.id;
  }
}

type MemberRow = Selectable<MemberTable> & { readonly passkey: string | null };
export type MemberChange = Partial<Omit<Selectable<MemberTable>, 'id' | 'may_leech'>>;

/** One change of one member with its message, or a refusal that leaves everything as it was. */
export async function changeMember(
  world: Pick<AccountsWorld, 'sql' | 'changed'>,
  name: string,
  make: (
    transaction: Transaction<AccountTables>,
    member: Member,
  ) => Promise<MemberChange | Refusal>,
): Promise<Member | Refusal> {
  const result = await world.sql.transaction<AccountTables, Member | Refusal>(
    async (transaction) => {
      const own = transaction
        .selectFrom('member')
        .select('id')
        .where('name_key', '=', nameKey(name));
      await locking(transaction, own).execute();
      const row = await selectMembers(transaction)
        .where('member.name_key', '=', nameKey(name))
        .where('member.state', '!=', 'removed')
        .executeTakeFirst();
      if (row === undefined) return new Refusal('member-unknown', `No member is called "${name}".`);
      const made = await make(transaction, memberOf(row));
      if (made instanceof Refusal) return made;
      if (Object.keys(made).length > 0) {
        await transaction.updateTable('member').set(made).where('id', '=', row.id).execute();
      }
      const after = await selectMembers(transaction)
        .where('member.id', '=', row.id)
        .executeTakeFirstOrThrow();
      const member = memberOf(after);
      await enqueue(transaction, messageOf(member));
      return member;
    },
  );
  if (!(result instanceof Refusal)) world.changed();
  return result;
}

/** Someone must be able to run the community. Admins go one after another, so that two do not at once. */
export async function refuseLastAdmin(
  transaction: Transaction<AccountTables>,
  member: Member,
): Promise<Refusal | undefined> {
  if (member.role !== 'admin' || member.state !== 'active') return undefined;
  await lockForTransaction(transaction, 'admins');
  const others = (await adminIds(transaction)).filter((id) => id !== member.id);
  if (others.length > 0) return undefined;
  const message = `${member.name} is the only admin; make somebody else one first.`;
  return new Refusal('last-admin', message);
}

/** Of the active ones, the first first. */
export async function adminIds(reading: Kysely<AccountTables>): Promise<readonly number[]> {
  const rows = await reading
    .selectFrom('member')
    .select('id')
    .where('role', '=', 'admin')
    .where('state', '=', 'active')
    .orderBy('id')
    .limit(LIST_MAX)
    .execute();
  return rows.map((row) => row.id);
}

/** SQLite has one writer; on PostgreSQL rows that decide a change are locked until it is made. */
function locking<Query extends { forUpdate(): Query }>(
  reading: Kysely<AccountTables>,
  query: Query,
): Query {
  return dialectOf(reading) === 'postgres' ? query.forUpdate() : query;
}

/** Rows of members with their key, for queries that add their own conditions. */
export function selectMembers(reading: Kysely<AccountTables>) {
  return reading
    .selectFrom('member')
    .leftJoin('member_key', 'member_key.member_id', 'member.id')
    .selectAll('member')
    .select('member_key.passkey');
}

export function memberOf(row: MemberRow): Member {
  const state = row.state === 'active' || row.state === 'removed' ? row.state : 'banned';
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    state,
    reason: row.reason,
    bannedUntilMs: row.banned_until_ms ?? undefined,
    passkey: row.passkey ?? '',
    invitedBy: row.invited_by ?? undefined,
    createdMs: row.created_ms,
    seenMs: row.seen_ms ?? undefined,
    mayLeech: row.may_leech === 1,
    isProtected: row.is_protected === 1,
  };
}

/** What the trackers must know of a member. */
export function messageOf(member: Member): MemberMessage {
  return {
    kind: 'member',
    memberId: member.id,
    passkeys: member.passkey === '' ? [] : [member.passkey],
    state: member.state,
    reason: member.reason,
    mayLeech: member.mayLeech,
    isProtected: member.isProtected,
  };
}

function newPasskey(random: Random): string {
  const text = Buffer.from(random.bytes(PASSKEY_BYTES)).toString('base64url');
  const key = asPasskey(text);
  assert(key !== undefined, 'a new passkey is well formed');
  return key;
}

/** Names that differ in case alone are one name. */
export function nameKey(name: string): string {
  return name.toLowerCase();
}
