// What is half done between two pages: a sign-in whose password was right and whose code is still to
// come, or a device's key that was asked for. The browser holds 256 random bits in a cookie, SQL their
// SHA-256; a step lasts some minutes, is bounded in attempts, and is used once. It is no session: it
// opens nothing but the next page.

import type { Generated } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { isToken, newToken, tokenHash } from '#site/accounts/sessions.ts';
import type { Sql } from '#sql/sql.ts';

export const STEP_SECONDS = 600;
const ATTEMPTS_MAX = 5;

export type StepPurpose = 'code' | 'key-add' | 'key-sign-in';

interface StepTables extends AccountTables {
  sign_in_step: {
    id: Generated<number>;
    token_hash: Uint8Array;
    member_id: number | null;
    purpose: string;
    detail: string;
    next: string;
    attempts: number;
    expires_ms: number;
  };
}

export interface StepWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
}

export interface NewStep {
  readonly purpose: StepPurpose;
  /** Undefined while it is not known who signs in. */
  readonly memberId: number | undefined;
  /** What the purpose needs to remember: the label of a key. */
  readonly detail?: string;
  /** Where to go when all is done; a path of this site, or empty. */
  readonly next: string;
}

export interface Step extends NewStep {
  readonly detail: string;
  readonly token: string;
}

/** The token for the cookie. Steps that are over go with it. */
export async function beginStep(world: StepWorld, step: NewStep): Promise<string> {
  const token = newToken(world.random);
  const nowMs = world.clock.nowMs();
  await world.sql.transaction<StepTables, void>(async (transaction) => {
    await transaction.deleteFrom('sign_in_step').where('expires_ms', '<=', nowMs).execute();
    await transaction
      .insertInto('sign_in_step')
      .values({
        token_hash: tokenHash(token),
        member_id: step.memberId ?? null,
        purpose: step.purpose,
        detail: step.detail ?? '',
        next: step.next,
        attempts: 0,
        expires_ms: nowMs + STEP_SECONDS * 1000,
      })
      .execute();
  });
  return token;
}

/** Undefined unless the token names a step of that purpose that is not over. */
export async function findStep(
  world: StepWorld,
  token: string,
  purpose: StepPurpose,
): Promise<Step | undefined> {
  if (!isToken(token)) return undefined;
  const row = await world.sql
    .read<StepTables>()
    .selectFrom('sign_in_step')
    .selectAll()
    .where('token_hash', '=', tokenHash(token))
    .where('purpose', '=', purpose)
    .where('expires_ms', '>', world.clock.nowMs())
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { detail, next } = row;
  return { token, purpose, detail, next, memberId: row.member_id ?? undefined };
}

/** Counts an attempt; false, and the step is over, when there were enough. */
export async function countAttempt(world: StepWorld, step: Step): Promise<boolean> {
  return await world.sql.transaction<StepTables, boolean>(async (transaction) => {
    const own = tokenHash(step.token);
    const { numUpdatedRows } = await transaction
      .updateTable('sign_in_step')
      .set((of) => ({ attempts: of('attempts', '+', 1) }))
      .where('token_hash', '=', own)
      .where('attempts', '<', ATTEMPTS_MAX)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows > 0n) return true;
    await transaction.deleteFrom('sign_in_step').where('token_hash', '=', own).execute();
    return false;
  });
}

/** False when somebody else ended it first. */
export async function endStep(world: StepWorld, step: Step): Promise<boolean> {
  return await world.sql.transaction<StepTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('sign_in_step')
      .where('token_hash', '=', tokenHash(step.token))
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}
