// Passkeys of members who come from another tracker, so that what is in their clients goes on working:
// lines of `name,passkey`, each replacing the passkey of the member of that name. All of them are taken
// over in one transaction, or none is and every line that is wrong is named.

import type { Transaction } from 'kysely';
import { passkey as asPasskey } from '#base/ids.ts';
import { enqueue } from '#sql/outbox.ts';
import type { AccountTables } from './account-tables.ts';
import { type AccountsWorld, memberOf, messageOf, nameKey, selectMembers } from './members.ts';

/** Shorter ones could be guessed by trying; 20 hexadecimal digits and more are usual. */
export const IMPORTED_LENGTH = { min: 16, max: 64 } as const;
export const IMPORT_LINES_MAX = 100_000;
/** Problems that are told; a file that is wrong from end to end need not be repeated. */
const PROBLEMS_MAX = 1000;
const ROWS_AT_ONCE = 500;

export interface ImportProblem {
  /** From 1. */
  readonly line: number;
  /** A sentence. It shows no passkey. */
  readonly problem: string;
}

export type PasskeyImport =
  | { readonly imported: number; readonly unchanged: number }
  | { readonly problems: readonly ImportProblem[] };

interface Wanted {
  readonly line: number;
  readonly name: string;
  readonly passkey: string;
}

/** In force at every tracker within a second after this resolves. @throws SqlError */
export async function importPasskeys(
  world: AccountsWorld,
  lines: readonly string[],
): Promise<PasskeyImport> {
  const { wanted, problems } = parseLines(lines);
  const result = await world.sql.transaction<AccountTables, PasskeyImport>(async (transaction) => {
    // Looked at even when lines are wrong already: all that is wrong is told at once.
    const known = await findMembers(transaction, wanted, problems);
    await findTaken(transaction, known, problems);
    if (problems.length > 0) {
      problems.sort((one, other) => one.line - other.line);
      return { problems: problems.slice(0, PROBLEMS_MAX) };
    }
    const changed = [...known.values()].filter(({ isSame }) => !isSame);
    await replaceKeys(transaction, changed, world.clock.nowMs());
    return { imported: changed.length, unchanged: known.size - changed.length };
  });
  if ('imported' in result && result.imported > 0) world.changed();
  return result;
}

function parseLines(lines: readonly string[]): { wanted: Wanted[]; problems: ImportProblem[] } {
  const wanted: Wanted[] = [];
  const problems: ImportProblem[] = [];
  const names = new Map<string, number>();
  const keys = new Map<string, number>();
  if (lines.length > IMPORT_LINES_MAX) {
    const problem = `There are more than ${IMPORT_LINES_MAX} lines; import them in parts.`;
    return { wanted, problems: [{ line: IMPORT_LINES_MAX + 1, problem }] };
  }
  for (const [at, text] of lines.entries()) {
    const line = at + 1;
    // A header as spreadsheets write it, and a byte order mark before it.
    const fields = text
      .replace(/^\uFEFF/, '')
      .split(',')
      .map(unquoted);
    if (text.trim() === '' || (at === 0 && fields.join() === 'name,passkey')) continue;
    const [name = '', passkey = ''] = fields;
    const problem =
      fields.length !== 2 || name === ''
        ? 'It is not `name,passkey`.'
        : (keyProblem(passkey) ??
          repeated(names.get(nameKey(name)), 'name') ??
          repeated(keys.get(passkey), 'passkey'));
    if (problem !== undefined) problems.push({ line, problem });
    else wanted.push({ line, name, passkey });
    if (!names.has(nameKey(name))) names.set(nameKey(name), line);
    if (!keys.has(passkey)) keys.set(passkey, line);
  }
  return { wanted, problems };
}

function unquoted(field: string): string {
  const text = field.trim();
  return /^".*"$/.test(text) ? text.slice(1, -1).trim() : text;
}

function keyProblem(passkey: string): string | undefined {
  const { min, max } = IMPORTED_LENGTH;
  if (passkey.length < min || passkey.length > max) {
    return `The passkey has ${passkey.length} characters; expected ${min} to ${max}.`;
  }
  if (asPasskey(passkey) !== undefined) return undefined;
  return 'The passkey has other characters than A to Z, a to z, 0 to 9, "-" and "_".';
}

function repeated(line: number | undefined, what: string): string | undefined {
  return line === undefined ? undefined : `The ${what} is in line ${line} as well.`;
}

interface Known extends Wanted {
  readonly memberId: number;
  /** The member has this passkey already. */
  readonly isSame: boolean;
}

async function findMembers(
  transaction: Transaction<AccountTables>,
  wanted: readonly Wanted[],
  problems: ImportProblem[],
): Promise<ReadonlyMap<string, Known>> {
  const known = new Map<string, Known>();
  for (const part of parts(wanted)) {
    const rows = await selectMembers(transaction)
      .where(
        'member.name_key',
        'in',
        part.map(({ name }) => nameKey(name)),
      )
      .where('member.state', '!=', 'removed')
      .execute();
    const byName = new Map(rows.map((row) => [row.name_key, memberOf(row)]));
    for (const each of part) {
      const member = byName.get(nameKey(each.name));
      if (member === undefined) {
        problems.push({ line: each.line, problem: `No member is called "${each.name}".` });
        continue;
      }
      const isSame = member.passkey === each.passkey;
      known.set(each.passkey, { ...each, memberId: member.id, isSame });
    }
  }
  return known;
}

/** A key names one member, or one download, for good. */
async function findTaken(
  transaction: Transaction<AccountTables>,
  known: ReadonlyMap<string, Known>,
  problems: ImportProblem[],
): Promise<void> {
  for (const part of parts([...known.values()].filter(({ isSame }) => !isSame))) {
    const keys = part.map(({ passkey }) => passkey);
    const passkeys = await transaction
      .selectFrom('member_key')
      .select('passkey as key')
      .where('passkey', 'in', keys)
      .execute();
    const downloads = await transaction
      .selectFrom('download_key')
      .select('key')
      .where('key', 'in', keys)
      .execute();
    for (const { key } of [...passkeys, ...downloads]) {
      const line = known.get(key)?.line ?? 0;
      problems.push({ line, problem: 'The passkey is in use here already.' });
    }
  }
}

async function replaceKeys(
  transaction: Transaction<AccountTables>,
  changed: readonly Known[],
  nowMs: number,
): Promise<void> {
  for (const part of parts(changed)) {
    const ids = part.map(({ memberId }) => memberId);
    await transaction.deleteFrom('member_key').where('member_id', 'in', ids).execute();
    await transaction
      .insertInto('member_key')
      .values(
        part.map(({ passkey, memberId }) => ({ passkey, member_id: memberId, created_ms: nowMs })),
      )
      .execute();
    const rows = await selectMembers(transaction).where('member.id', 'in', ids).execute();
    await enqueue(
      transaction,
      rows.map((row) => messageOf(memberOf(row))),
    );
  }
}

function* parts<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += ROWS_AT_ONCE) yield items.slice(at, at + ROWS_AT_ONCE);
}
