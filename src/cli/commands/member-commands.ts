// `swarmkeep member …`: accounts from the command line, through the same functions as the site. The
// rooms' code is loaded when a command runs, so that one which the server answers starts fast.

import { type Item, type RoomsCommand, textOf, type Words } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import { passwordFrom } from '#cli/standard-input.ts';
import type { AccountsWorld, Member } from '#site/accounts/members.ts';
import type { Refusal } from '#site/refusal.ts';

const PAGE = 200;

const members = () => import('#site/accounts/members.ts');
const siteParts = () => import('#cli/site-parts.ts');

/** `passkey` and URLs are secrets of the member; the operator may see them. Who is removed has none. */
async function memberItem(rooms: Rooms, member: Member): Promise<Item> {
  const { memberAnnounceUrlsOf } = await siteParts();
  return {
    name: member.name,
    id: member.id,
    role: member.role,
    state: member.state,
    ...(member.reason === '' ? {} : { reason: member.reason }),
    passkey: member.passkey,
    announceUrls:
      member.passkey === '' ? {} : { ...(await memberAnnounceUrlsOf(rooms, member.passkey)) },
    createdMs: member.createdMs,
  };
}

function memberText(item: Item): string {
  const urls = item['announceUrls'] as Item | undefined;
  return [
    `${textOf(item, 'name')}  ${item['role']}  ${item['state']}`,
    ...(item['password'] === undefined ? [] : [`  password ${item['password']}`]),
    ...Object.values(urls ?? {})
      .filter((url) => url !== '')
      .map((url) => `  announces to ${url}`),
  ].join('\n');
}

function nameOnly(words: Words): Item {
  return { name: words.args[0] ?? '' };
}

export const memberAdd: RoomsCommand = {
  name: 'member add',
  summary: 'Make an account. Without --password-stdin a password is made and shown once.',
  example: 'swarmkeep member add alice --role admin --json',
  declare: (commander) =>
    commander
      .argument('<name>', 'The name: 3 to 32 letters, digits, ".", "_" or "-".')
      .option('--role <role>', 'admin, moderator, member, or one that the console made.', 'member')
      .option('--password-stdin', 'Read the password from standard input.'),
  async prepare(words) {
    return {
      ...nameOnly(words),
      role: String(words.options['role']),
      ...(await passwordFrom(words)),
    };
  },
  async run(rooms, input, output) {
    const { addMember } = await members();
    const { accountsOf, roleBookOf } = await siteParts();
    const role = textOf(input, 'role');
    const { roles } = await roleBookOf(rooms).current();
    if (!roles.some((one) => one.name === role)) {
      const known = roles.map((one) => one.name).join(', ');
      throw new CliError('CLI_USAGE', `There is no role "${role}"; there are ${known}`);
    }
    const added = accepted(
      await addMember(accountsOf(rooms), {
        name: textOf(input, 'name'),
        role,
        ...givenPassword(input),
      }),
    );
    const made = added.password === undefined ? {} : { password: added.password };
    output.item({ ...(await memberItem(rooms, added.member)), ...made });
  },
  text: memberText,
};

function givenPassword(input: Item): { readonly password?: string } {
  const password = textOf(input, 'password');
  return password === '' ? {} : { password };
}

export const memberList: RoomsCommand = {
  name: 'member list',
  summary: 'List members by name.',
  example: 'swarmkeep member list',
  readOnly: true,
  async run(rooms, _input, output) {
    const { listMembers } = await members();
    let after: string | undefined;
    while (!output.signal.aborted) {
      const page = await listMembers(rooms.sql, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const member of page) {
        const { name, id, role, state, createdMs } = member;
        output.item({ name, id, role, state, createdMs });
      }
      after = page.at(-1)?.name;
      if (page.length < PAGE) return;
    }
  },
  text: (item) => `${textOf(item, 'name').padEnd(32)} ${item['role']}  ${item['state']}`,
};

export const memberShow: RoomsCommand = {
  name: 'member show',
  summary: 'Show a member with passkey and announce URLs.',
  example: 'swarmkeep member show alice --json',
  readOnly: true,
  declare: (commander) => commander.argument('<name>', 'The member.'),
  prepare: nameOnly,
  async run(rooms, input, output) {
    const { findMember } = await members();
    const name = textOf(input, 'name');
    const member = await findMember(rooms.sql, name);
    if (member === undefined) throw new CliError('CLI_NOT_FOUND', `No member is called "${name}"`);
    output.item(await memberItem(rooms, member));
  },
  text: memberText,
};

/** A command that changes one member and shows what became of it. */
function changing(
  verb: string,
  words: { readonly summary: string; readonly example: string },
  change: (world: AccountsWorld, name: string, input: Item) => Promise<Member | Refusal>,
): RoomsCommand {
  return {
    name: `member ${verb}`,
    ...words,
    declare: (commander) => {
      commander.argument('<name>', 'The member.');
      if (verb === 'ban') commander.option('--reason <words>', 'What their client will say.', '');
    },
    prepare: (typed) => ({ ...nameOnly(typed), reason: String(typed.options['reason'] ?? '') }),
    async run(rooms, input, output) {
      const { accountsOf } = await siteParts();
      const member = accepted(await change(accountsOf(rooms), textOf(input, 'name'), input));
      output.item(await memberItem(rooms, member));
    },
    text: memberText,
  };
}

export const memberBan = changing(
  'ban',
  {
    summary: 'Ban a member: sessions end, trackers refuse within a second.',
    example: 'swarmkeep member ban mallory --reason "shared the passkey"',
  },
  async (world, name, input) => (await members()).banMember(world, name, textOf(input, 'reason')),
);

export const memberUnban = changing(
  'unban',
  { summary: 'Let a banned member in again.', example: 'swarmkeep member unban mallory' },
  async (world, name) => (await members()).unbanMember(world, name),
);

export const memberRemove = changing(
  'rm',
  {
    summary: 'Remove a member for good; totals stay under a pseudonym.',
    example: 'swarmkeep member rm mallory',
  },
  async (world, name) =>
    (await import('#site/accounts/remove-member.ts')).removeMember(world, name),
);

export const memberResetPasskey = changing(
  'reset-passkey',
  {
    summary: 'Give a member a new passkey; the old one stops at the same moment.',
    example: 'swarmkeep member reset-passkey alice --json',
  },
  async (world, name) => (await members()).resetPasskey(world, name),
);

export const memberResetPassword: RoomsCommand = {
  name: 'member reset-password',
  summary: 'Set a new password and sign the member out everywhere.',
  example: 'swarmkeep member reset-password alice',
  declare: (commander) =>
    commander
      .argument('<name>', 'The member.')
      .option('--password-stdin', 'Read the password from standard input.'),
  prepare: async (words) => ({ ...nameOnly(words), ...(await passwordFrom(words)) }),
  async run(rooms, input, output) {
    const { resetPassword } = await members();
    const { accountsOf } = await siteParts();
    const given = givenPassword(input).password;
    const name = textOf(input, 'name');
    const changed = accepted(
      given === undefined
        ? await resetPassword(accountsOf(rooms), name)
        : await resetPassword(accountsOf(rooms), name, given),
    );
    const made = changed.password === undefined ? {} : { password: changed.password };
    output.item({ name: changed.member.name, ...made });
  },
  text: (item) =>
    item['password'] === undefined
      ? `${item['name']} has the new password`
      : `${item['name']}  password ${item['password']}`,
};
