// A member's second factor: the secret of their app and the recovery codes for when it is lost. Failed
// attempts are counted in SQL, so that they are bounded over all nodes and restarts together.

import type { Generated, Transaction } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { tokenHash } from '#site/accounts/sessions.ts';
import { tellOwner } from '#site/notices/tell-owner.ts';
import { Refusal } from '#site/refusal.ts';
import { dialectOf } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import { base32, matchingStep, TOTP_SECRET_BYTES } from './totp.ts';

const RECOVERY_CODES = 10;
/** 60 random bits each. */
const RECOVERY_BYTES = 8;
const RECOVERY_CODE = /^[A-Z2-7]{12}$/;
/** Of codes tried and not right, by member. At this rate guessing one takes years. */
const FAILURES_MAX = 20;
const FAILURES_PERIOD_MS = 3_600_000;

export interface SecondFactorTables extends AccountTables {
  second_factor: {
    member_id: number;
    secret: Uint8Array;
    /** 0 until a first code showed that the app has the secret. */
    is_on: number;
    /** Of the last code that was taken. */
    last_step: number;
    failures: number;
    failures_from_ms: number;
    created_ms: number;
  };
  recovery_code: {
    id: Generated<number>;
    member_id: number;
    code_hash: Uint8Array;
    used_ms: number | null;
  };
}

export interface SecondFactorWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
}

export type SecondFactorState =
  | { readonly kind: 'off' }
  | { readonly kind: 'begun'; readonly secret: Uint8Array }
  | { readonly kind: 'on'; readonly sinceMs: number; readonly codesLeft: number };

export async function secondFactorOf(sql: Sql, memberId: number): Promise<SecondFactorState> {
  const reading = sql.read<SecondFactorTables>();
  const row = await reading
    .selectFrom('second_factor')
    .selectAll()
    .where('member_id', '=', memberId)
    .executeTakeFirst();
  if (row === undefined) return { kind: 'off' };
  if (row.is_on === 0) return { kind: 'begun', secret: row.secret };
  const { rows } = await reading
    .selectFrom('recovery_code')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .where('member_id', '=', memberId)
    .where('used_ms', 'is', null)
    .executeTakeFirstOrThrow();
  return { kind: 'on', sinceMs: row.created_ms, codesLeft: rows };
}

/** A new secret, which asks for nothing until it is confirmed. One that is on stays as it is. */
export async function beginSecondFactor(
  { sql, clock, random }: SecondFactorWorld,
  memberId: number,
): Promise<void> {
  await sql.transaction<SecondFactorTables, void>(async (transaction) => {
    await transaction
      .deleteFrom('second_factor')
      .where('member_id', '=', memberId)
      .where('is_on', '=', 0)
      .execute();
    await transaction
      .insertInto('second_factor')
      .values({
        member_id: memberId,
        secret: random.bytes(TOTP_SECRET_BYTES),
        is_on: 0,
        last_step: 0,
        failures: 0,
        failures_from_ms: 0,
        created_ms: clock.nowMs(),
      })
      .onConflict((conflict) => conflict.column('member_id').doNothing())
      .execute();
  });
}

/** Turns it on with a first code; returns the recovery codes, which are shown once. */
export async function confirmSecondFactor(
  world: SecondFactorWorld,
  memberId: number,
  code: string,
): Promise<readonly string[] | Refusal> {
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<SecondFactorTables, readonly string[] | Refusal>(
    async (transaction) => {
      const wrong = await takeCode(transaction, memberId, { code, nowMs, isOn: 0 });
      if (wrong !== undefined) return wrong;
      await transaction
        .updateTable('second_factor')
        .set({ is_on: 1, created_ms: nowMs })
        .where('member_id', '=', memberId)
        .execute();
      await tellOwner(transaction, nowMs, {
        memberId,
        title: 'Signing in asks for a code now',
        body: 'The codes of your app are asked for beside your password.',
      });
      return await replaceCodes(transaction, world.random, memberId);
    },
  );
}

