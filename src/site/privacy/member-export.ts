// Everything that the system holds on a member, as one JSON document: the account, every table of
// held-data.ts, and every announce in the log. It is made piece by piece, so that a member of many
// years costs no more memory than a new one.

import { memberAnnounces } from '#accounting/member-announces.ts';
import { TRANSFER_EVENT, type TransferRecord } from '#accounting/transfers/transfer-record.ts';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#log/log.ts';
import { formatIp } from '#net/ip-address.ts';
import { findMemberById, type Member } from '#site/accounts/members.ts';
import type { Sql } from '#sql/sql.ts';
import { type AnyTables, HELD_TABLES, heldRows } from './held-data.ts';

export interface ExportWorld {
  readonly sql: Sql;
  readonly log: Pick<Log, 'read' | 'stats'>;
  readonly clock: Clock;
}

export interface ExportOptions {
  readonly signal?: AbortSignal;
  /** Records of the log that were looked through, of how many. */
  progress?(done: number, total: number): void;
}

const FORMAT = 'swarmkeep-member-export';
const VERSION = 1;
const DOORS = ['udp', 'http', 'websocket'] as const;
const EVENTS = new Map<number, string>(
  Object.entries(TRANSFER_EVENT).map(([name, number]) => [number, name]),
);

/** Pieces of the document, each of complete lines. Times are Unix milliseconds, ids are this site's. */
export async function* exportMember(
  world: ExportWorld,
  member: Member,
  options: ExportOptions = {},
): AsyncGenerator<string> {
  const account = await accountOf(world.sql, member);
  const head = { format: FORMAT, version: VERSION, madeMs: world.clock.nowMs(), account };
  yield JSON.stringify(head, null, 1).replace(/\n\}$/, '');
  const reading = world.sql.read<AnyTables>();
  for (const held of HELD_TABLES) {
    yield* list(held.section, heldRows(reading, held, member.id));
  }
  yield* list('announces', announces(world, member.id, options));
  yield '\n}\n';
}

async function accountOf(sql: Sql, member: Member) {
  const { id, name, role, state, reason, createdMs, seenMs, mayLeech, isProtected } = member;
  const inviter =
    member.invitedBy === undefined ? undefined : await findMemberById(sql, member.invitedBy);
  return {
    ...{ id, name, role, state, reason, createdMs, seenMs, mayLeech, isProtected },
    invitedBy: inviter?.name,
  };
}

async function* list(name: string, items: AsyncIterable<unknown>): AsyncGenerator<string> {
  yield `,\n ${JSON.stringify(name)}: [`;
  let isFirst = true;
  for await (const item of items) {
    yield `${isFirst ? '' : ','}\n  ${JSON.stringify(item)}`;
    isFirst = false;
  }
  yield isFirst ? ']' : '\n ]';
}

async function* announces(
  world: ExportWorld,
  memberId: number,
  options: ExportOptions,
): AsyncGenerator<object> {
  for await (const record of memberAnnounces(world.log, memberId, options))
    yield announceOf(record);
}

function announceOf(record: TransferRecord) {
  const { torrentId, timeMs, event, door, family, port, left } = record;
  return {
    timeMs,
    torrentId,
    event: EVENTS.get(event),
    door: DOORS[door],
    ...(family === 0 ? {} : { address: formatIp(record.address, family), port }),
    peerId: toHex(record.peerId),
    key: record.key,
    uploadedBytes: record.uploaded,
    downloadedBytes: record.downloaded,
    leftBytes: left === Number.MAX_SAFE_INTEGER ? undefined : left,
    countedUploadedBytes: record.uploadedDelta,
    countedDownloadedBytes: record.downloadedDelta,
  };
}
