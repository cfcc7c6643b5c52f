// `swarmkeep member export`, `erase` and `protect`: what is held on a member, as a file; the account
// erased for good; a member whose addresses are written nowhere.

import { appendFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { flagOf, type Item, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { AccountsWorld } from '#site/accounts/members.ts';

const CHUNK_LENGTH = 65_536;

export const memberExport: RoomsCommand = {
  name: 'member export',
  summary: 'Everything that is held on a member, as one JSON document: account, totals, announces.',
  example: 'swarmkeep member export alice -o alice.json',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<name>', 'The member; `removed-<id>` for one who was removed.')
      .option('-o, --output <file>', 'Where to write it; `-` is standard output.', '-'),
  prepare: (words) => ({
    name: words.args[0] ?? '',
    output: String(words.options['output']),
  }),
  async run(rooms, input, output) {
    const { exportMember } = await import('#site/privacy/member-export.ts');
    const member = await memberOrRemoved(rooms, textOf(input, 'name'));
    const pieces = exportMember(rooms, member, {
      signal: output.signal,
      progress: (done, total) => output.progress({ what: 'export', done, total }),
    });
    const place = { output: textOf(input, 'output') };
    let text = '';
    let isFirst = true;
    const send = (): void => {
      output.item({ ...place, isFirst, text });
      text = '';
      isFirst = false;
    };
    for await (const piece of pieces) {
      text += piece;
      if (text.length >= CHUNK_LENGTH) send();
    }
    send();
  },
  // The rooms may be in another process, in another folder: the file is written where it was asked.
  deliver(item) {
    const path = textOf(item, 'output');
    const text = textOf(item, 'text');
    if (path === '-') process.stdout.write(text);
    else if (flagOf(item, 'isFirst')) writeFileSync(path, text, { mode: 0o600 });
    else appendFileSync(path, text);
    return undefined;
  },
  text: () => '',
};

async function memberOrRemoved(rooms: Rooms, name: string) {
  const { findMember, findMemberById } = await import('#site/accounts/members.ts');
  const id = /^removed-(\d{1,10})$/i.exec(name)?.[1];
  const member =
    id === undefined
      ? await findMember(rooms.sql, name)
      : await findMemberById(rooms.sql, Number(id));
  if (member === undefined || (id !== undefined && member.state !== 'removed')) {
    throw new CliError('CLI_NOT_FOUND', `No member is called "${name}"`);
  }
  return member;
}

export const memberErase: RoomsCommand = {
  name: 'member erase',
  summary: 'Erase a member for good: nothing personal stays, totals do under a pseudonym.',
  example: 'swarmkeep member erase alice --yes',
  declare: (commander) =>
    commander
      .argument('<name>', 'The member; `removed-<id>` for one who was removed before.')
      .option('--yes', 'Do not ask.', false),
  async prepare(words) {
    const name = words.args[0] ?? '';
    if (words.options['yes'] !== true) await askOnce(name);
    return { name };
  },
  async run(rooms, input, output) {
    const { eraseMember } = await import('#site/privacy/erase-member.ts');
    const name = textOf(input, 'name');
    const { id, name: pseudonym } = accepted(await eraseMember(await accounts(rooms), name));
    output.item({ name, id, pseudonym });
  },
  text: (item) => `${item['name']} is erased; what is left is called ${item['pseudonym']}`,
};

/** @throws CliError CLI_USAGE unless the name is typed again */
async function askOnce(name: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new CliError('CLI_USAGE', `Cannot erase "${name}" without being asked: add --yes`);
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `This erases ${name} for good; there is no way back. Type the name to go on: `;
    if ((await lines.question(question)).trim() !== name) {
      throw new CliError('CLI_USAGE', 'The name was not typed: nothing was erased');
    }
  } finally {
    lines.close();
  }
}

async function accounts(rooms: Rooms): Promise<AccountsWorld> {
  const { accountsOf } = await import('#cli/site-parts.ts');
  return accountsOf(rooms);
}

export const memberProtect: RoomsCommand = {
  name: 'member protect',
  summary: 'From now on addresses of the member are written nowhere; --off ends that.',
  example: 'swarmkeep member protect alice',
  declare: (commander) =>
    commander.argument('<name>', 'The member.').option('--off', 'End the protection.', false),
  prepare: (words) => ({
    name: words.args[0] ?? '',
    off: words.options['off'] === true,
  }),
  async run(rooms, input, output) {
    const { protectMember } = await import('#site/privacy/protect-member.ts');
    const isProtected = !flagOf(input, 'off');
    const world = await accounts(rooms);
    const member = accepted(await protectMember(world, textOf(input, 'name'), isProtected));
    const item: Item = { name: member.name, id: member.id, isProtected: member.isProtected };
    output.item(item);
  },
  text: (item) =>
    item['isProtected'] === true
      ? `${item['name']} is protected`
      : `${item['name']} is not protected any more`,
};
