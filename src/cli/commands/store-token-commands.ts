// `swarmkeep store token …`: tokens by which programs use the store, or the API, for a member.

import { type Item, listOf, numberOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import { isPermission, PERMISSIONS } from '#site/permissions.ts';

export const storeTokenAdd: RoomsCommand = {
  name: 'store-token add',
  summary: 'Make a token for a program that uses store or API as this member. It is shown once.',
  example: 'swarmkeep store-token add alice --label "backup of the studio"',
  declare: (commander) =>
    commander
      .argument('<member>', 'A member with the permission to use the store.')
      .option('--label <label>', 'What it is for.', '')
      .option(
        '--scope <permission>',
        'What it may; may be repeated. The store alone unless given.',
        (value: string, before: string[] = []) => [...before, value],
      ),
  prepare({ args, options }) {
    const scopes = (options['scope'] as readonly string[] | undefined) ?? ['store'];
    const unknown = scopes.find((scope) => !isPermission(scope));
    if (unknown !== undefined) {
      const known = Object.keys(PERMISSIONS).join(', ');
      throw new CliError('CLI_USAGE', `"${unknown}" is no permission; there are ${known}`);
    }
    return { member: args[0] ?? '', label: String(options['label']), scopes };
  },
  async run(rooms, input, output) {
    const { addApiToken, TOKEN_SCOPES } = await import('#site/accounts/api-tokens.ts');
    const { roleBookOf } = await import('#cli/site-parts.ts');
    const member = textOf(input, 'member');
    const label = textOf(input, 'label');
    const { findMember } = await import('#site/accounts/members.ts');
    const found = await findMember(rooms.sql, member);
    if (found === undefined) throw new CliError('CLI_NOT_FOUND', `There is no member "${member}"`);
    const roles = await roleBookOf(rooms).current();
    const scopes = TOKEN_SCOPES.filter((scope) => listOf(input, 'scopes').includes(scope));
    const made = accepted(await addApiToken(rooms, roles, { member, label, scopes }));
    output.item({ member: made.member, label, token: made.token });
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
    for (const { expiresMs, usedMs, scopes, ...token } of await listApiTokens(rooms.sql)) {
      output.item({
        ...token,
        scopes: [...scopes],
        ...(expiresMs === undefined ? {} : { expiresMs }),
        ...(usedMs === undefined ? {} : { usedMs }),
      } satisfies Item);
    }
  },
  text: (item) => `${item['id']}  ${item['member']}  ${item['scopes']}  ${item['label']}`,
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
