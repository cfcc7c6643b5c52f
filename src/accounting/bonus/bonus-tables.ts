// The tables of bonus points: every grant and spending there ever was, and each member's balance, which
// is always their sum. Points are kept in thousandths, as whole numbers, so that sums are exact.

import { sql, type Transaction } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Dialect } from '#sql/sql.ts';

export interface BonusTables {
  bonus_entry: {
    id: number;
    member_id: number;
    /** Unix milliseconds. */
    at_ms: number;
    /** Thousandths of a point; spendings are negative. */
    milli_points: number;
    kind: string;
    /** Of two entries with the same, a member gets the first. */
    once: string;
  };
  bonus_balance: { member_id: number; milli_points: number };
  /** How much of a member's seed time of a torrent was looked at: what is over it is paid. */
  bonus_seeding: { member_id: number; torrent_id: number; paid_seconds: number };
}

export async function createBonusTables(
  transaction: Transaction<Record<string, never>>,
  dialect: Dialect,
): Promise<void> {
  await sql`create table bonus_entry (
    id ${idType(dialect)},
    member_id bigint not null,
    at_ms bigint not null,
    milli_points bigint not null,
    kind text not null,
    once text not null,
    unique (member_id, once)
  )`.execute(transaction);
  await sql`create table bonus_balance (
    member_id bigint not null primary key,
    milli_points bigint not null
  )`.execute(transaction);
}

/** Seed time of before is paid already. */
export async function createBonusSeeding(
  transaction: Transaction<Record<string, never>>,
): Promise<void> {
  await sql`create table bonus_seeding (
    member_id bigint not null,
    torrent_id bigint not null,
    paid_seconds bigint not null,
    primary key (member_id, torrent_id)
  )`.execute(transaction);
  await sql`insert into bonus_seeding (member_id, torrent_id, paid_seconds)
    select member_id, torrent_id, seed_seconds from ledger_transfer
    where seed_seconds > 0 and member_id > 0`.execute(transaction);
}
