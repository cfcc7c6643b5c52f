// `swarmkeep keeper …`: who holds copies of what the archive keeps; and `keeper run`, with which a member
// is one.

import { resolve } from 'node:path';
import { bytes } from '#base/field.ts';
import {
  flagOf,
  type Item,
  type LocalCommand,
  numberOf,
  type RoomsCommand,
  textOf,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { readSecret } from '#cli/remote.ts';

const BYTES_DEFAULT = '100 GiB';

function bytesOfWord(word: unknown): number {
  const parsed = bytes({ min: 1 }).safeParse(word);
  if (parsed.success) return parsed.data;
  throw new CliError('CLI_USAGE', `--bytes "${word}" is no size, such as "50 GiB"`);
}

export const keeperAdd: RoomsCommand = {
  name: 'keeper add',
  summary: 'Let a member or another server hold copies. Prints its token, once.',
  example: 'swarmkeep keeper add "alice at home" --member alice --bytes "500 GiB" --sealed',
  declare: (commander) =>
    commander
      .argument('<name>', 'What it is called here.')
      .option('--member <name>', 'Whose it is, who gets the credit; nobody for another server.')
      .option('--bytes <size>', 'What it may be given at most.', BYTES_DEFAULT)
      .option('--sealed', 'Encrypt its copies, so that it cannot read what it holds.'),
  prepare(words) {
    const member = words.options['member'];
    return {
      name: words.args[0] ?? '',
      member: typeof member === 'string' ? member : '',
      bytesMax: bytesOfWord(words.options['bytes']),
      isSealed: words.options['sealed'] === true,
    };
  },
  async run(rooms, input, output) {
    const { addKeeper, isKeeperName } = await import('#archive/keepers/keeper-book.ts');
    const name = textOf(input, 'name');
    if (!isKeeperName(name)) throw new CliError('CLI_USAGE', `"${name}" is no name of a keeper`);
    const bytesMax = numberOf(input, 'bytesMax') ?? 0;
    const isSealed = flagOf(input, 'isSealed');
    const memberId = await memberIdOf(rooms, textOf(input, 'member'));
    const token = await addKeeper(rooms, { name, memberId, bytesMax, isSealed });
    if (token === undefined) throw new CliError('CLI_REFUSED', `"${name}" is a keeper already`);
    output.item({ name, bytesMax, isSealed, token });
  },
  text: (item) => `${item['token']}\nIt is not shown again.`,
};

async function memberIdOf(
  rooms: Parameters<RoomsCommand['run']>[0],
  name: string,
): Promise<number> {
  if (name === '') return 0;
  const { findMember } = await import('#site/accounts/members.ts');
  const member = await findMember(rooms.sql, name);
  if (member === undefined) throw new CliError('CLI_NOT_FOUND', `No member is called "${name}"`);
  return member.id;
}

export const keeperList: RoomsCommand = {
  name: 'keeper list',
  summary: 'List keepers: what they hold, what they proved, and what they failed.',
  example: 'swarmkeep keeper list --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const { listKeepers } = await import('#archive/keepers/keeper-book.ts');
    for (const { sealKey, provenMs, ...keeper } of await listKeepers(rooms.sql)) {
      output.item({ ...keeper, isSealed: sealKey !== null, provenMs: provenMs ?? null });
    }
  },
  text(item) {
    const time = (ms: unknown): string =>
      ms === null || ms === 0 ? 'never' : new Date(Number(ms)).toISOString();
    const failed = item['failedCopies'] === 0 ? '' : `; failed: ${item['failedCopies']}`;
    return `${item['name']}: holds ${item['heldCopies']} files of ${item['heldBytes']} bytes, shall fetch ${item['wantedCopies']}${failed}; the longest unproven since ${time(item['provenMs'])}; last seen ${time(item['seenMs'])}`;
  },
};

export const keeperRemove: RoomsCommand = {
  name: 'keeper rm',
  summary: 'A keeper is one no more: its copies do not count, its token is worth nothing.',
  example: 'swarmkeep keeper rm "alice at home"',
  declare: (commander) => commander.argument('<name>', 'As `keeper list` calls it.'),
  prepare: (words) => ({ name: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const { removeKeeper } = await import('#archive/keepers/keeper-book.ts');
    const name = textOf(input, 'name');
    if (await removeKeeper(rooms.sql, name)) output.item({ name });
    else throw new CliError('CLI_NOT_FOUND', `There is no keeper "${name}"`);
  },
  text: (item) => `"${item['name']}" is no keeper any more`,
};

export const keeperRun: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'keeper run',
  summary:
    'Hold copies for a server and prove it, until Ctrl-C. What was fetched stays for the next time.',
  example: 'swarmkeep keeper run ./held --server https://swarm.example.org --token-file token',
  declare: (commander) =>
    commander
      .argument('<folder>', 'Where the copies lie; one process at a time.')
      .requiredOption('--server <url>', "The site's address.")
      .requiredOption('--token-file <file>', 'The token that `keeper add` printed there.')
      .option('--bytes <size>', 'Room for copies.', BYTES_DEFAULT)
      .option('--once', 'Do what there is to do now, and end.'),
  prepare: (words) => ({
    folder: resolve(words.args[0] ?? ''),
    server: String(words.options['server']),
    tokenFile: String(words.options['tokenFile']),
    bytesMax: bytesOfWord(words.options['bytes']),
    isOnce: words.options['once'] === true,
  }),
  async runLocal(_options, input, output) {
    const server = textOf(input, 'server');
    if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
      throw new CliError('CLI_USAGE', `--server "${server}" is no address, https://…`);
    }
    const { runKeeperIn } = await import('#cli/keeper-folder.ts');
    await runKeeperIn(
      {
        ...{ server, folder: textOf(input, 'folder'), isOnce: flagOf(input, 'isOnce') },
        token: readSecret(textOf(input, 'tokenFile')).trim(),
        bytesMax: numberOf(input, 'bytesMax') ?? 0,
      },
      output,
    );
  },
  text: roundText,
};

function roundText(item: Item): string {
  return `fetched: ${item['fetched']}, proven: ${item['proven']}, given back: ${item['given']}, let go: ${item['dropped']}, refused: ${item['refused']}`;
}
