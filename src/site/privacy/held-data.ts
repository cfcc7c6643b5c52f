// Everything that SQL holds on a member, table by table: what an export tells of it, and what an
// erasure does to it. A table with a column that names a member and that does not stand here fails a
// test, so that none is forgotten.

import type { Kysely, Transaction } from 'kysely';

export interface HeldTable {
  /** As the export calls it. */
  readonly section: string;
  readonly table: string;
  /** The column that names the member. */
  readonly member: string;
  /** Unique among a member's rows; rows come in its order. */
  readonly key: string;
  /** Columns that are not exported: hashes of secrets, and the bytes of files. */
  readonly hidden?: readonly string[];
  /** Columns of JSON. */
  readonly json?: readonly string[];
  readonly erasure: Erasure;
}

/** `keep` says why it may stay: it holds ids and sums, under the pseudonym that the id is then. */
export type Erasure =
  | { readonly kind: 'delete' }
  | { readonly kind: 'blank'; readonly columns: readonly string[] }
  | { readonly kind: 'keep'; readonly why: string };

const DELETE = { kind: 'delete' } as const;
const TOTALS = {
  kind: 'keep',
  why: 'Totals follow from the log and stay under a pseudonym.',
} as const;

export const HELD_TABLES: readonly HeldTable[] = [
  {
    section: 'passkeys',
    table: 'member_key',
    member: 'member_id',
    key: 'passkey',
    erasure: DELETE,
  },
  {
    section: 'downloadKeys',
    table: 'download_key',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  {
    section: 'staffActions',
    table: 'staff_action',
    member: 'member_id',
    key: 'number',
    hidden: ['hash'],
    erasure: { kind: 'keep', why: 'What the staff did stays as it was; names are not in it.' },
  },
  { section: 'warnings', table: 'warning', member: 'member_id', key: 'id', erasure: DELETE },
  {
    section: 'staffNotes',
    table: 'member_note',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  {
    section: 'bookmarks',
    table: 'bookmark',
    member: 'member_id',
    key: 'torrent_id',
    erasure: DELETE,
  },
  { section: 'thanks', table: 'thanks', member: 'member_id', key: 'torrent_id', erasure: DELETE },
  { section: 'collections', table: 'collection', member: 'member_id', key: 'id', erasure: DELETE },
  {
    section: 'requests',
    table: 'request',
    member: 'member_id',
    key: 'id',
    erasure: {
      kind: 'keep',
      why: 'Others put points in, and may fill it; the staff withdraws it.',
    },
  },
  {
    section: 'requestBounties',
    table: 'request_bounty',
    member: 'member_id',
    key: 'request_id',
    erasure: { kind: 'keep', why: 'The points wait for whoever fills the request.' },
  },
  { section: 'comments', table: 'comment', member: 'member_id', key: 'id', erasure: DELETE },
  {
    section: 'commentEdits',
    table: 'comment_edit',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  { section: 'reports', table: 'report', member: 'member_id', key: 'id', erasure: DELETE },
  {
    section: 'feedKey',
    table: 'feed_key',
    member: 'member_id',
    key: 'key',
    hidden: ['key_hash'],
    erasure: DELETE,
  },
  {
    section: 'webSeed',
    table: 'archive_traffic',
    member: 'member_id',
    key: 'torrent_id',
    erasure: DELETE,
  },
  {
    section: 'freeBytes',
    table: 'ledger_free',
    member: 'member_id',
    key: 'torrent_id',
    erasure: TOTALS,
  },
  {
    section: 'keepers',
    table: 'archive_keeper',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash', 'seal_key'],
    erasure: DELETE,
  },
  {
    section: 'sessions',
    table: 'session',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash'],
    erasure: DELETE,
  },
  {
    section: 'apiTokens',
    table: 'api_token',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash'],
    erasure: DELETE,
  },
  {
    section: 'secondFactor',
    table: 'second_factor',
    member: 'member_id',
    key: 'member_id',
    hidden: ['secret'],
    erasure: DELETE,
  },
  {
    section: 'recoveryCodes',
    table: 'recovery_code',
    member: 'member_id',
    key: 'id',
    hidden: ['code_hash'],
    erasure: DELETE,
  },
  {
    section: 'signInKeys',
    table: 'sign_in_key',
    member: 'member_id',
    key: 'id',
    hidden: ['public_key'],
    erasure: DELETE,
  },
  {
    section: 'signInSteps',
    table: 'sign_in_step',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash'],
    erasure: DELETE,
  },
  {
    section: 'privacy',
    table: 'member_privacy',
    member: 'member_id',
    key: 'member_id',
    erasure: DELETE,
  },
  {
    section: 'email',
    table: 'member_email',
    member: 'member_id',
    key: 'member_id',
    erasure: DELETE,
  },
  {
    section: 'accountLinks',
    table: 'account_link',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash'],
    erasure: DELETE,
  },
  {
    section: 'application',
    table: 'application',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash', 'password_hash'],
    erasure: DELETE,
  },
  {
    section: 'invites',
    table: 'invite',
    member: 'member_id',
    key: 'id',
    hidden: ['code_hash'],
    erasure: { kind: 'blank', columns: ['note'] },
  },
  {
    section: 'shares',
    table: 'share',
    member: 'member_id',
    key: 'id',
    hidden: ['token_hash', 'password_hash'],
    erasure: DELETE,
  },
  {
    section: 'savedSearches',
    table: 'saved_search',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  { section: 'notices', table: 'notice', member: 'member_id', key: 'id', erasure: DELETE },
  {
    section: 'creditWindows',
    table: 'credit_window',
    member: 'member_id',
    key: 'id',
    erasure: { kind: 'keep', why: 'Tells why records were credited as they were.' },
  },
  {
    section: 'creditTokens',
    table: 'credit_token',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  {
    section: 'uploadDrafts',
    table: 'upload_draft',
    member: 'member_id',
    key: 'id',
    hidden: ['bytes'],
    erasure: DELETE,
  },
  {
    section: 'uploads',
    table: 'torrent',
    member: 'uploader_id',
    key: 'id',
    hidden: ['info_hash_v1', 'info_hash_v2', 'content_v1', 'content_v2', 'title_key'],
    erasure: { kind: 'keep', why: 'A torrent belongs to the catalogue; remove it there.' },
  },
  {
    section: 'tagChanges',
    table: 'tag_change',
    member: 'member_id',
    key: 'id',
    erasure: { kind: 'keep', why: 'What the staff did stays as it was; names are not in it.' },
  },
  {
    section: 'torrentChanges',
    table: 'torrent_change',
    member: 'member_id',
    key: 'id',
    json: ['details'],
    erasure: { kind: 'keep', why: 'It tells what became of a torrent; no name is in it.' },
  },
  {
    section: 'standing',
    table: 'member_standing',
    member: 'member_id',
    key: 'member_id',
    json: ['verdict'],
    erasure: DELETE,
  },
  {
    section: 'standingEvents',
    table: 'standing_event',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  {
    section: 'class',
    table: 'member_class',
    member: 'member_id',
    key: 'member_id',
    erasure: DELETE,
  },
  {
    section: 'classEvents',
    table: 'class_event',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  {
    section: 'cheatSignals',
    table: 'cheat_signal',
    member: 'member_id',
    key: 'id',
    json: ['evidence'],
    erasure: DELETE,
  },
  {
    section: 'bonusBalance',
    table: 'bonus_balance',
    member: 'member_id',
    key: 'member_id',
    erasure: DELETE,
  },
  {
    section: 'bonusEntries',
    table: 'bonus_entry',
    member: 'member_id',
    key: 'id',
    erasure: DELETE,
  },
  {
    section: 'bonusSeeding',
    table: 'bonus_seeding',
    member: 'member_id',
    key: 'torrent_id',
    erasure: DELETE,
  },
  {
    section: 'totals',
    table: 'ledger_member',
    member: 'member_id',
    key: 'member_id',
    erasure: TOTALS,
  },
  { section: 'days', table: 'ledger_day', member: 'member_id', key: 'day', erasure: TOTALS },
  {
    section: 'transfers',
    table: 'ledger_transfer',
    member: 'member_id',
    key: 'torrent_id',
    erasure: TOTALS,
  },
];

/** A table of which only names are known here. */
export type AnyTables = Record<string, Record<string, unknown>>;

const ROWS_AT_ONCE = 500;

/** A member's rows of one table, as the export shows them. */
export async function* heldRows(
  reading: Kysely<AnyTables>,
  held: HeldTable,
  memberId: number,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const { table, member, key } = held;
  for (let after: unknown; ; ) {
    let query = reading
      .selectFrom(table)
      .selectAll()
      .where(member, '=', memberId)
      .orderBy(key)
      .limit(ROWS_AT_ONCE);
    if (after !== undefined) query = query.where(key, '>', after);
    const rows: Record<string, unknown>[] = await query.execute();
    for (const row of rows) yield shown(row, held);
    if (rows.length < ROWS_AT_ONCE) return;
    after = rows.at(-1)?.[key];
  }
}

function shown(
  row: Readonly<Record<string, unknown>>,
  { member, hidden = [], json = [] }: HeldTable,
): Record<string, unknown> {
  const item: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row)) {
    if (column === member || hidden.includes(column)) continue;
    const name = column.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    item[name] = json.includes(column) ? JSON.parse(String(value)) : value;
  }
  return item;
}

/** Does to every table what stands above. */
export async function eraseHeld<Tables>(
  transaction: Transaction<Tables>,
  memberId: number,
): Promise<void> {
  const tables = transaction as unknown as Transaction<AnyTables>;
  for (const { table, member, erasure } of HELD_TABLES) {
    if (erasure.kind === 'delete') {
      await tables.deleteFrom(table).where(member, '=', memberId).execute();
    } else if (erasure.kind === 'blank') {
      const blank = Object.fromEntries(erasure.columns.map((column) => [column, '']));
      await tables.updateTable(table).set(blank).where(member, '=', memberId).execute();
    }
  }
}
