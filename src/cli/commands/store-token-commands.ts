// `swarmkeep store token …`: tokens by which programs use the store for a member.

import { type Item, numberOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

export const storeTokenAdd: RoomsCommand = {
  name: 'store-token add',
  summary: 'Make a token for a program that uses the store as this member. It is shown once.',
  example: 'swarmkeep store-token add alice --label "backup of the studio"',
  declare: (commander) =>
    commander
      .argument('<member>', 'A member who may use the store: an admin.')
      .option('--label <label>', 'What it is for.', ''),
  prepare: (words) => ({ member: words.args[0] ?? '', label: String(words.options['label']) }),
  async run(rooms, input, output) {
    const { addApiToken } = await import('#site/accounts/api-tokens.ts');
    const { roleMay } = await import('#site/permissions.ts');
    const member = textOf(input, 'member');
    const label = textOf(input, 'label');
    const { findMember } = await import('#site/accounts/members.ts');
    const found = await findMember(rooms.sql, member);
    if (found === undefined) throw new CliError('CLI_NOT_FOUND', `There is no member "${member}"`);
    if (!roleMay(found.role, 'store')) {
      throw new CliError('CLI_REFUSED', `"${member}" may not use the store: only admins may`);
    }
    const made = await addApiToken(rooms, member, label);
    if (made === undefined) throw new CliError('CLI_REFUSED', `"${member}" is not active`);
    output.item({ member: made.holder.name, label, token: made.token });
  },
  text: (item) => `${item['token']}\nIt is not shown again.`,
};

export const storeTokenList: RoomsCommand = {
  name: 'store-token list',
  summary: 'List the tokens, without what they are.',
  example: 'swarmkeep store-token list',
  readOnly: true,
  async run(rooms, _input, output) {
    const { listApiTokens } = await import('#site/accounts/api-tokens.ts');
    for (const token of await listApiTokens(rooms.sql)) output.item({ ...token } satisfies Item);
  },
  text: (item) => `${item['id']}  ${item['member']}  ${item['label']}`,
};

export const storeTokenRemove: RoomsCommand = {
  name: 'store-token rm',
  summary: 'Take a token back. What runs with it ends within seconds.',
  example: 'swarmkeep store-token rm 3',
  declare: (commander) => commander.argument('<id>', 'Its number, as `store-token list` tells.'),
  prepare(words) {
    const id = Number(words.args[0]);
    if (Number.isSafeInteger(id) && id >= 1) return { id };
    throw new CliError('CLI_USAGE', `"${words.args[0]}" is no number of a token`);
  },
  async run(rooms, input, output) {
    const { removeApiToken } = await import('#site/accounts/api-tokens.ts');
    const id = numberOf(input, 'id') ?? 0;
    if (!(await removeApiToken(rooms.sql, id))) {
      throw new CliError('CLI_NOT_FOUND', `There is no token ${id}`);
    }
    output.item({ removed: id });
  },
  text: (item) => `token ${item['removed']} is taken back`,
};
