// `swarmkeep member of-key`: whose .torrent file somebody found; `swarmkeep passkey import`: members who
// bring the passkeys of another tracker.

import { readFileSync } from 'node:fs';
import { codeOf } from '#base/errors.ts';
import { type Item, listOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { linesOf, readLines } from '#cli/standard-input.ts';

export const memberOfKey: RoomsCommand = {
  name: 'member of-key',
  summary: 'Whose download key this is or was: the part before /announce in a .torrent.',
  example: 'swarmkeep member of-key 3q2-7w8xVQvGJk0aXc1dEfGhIjKlMnOp',
  readOnly: true,
  declare: (commander) => commander.argument('<key>', 'The key, or the whole announce URL.'),
  prepare: (words) => ({ key: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const { findDownloadKey } = await import('#site/accounts/download-keys.ts');
    const { findMemberById } = await import('#site/accounts/members.ts');
    const { torrentNames } = await import('#site/accounts/history.ts');
    const typed = textOf(input, 'key');
    const text = /\/([\w-]+)\/announce/.exec(typed)?.[1] ?? typed;
    const key = await findDownloadKey(rooms.sql, text);
    if (key === undefined) throw new CliError('CLI_NOT_FOUND', `No download had the key "${text}"`);
    const member = await findMemberById(rooms.sql, key.memberId);
    const torrent = (await torrentNames(rooms.sql, [key.torrentId])).get(key.torrentId);
    output.item({
      member: member?.name ?? '',
      memberId: key.memberId,
      torrent: torrent?.title ?? '',
      torrentId: key.torrentId,
      createdMs: key.createdMs,
      state: key.revokedMs === undefined ? 'active' : 'revoked',
    });
  },
  text: (item) => `${item['member']}  ${item['torrent']}  ${item['state']}`,
};

export const passkeyImport: RoomsCommand = {
  name: 'passkey import',
  summary:
    'Take over passkeys of another tracker: all lines of `name,passkey`, or none and what is wrong.',
  example: 'swarmkeep passkey import passkeys.csv',
  declare: (commander) =>
    commander.argument('<file>', 'CSV of `name,passkey`, a member a line; `-` is standard input.'),
  async prepare(words) {
    const path = words.args[0] ?? '';
    return { lines: path === '-' ? await readLines() : linesOf(readKeys(path)) };
  },
  async run(rooms, input, output) {
    const { importPasskeys } = await import('#site/accounts/import-passkeys.ts');
    const { accountsOf } = await import('#cli/site-parts.ts');
    const result = await importPasskeys(accountsOf(rooms), listOf(input, 'lines'));
    if ('imported' in result) {
      output.item({ ...result, problems: [] });
      return;
    }
    const problems = result.problems.map((one): Item => ({ ...one }));
    output.item({ imported: 0, unchanged: 0, problems });
    throw new CliError('CLI_FOUND_DAMAGE', `${problems.length} lines are wrong`);
  },
  text(item) {
    const problems = item['problems'] as Item[];
    if (problems.length === 0) {
      return `${item['imported']} passkeys are taken over, ${item['unchanged']} were there already`;
    }
    const lines = problems.map((one) => `line ${one['line']}: ${one['problem']}`);
    return [...lines, 'Nothing was taken over.'].join('\n');
  },
};

/** @throws CliError CLI_NOT_FOUND */
function readKeys(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CliError('CLI_NOT_FOUND', `Cannot read "${path}": ${codeOf(cause)}`, { cause });
  }
}
