// `swarmkeep member of-key`: whose .torrent file somebody found.

import { type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

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
