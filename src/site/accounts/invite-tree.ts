// Who came by whose invites: a member with those they brought in, and those whom these brought in.

import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';

export const TREE_MEMBERS_MAX = 500;
const DEPTH_MAX = 20;
const IDS_AT_ONCE = 500;

export interface InvitedMember {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly invited: readonly InvitedMember[];
}

export interface InviteTree {
  /** Those whom the member brought in, the first ones first. */
  readonly invited: readonly InvitedMember[];
  readonly count: number;
  /** There are more than are shown. */
  readonly isCut: boolean;
}

type Node = Omit<InvitedMember, 'invited'> & { readonly invited: Node[] };

/** Level by level, so that the nearest are there when there are too many. */
export async function inviteTree(sql: Sql, memberId: number): Promise<InviteTree> {
  const root: Node[] = [];
  let level = new Map<number, Node[]>([[memberId, root]]);
  let count = 0;
  for (let depth = 0; depth < DEPTH_MAX && level.size > 0; depth += 1) {
    const rows = await sql
      .read<AccountTables>()
      .selectFrom('member')
      .select(['id', 'name', 'state', 'created_ms', 'invited_by'])
      .where('invited_by', 'in', [...level.keys()].slice(0, IDS_AT_ONCE))
      .orderBy('id')
      .limit(TREE_MEMBERS_MAX - count + 1)
      .execute();
    const next = new Map<number, Node[]>();
    for (const row of rows) {
      if (count >= TREE_MEMBERS_MAX) return { invited: root, count, isCut: true };
      const { id, name, state, created_ms: createdMs } = row;
      const node: Node = { id, name, state, createdMs, invited: [] };
      level.get(row.invited_by ?? 0)?.push(node);
      next.set(id, node.invited);
      count += 1;
    }
    level = next;
  }
  return { invited: root, count, isCut: level.size > 0 };
}