/** Undefined when the code is the app's, or a recovery code, which is used up by it. */
export async function useSecondFactor(
  world: Pick<SecondFactorWorld, 'sql' | 'clock'>,
  memberId: number,
  code: string,
): Promise<Refusal | undefined> {
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<SecondFactorTables, Refusal | undefined>((transaction) =>
    takeCode(transaction, memberId, { code, nowMs, isOn: 1 }),
  );
}

async function takeCode(
  transaction: Transaction<SecondFactorTables>,
  memberId: number,
  asked: { readonly code: string; readonly nowMs: number; readonly isOn: 0 | 1 },
): Promise<Refusal | undefined> {
  const { code, nowMs, isOn } = asked;
  const query = transaction
    .selectFrom('second_factor')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('is_on', '=', isOn);
  // Two attempts at once must not both find room under the bound, nor both use one code.
  const locked = dialectOf(transaction) === 'postgres' ? query.forUpdate() : query;
  const row = await locked.executeTakeFirst();
  if (row === undefined) return new Refusal('second-factor-off', 'There is no code to check.');
  const isNewPeriod = nowMs - row.failures_from_ms >= FAILURES_PERIOD_MS;
  const failures = isNewPeriod ? 0 : row.failures;
  if (failures >= FAILURES_MAX) {
    const message = 'Too many wrong codes. Wait an hour, or ask the staff.';
    return new Refusal('second-factor-busy', message, 'code');
  }
  const step = matchingStep(row.secret, code, { nowMs, lastStep: row.last_step });
  const own = transaction.updateTable('second_factor').where('member_id', '=', memberId);
  if (step !== undefined) {
    await own.set({ last_step: step, failures: 0 }).execute();
    return undefined;
  }
  if (isOn === 1 && (await useRecoveryCode(transaction, memberId, asked))) return undefined;
  const failures_from_ms = isNewPeriod ? nowMs : row.failures_from_ms;
  await own.set({ failures: failures + 1, failures_from_ms }).execute();
  const message = 'This is not the code of this moment. Each code works once.';
  return new Refusal('second-factor-wrong', message, 'code');
}

async function useRecoveryCode(
  transaction: Transaction<SecondFactorTables>,
  memberId: number,
  { code, nowMs }: { readonly code: string; readonly nowMs: number },
): Promise<boolean> {
  const plain = code.toUpperCase().replaceAll(/[\s-]/g, '');
  if (!RECOVERY_CODE.test(plain)) return false;
  const { numUpdatedRows } = await transaction
    .updateTable('recovery_code')
    .set({ used_ms: nowMs })
    .where('member_id', '=', memberId)
    .where('code_hash', '=', tokenHash(plain))
    .where('used_ms', 'is', null)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) return false;
  await tellOwner(transaction, nowMs, {
    memberId,
    title: 'A recovery code was used to sign in',
    body: 'If that was not you, sign out everywhere and change your password.',
  });
  return true;
}

/** New recovery codes; those before are void. */
export async function newRecoveryCodes(
  world: SecondFactorWorld,
  memberId: number,
): Promise<readonly string[]> {
  return await world.sql.transaction<SecondFactorTables, readonly string[]>((transaction) =>
    replaceCodes(transaction, world.random, memberId),
  );
}

async function replaceCodes(
  transaction: Transaction<SecondFactorTables>,
  random: Random,
  memberId: number,
): Promise<readonly string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, () =>
    base32(random.bytes(RECOVERY_BYTES)).slice(0, 12),
  );
  await transaction.deleteFrom('recovery_code').where('member_id', '=', memberId).execute();
  const rows = codes.map((code) => ({
    member_id: memberId,
    code_hash: tokenHash(code),
    used_ms: null,
  }));
  await transaction.insertInto('recovery_code').values(rows).execute();
  return codes.map((code) => code.replaceAll(/(.{4})(?=.)/g, '$1-'));
}

/** Signing in asks for the password alone from then on. */
export async function removeSecondFactor(
  transaction: Transaction<SecondFactorTables>,
  memberId: number,
): Promise<void> {
  await transaction.deleteFrom('second_factor').where('member_id', '=', memberId).execute();
  await transaction.deleteFrom('recovery_code').where('member_id', '=', memberId).execute();
}
