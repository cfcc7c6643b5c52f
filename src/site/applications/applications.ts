// Sign-up by application: somebody says who they are and waits; the staff accepts, which makes the member,
// or refuses with a reason. The applicant follows it by a link that only they have. Once it is decided,
// the hash of the password leaves the application, and with a refusal the words do too.

import type { Generated } from 'kysely';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import {
  type AccountsWorld,
  checkName,
  findMember,
  insertMember,
  type Member,
  memberWith,
  refuseTaken,
} from '#site/accounts/members.ts';
import { checkPassword } from '#site/accounts/passwords.ts';
import { isToken, newToken, tokenHash } from '#site/accounts/sessions.ts';
import { readSettings } from '#site/accounts/settings.ts';
import { Refusal } from '#site/refusal.ts';
import { isUniqueViolation } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export const WORDS_LENGTH = { min: 20, max: 4000 } as const;
export const REASON_LENGTH_MAX = 500;
/** Beyond so many that nobody looked at, no more are taken. */
const WAITING_MAX = 1000;

export type ApplicationState = 'waiting' | 'accepted' | 'refused';

export interface Application {
  readonly id: number;
  readonly name: string;
  /** Plain text, in the applicant's own words. */
  readonly words: string;
  readonly state: ApplicationState;
  /** Why it was refused, as the applicant reads it. */
  readonly reason: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly decidedMs: number | undefined;
}

export interface ApplicationTables extends AccountTables {
  application: {
    id: Generated<number>;
    token_hash: Uint8Array;
    name: string;
    name_key: string;
    password_hash: string;
    words: string;
    state: string;
    reason: string;
    member_id: number | null;
    staff_id: number | null;
    created_ms: number;
    decided_ms: number | null;
  };
}

/** The token of the applicant's link, which is stored nowhere. @throws SiteError SITE_PASSWORDS_BUSY */
export async function apply(
  world: AccountsWorld,
  asked: { readonly name: string; readonly password: string; readonly words: string },
): Promise<string | Refusal> {
  const { sql, random, clock, passwords } = world;
  const { signUpMode } = await readSettings(sql.read<AccountTables>());
  if (signUpMode !== 'application') {
    return new Refusal('sign-up-mode', 'No applications are taken at present.');
  }
  const words = asked.words.replaceAll(/[^\P{Cc}\n]/gu, ' ').trim();
  const wrong =
    checkName(asked.name) ?? checkPassword(asked.password, asked.name) ?? checkWords(words);
  if (wrong !== undefined) return wrong;
  const taken = new Refusal('name-taken', `The name "${asked.name}" is taken.`, 'name');
  if ((await findMember(sql, asked.name)) !== undefined) return taken;
  const password_hash = await passwords.hash(asked.password);
  const token = newToken(random);
  return await sql
    .transaction<ApplicationTables, string | Refusal>(async (transaction) => {
      const { rows } = await transaction
        .selectFrom('application')
        .select((of) => of.fn.countAll<number>().as('rows'))
        .where('state', '=', 'waiting')
        .executeTakeFirstOrThrow();
      if (rows >= WAITING_MAX) {
        const message = 'Too many applications wait already. Try again in some days.';
        return new Refusal('applications-full', message);
      }
      await transaction
        .insertInto('application')
        .values({
          token_hash: tokenHash(token),
          name: asked.name,
          name_key: asked.name.toLowerCase(),
          password_hash,
          words,
          state: 'waiting',
          reason: '',
          member_id: null,
          staff_id: null,
          created_ms: clock.nowMs(),
          decided_ms: null,
        })
        .execute();
      return token;
    })
    .catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      return taken;
    });
}

function checkWords(words: string): Refusal | undefined {
  const { min, max } = WORDS_LENGTH;
  if (words.length >= min && words.length <= max) return undefined;
  const message = `Write ${min} to ${max} characters; these are ${words.length}.`;
  return new Refusal('words-length', message, 'words');
}

/** By the applicant's link. */
export async function findApplication(sql: Sql, token: string): Promise<Application | undefined> {
  if (!isToken(token)) return undefined;
  const row = await sql
    .read<ApplicationTables>()
    .selectFrom('application')
    .selectAll()
    .where('token_hash', '=', tokenHash(token))
    .executeTakeFirst();
  return row && applicationOf(row);
}

export async function applicationById(sql: Sql, id: number): Promise<Application | undefined> {
  const row = await sql
    .read<ApplicationTables>()
    .selectFrom('application')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  return row && applicationOf(row);
}

/** Those that wait, the oldest first; or those that were decided, the newest first. */
export async function listApplications(
  sql: Sql,
  page: { readonly isWaiting: boolean; readonly limit: number },
): Promise<readonly Application[]> {
  const rows = await sql
    .read<ApplicationTables>()
    .selectFrom('application')
    .selectAll()
    .where('state', page.isWaiting ? '=' : '!=', 'waiting')
    .orderBy('id', page.isWaiting ? 'asc' : 'desc')
    .limit(page.limit)
    .execute();
  return rows.map(applicationOf);
}

/** Makes the member, with the password that was chosen; the trackers are told with it. */
export async function acceptApplication(
  world: AccountsWorld,
  id: number,
  staffId: number,
): Promise<Member | Refusal> {
  const nowMs = world.clock.nowMs();
  let name = '';
  const saved = await world.sql
    .transaction<ApplicationTables, Member | Refusal>(async (transaction) => {
      const row = await transaction
        .updateTable('application')
        .set({ state: 'accepted', staff_id: staffId, decided_ms: nowMs })
        .where('id', '=', id)
        .where('state', '=', 'waiting')
        .returning(['name', 'password_hash'])
        .executeTakeFirst();
      if (row === undefined) return decided();
      name = row.name;
      const prepared = memberWith(world, { name, passwordHash: row.password_hash });
      const member = await insertMember(transaction, prepared);
      await transaction
        .updateTable('application')
        .set({ member_id: member.id, password_hash: '' })
        .where('id', '=', id)
        .execute();
      return member;
    })
    .catch((error: unknown) => refuseTaken(error, name));
  if (!(saved instanceof Refusal)) world.changed();
  return saved;
}

export async function refuseApplication(
  { sql, clock }: Pick<AccountsWorld, 'sql' | 'clock'>,
  id: number,
  refusal: { readonly reason: string; readonly staffId: number },
): Promise<Refusal | undefined> {
  const reason = refusal.reason.replaceAll(/\s+/g, ' ').trim();
  if (reason === '' || reason.length > REASON_LENGTH_MAX) {
    const message = `Say why in 1 to ${REASON_LENGTH_MAX} characters; the applicant reads it.`;
    return new Refusal('reason-length', message, 'reason');
  }
  return await sql.transaction<ApplicationTables, Refusal | undefined>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('application')
      .set({
        state: 'refused',
        reason,
        password_hash: '',
        words: '',
        staff_id: refusal.staffId,
        decided_ms: clock.nowMs(),
      })
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .executeTakeFirstOrThrow();
    return numUpdatedRows === 0n ? decided() : undefined;
  });
}

function decided(): Refusal {
  return new Refusal('application-decided', 'Somebody decided on this application already.');
}

function applicationOf(row: {
  readonly id: number;
  readonly name: string;
  readonly words: string;
  readonly state: string;
  readonly reason: string;
  readonly created_ms: number;
  readonly decided_ms: number | null;
}): Application {
  const { id, name, words, reason } = row;
  const state = row.state === 'accepted' || row.state === 'refused' ? row.state : 'waiting';
  const decidedMs = row.decided_ms ?? undefined;
  return { id, name, words, state, reason, createdMs: row.created_ms, decidedMs };
}
