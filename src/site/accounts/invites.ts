// Invites: a link by which a member brings somebody in. The link carries 256 random bits and is shown
// once; SQL holds their SHA-256. An invite is open until it is used, revoked or expired.

import type { Kysely, Transaction } from 'kysely';
import { Refusal } from '#site/refusal.ts';
import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';
import { lockMember } from './lock-member.ts';
import {
  type AccountsWorld,
  insertMember,
  type Member,
  prepareMember,
  refuseTaken,
} from './members.ts';
import { isToken, newToken, tokenHash } from './sessions.ts';
import { readSettings } from './settings.ts';

export interface InvitesWorld extends AccountsWorld {
  readonly config: { readonly inviteDays: number; readonly invitesOpenMax: number };
}

export interface Invite {
  readonly id: number;
  /** For whom, in the inviter's own words. */
  readonly note: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly state: 'open' | 'used' | 'revoked' | 'expired';
  /** The name of who came by it. */
  readonly usedBy: string | undefined;
}

const DAY_MS = 86_400_000;
const NOTE_LENGTH_MAX = 100;
const LIST_MAX = 200;

/** The code for the link, which is stored nowhere. */
export async function addInvite(
  world: InvitesWorld,
  memberId: number,
  note: string,
): Promise<{ readonly code: string } | Refusal> {
  const words = note.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  if (words.length > NOTE_LENGTH_MAX) {
    return new Refusal('note-long', `A note has at most ${NOTE_LENGTH_MAX} characters.`, 'note');
  }
  const { invitesOpenMax, inviteDays } = world.config;
  const code = newToken(world.random);
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<AccountTables, { code: string } | Refusal>(
    async (transaction) => {
      await lockMember(transaction, memberId);
      if ((await countOpen(transaction, memberId, nowMs)) >= invitesOpenMax) {
        const message = `You have ${invitesOpenMax} open invites; revoke one or wait until one is used.`;
        return new Refusal('invites-full', message, 'note');
      }
      await transaction
        .insertInto('invite')
        .values({
          member_id: memberId,
          code_hash: tokenHash(code),
          note: words,
          created_ms: nowMs,
          expires_ms: nowMs + inviteDays * DAY_MS,
          used_by: null,
          used_ms: null,
          revoked_ms: null,
        })
        .execute();
      return { code };
    },
  );
}

async function countOpen(
  reading: Kysely<AccountTables>,
  memberId: number,
  nowMs: number,
): Promise<number> {
  const row = await reading
    .selectFrom('invite')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .where('member_id', '=', memberId)
    .where('used_by', 'is', null)
    .where('revoked_ms', 'is', null)
    .where('expires_ms', '>', nowMs)
    .executeTakeFirstOrThrow();
  return row.rows;
}

/** A member's own, the newest first. */
export async function listInvites(
  world: Pick<InvitesWorld, 'sql' | 'clock'>,
  memberId: number,
): Promise<readonly Invite[]> {
  const nowMs = world.clock.nowMs();
  const rows = await world.sql
    .read<AccountTables>()
    .selectFrom('invite')
    .leftJoin('member', 'member.id', 'invite.used_by')
    .selectAll('invite')
    .select('member.name as used_name')
    .where('invite.member_id', '=', memberId)
    .orderBy('invite.id', 'desc')
    .limit(LIST_MAX)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    note: row.note,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    state:
      row.used_by !== null
        ? 'used'
        : row.revoked_ms !== null
          ? 'revoked'
          : row.expires_ms <= nowMs
            ? 'expired'
            : 'open',
    usedBy: row.used_name ?? undefined,
  }));
}

/** False when it is none of this member's open ones. */
export async function revokeInvite(
  world: Pick<InvitesWorld, 'sql' | 'clock'>,
  memberId: number,
  id: number,
): Promise<boolean> {
  const result = await world.sql.transaction<AccountTables, { numUpdatedRows: bigint }>(
    (transaction) =>
      transaction
        .updateTable('invite')
        .set({ revoked_ms: world.clock.nowMs() })
        .where('id', '=', id)
        .where('member_id', '=', memberId)
        .where('used_by', 'is', null)
        .where('revoked_ms', 'is', null)
        .executeTakeFirstOrThrow(),
  );
  return result.numUpdatedRows > 0n;
}

/** The name of the inviting member; undefined unless the code opens the door. */
export async function findInviter(
  world: Pick<InvitesWorld, 'sql' | 'clock'>,
  code: string,
): Promise<string | undefined> {
  if (!isToken(code)) return undefined;
  const row = await openInvite(world.sql.read<AccountTables>(), code, world.clock.nowMs());
  return row?.name;
}

/** Signs up where the settings or the code allow it; an invite is used in the same transaction. */
export async function signUp(
  world: InvitesWorld,
  asked: { readonly name: string; readonly password: string; readonly code?: string },
): Promise<Member | Refusal> {
  const { code } = asked;
  const early = await refuseSignUp(world.sql, code);
  if (early !== undefined) return early;
  if (code !== undefined && (await findInviter(world, code)) === undefined) return inviteVoid();
  const prepared = await prepareMember(world, { name: asked.name, password: asked.password });
  if (prepared instanceof Refusal) return prepared;
  const saved = await world.sql
    .transaction<AccountTables, Member | Refusal>(async (transaction) => {
      if (code === undefined) return await insertMember(transaction, prepared);
      const invite = await openInvite(transaction, code, prepared.nowMs);
      if (invite === undefined) return inviteVoid();
      const member = await insertMember(transaction, { ...prepared, invitedBy: invite.member_id });
      const used = await useInvite(transaction, invite.id, member);
      // Two people with one link at the same moment: the second one's member is rolled back.
      if (!used) throw new InviteUsed();
      return member;
    })
    .catch((error: unknown) =>
      error instanceof InviteUsed ? inviteVoid() : refuseTaken(error, asked.name),
    );
  if (!(saved instanceof Refusal)) world.changed();
  return saved;
}

class InviteUsed extends Error {}

async function refuseSignUp(sql: Sql, code: string | undefined): Promise<Refusal | undefined> {
  const { signUpMode } = await readSettings(sql.read<AccountTables>());
  if (signUpMode === 'closed') return new Refusal('sign-up-closed', 'Sign-up is closed here.');
  if (signUpMode !== 'open' && code === undefined) {
    return new Refusal('sign-up-invite', 'Sign-up is by invite only: ask a member for one.');
  }
  return undefined;
}

function inviteVoid(): Refusal {
  const message = 'This invite was used, revoked or has expired; ask for a new one.';
  return new Refusal('invite-void', message);
}

async function openInvite(reading: Kysely<AccountTables>, code: string, nowMs: number) {
  return await reading
    .selectFrom('invite')
    .innerJoin('member', 'member.id', 'invite.member_id')
    .select(['invite.id', 'invite.member_id', 'member.name'])
    .where('invite.code_hash', '=', tokenHash(code))
    .where('invite.used_by', 'is', null)
    .where('invite.revoked_ms', 'is', null)
    .where('invite.expires_ms', '>', nowMs)
    .where('member.state', '=', 'active')
    .executeTakeFirst();
}

async function useInvite(
  transaction: Transaction<AccountTables>,
  id: number,
  member: Member,
): Promise<boolean> {
  const result = await transaction
    .updateTable('invite')
    .set({ used_by: member.id, used_ms: member.createdMs })
    .where('id', '=', id)
    .where('used_by', 'is', null)
    .where('revoked_ms', 'is', null)
    .executeTakeFirstOrThrow();
  return result.numUpdatedRows > 0n;
}
