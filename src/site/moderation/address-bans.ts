// Networks that are let in nowhere: the site asks `AddressBans` for each request, the trackers are told
// of each ban by the topic `control`. Both answer with the reason.

import type { Selectable } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { parseIp } from '#net/ip-address.ts';
import { formatNetwork, NetworkTable, parseNetwork } from '#net/networks.ts';
import { Refusal } from '#site/refusal.ts';
import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { AddressBanMessage } from '#wire/control-message.ts';
import type { ModerationTables } from './moderation-tables.ts';

export interface AddressBan {
  readonly id: number;
  readonly network: string;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number | undefined;
  readonly bannedBy: number;
}

export interface NewAddressBan {
  /** As typed. */
  readonly network: string;
  readonly reason: string;
  readonly bannedBy: number;
  readonly untilMs: number | undefined;
  /** Of who bans: nobody locks themselves out. */
  readonly ownAddress: string;
}

export interface BansWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  /** Wakes the outbox relay after a commit. */
  changed(): void;
}

/** More would be a list that some other program should keep, in front of this one. */
export const ADDRESS_BANS_MAX = 5000;
const REASON_CHARS_MAX = 200;
const AGE_MS_MAX = 1000;
/** Wider networks are most of a country, or the work of a slip. */
const PREFIX_BITS_MIN = { 4: 8, 6: 16 } as const;

export class AddressBans {
  readonly #world: Pick<BansWorld, 'sql' | 'clock'>;
  #table = new NetworkTable<AddressBan>();
  #readAtMs = Number.NEGATIVE_INFINITY;
  readonly #address = new Uint8Array(16);

  constructor(world: Pick<BansWorld, 'sql' | 'clock'>) {
    this.#world = world;
  }

  /** The ban that an address falls under; read from SQL at most once a second. */
  async find(address: string): Promise<AddressBan | undefined> {
    const { sql, clock } = this.#world;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#readAtMs >= AGE_MS_MAX) {
      this.#readAtMs = nowMs;
      const bans = await listAddressBans(sql);
      const table = new NetworkTable<AddressBan>();
      for (const ban of bans) {
        const network = parseNetwork(ban.network);
        if (network !== undefined) table.set(network, ban);
      }
      this.#table = table;
    }
    if (this.#table.size === 0) return undefined;
    const family = parseIp(address, this.#address);
    return family === 0 ? undefined : this.#table.find(this.#address, family);
  }

  /** The next request reads again; call it after a change. */
  forget(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY;
  }
}

/** Those in force, the newest first. */
export async function listAddressBans(sql: Sql): Promise<readonly AddressBan[]> {
  const rows = await sql
    .read<ModerationTables>()
    .selectFrom('address_ban')
    .selectAll()
    .where('ended_ms', 'is', null)
    .orderBy('id', 'desc')
    .limit(ADDRESS_BANS_MAX)
    .execute();
  return rows.map(banOf);
}

/** In force at the site at once and at the trackers within a second. */
export async function banAddress(
  world: BansWorld,
  asked: NewAddressBan,
): Promise<AddressBan | Refusal> {
  const network = parseNetwork(asked.network);
  if (network === undefined) {
    const words = 'An address or a network is needed, such as 203.0.113.7 or 2001:db8::/32.';
    return new Refusal('network-invalid', words, 'network');
  }
  const { family, prefixBits } = network;
  if (prefixBits < PREFIX_BITS_MIN[family]) {
    const words = `A prefix has at least ${PREFIX_BITS_MIN[family]} bits: this would be half the world.`;
    return new Refusal('network-wide', words, 'network');
  }
  if (isIn(network, asked.ownAddress)) {
    return new Refusal('network-own', 'You are in this network yourself.', 'network');
  }
  const reason = asked.reason.replaceAll(/\s+/g, ' ').trim();
  if (reason.length > REASON_CHARS_MAX) {
    const words = `A reason has at most ${REASON_CHARS_MAX} characters; it is shown in clients.`;
    return new Refusal('reason-long', words, 'reason');
  }
  const text = formatNetwork(network);
  const made = await world.sql.transaction<ModerationTables, AddressBan | Refusal>(
    async (transaction) => {
      const open = await transaction
        .selectFrom('address_ban')
        .select(['network'])
        .where('ended_ms', 'is', null)
        .limit(ADDRESS_BANS_MAX)
        .execute();
      if (open.some((row) => row.network === text)) {
        return new Refusal('network-banned', `${text} is banned already.`, 'network');
      }
      if (open.length >= ADDRESS_BANS_MAX) {
        const words = `${ADDRESS_BANS_MAX} networks are banned; end one first.`;
        return new Refusal('networks-full', words, 'network');
      }
      const row = await transaction
        .insertInto('address_ban')
        .values({
          ...{ network: text, reason, banned_by: asked.bannedBy, ended_ms: null },
          from_ms: world.clock.nowMs(),
          until_ms: asked.untilMs ?? null,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      const ban = banOf(row);
      await enqueue(transaction, messageOf(ban, 'active'));
      return ban;
    },
  );
  if (!(made instanceof Refusal)) world.changed();
  return made;
}

/** Undefined when it is over already. */
export async function endAddressBan(world: BansWorld, id: number): Promise<AddressBan | undefined> {
  const [ended] = await endWhere(world, { id });
  return ended;
}

/** Those whose time is over. */
export async function endOldAddressBans(world: BansWorld): Promise<number> {
  return (await endWhere(world, { untilMs: world.clock.nowMs() })).length;
}

async function endWhere(
  world: BansWorld,
  which: { readonly id: number } | { readonly untilMs: number },
): Promise<readonly AddressBan[]> {
  const ended = await world.sql.transaction<ModerationTables, readonly AddressBan[]>(
    async (transaction) => {
      const query = transaction
        .updateTable('address_ban')
        .set({ ended_ms: world.clock.nowMs() })
        .where('ended_ms', 'is', null);
      const rows = await ('id' in which
        ? query.where('id', '=', which.id)
        : query.where('until_ms', '<=', which.untilMs)
      )
        .returningAll()
        .execute();
      const bans = rows.map(banOf);
      await enqueue(
        transaction,
        bans.map((ban) => messageOf(ban, 'removed')),
      );
      return bans;
    },
  );
  if (ended.length > 0) world.changed();
  return ended;
}

/** Tells the trackers about every ban again; for when the log and the database went apart. */
export async function enqueueAllAddressBans(sql: Sql): Promise<void> {
  await sql.transaction<ModerationTables, void>(async (transaction) => {
    const bans = await listAddressBans(sql);
    await enqueue(
      transaction,
      bans.map((ban) => messageOf(ban, 'active')),
    );
  });
}

function isIn(network: NonNullable<ReturnType<typeof parseNetwork>>, address: string): boolean {
  const table = new NetworkTable<true>();
  table.set(network, true);
  const bytes = new Uint8Array(16);
  const family = parseIp(address, bytes);
  return family !== 0 && table.find(bytes, family) === true;
}

function banOf(row: Selectable<ModerationTables['address_ban']>): AddressBan {
  return {
    id: row.id,
    network: row.network,
    reason: row.reason,
    fromMs: row.from_ms,
    untilMs: row.until_ms ?? undefined,
    bannedBy: row.banned_by,
  };
}

function messageOf(ban: AddressBan, state: AddressBanMessage['state']): AddressBanMessage {
  const { id: banId, network, reason } = ban;
  return { kind: 'address-ban', banId, network, reason, state };
}
