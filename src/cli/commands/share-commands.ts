// `swarmkeep share`, `unshare` and `get`: links by which people without an account take what the archive
// keeps, and the fetching of what such a link leads to.

import { resolve } from 'node:path';
import {
  type Item,
  type LocalCommand,
  listOf,
  numberOf,
  type RoomsCommand,
  textOf,
  type Words,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { passwordFrom } from '#cli/standard-input.ts';
import { rowIdOf } from '#site/row-id.ts';
import type { ListedShare } from '#site/shares/shares.ts';

const DAYS = '7';
const DEPTH_WORDS = 'all';

export const share: RoomsCommand = {
  name: 'share',
  summary: 'Make a link by which people without an account take something from the archive.',
  example: 'swarmkeep share 3f2a…/plans ./survey-2026 --days 30 --depth all',
  declare: (commander) =>
    commander
      .argument(
        '<what...>',
        'The info hash of a kept torrent, HASH/path of something in it, or a file or folder of the machine that the server runs on, which is put into the archive first.',
      )
      .option('--member <name>', 'Whose share it is; the first administrator unless given.')
      .option('--days <count>', 'Days until it ends.', DAYS)
      .option('--downloads <count>', 'Downloads at most; as many as there are unless given.')
      .option(
        '--depth <levels>',
        'Levels of folders below each, or `all`, as one thing has; several have 0.',
      )
      .option('--label <words>', 'What its page is called; the name of the first unless given.')
      .option('--password-stdin', 'Read a password from standard input.'),
  async prepare(words) {
    const things = words.args.map((what) =>
      /^([0-9a-f]{40}|[0-9a-f]{64})(\/|$)/i.test(what) ? what : resolve(what),
    );
    const { member, downloads, label, depth } = words.options;
    return {
      ...{ things, days: countOf(words, 'days') },
      ...(typeof member === 'string' ? { member } : {}),
      ...(typeof label === 'string' ? { label } : {}),
      ...(downloads === undefined ? {} : { downloads: countOf(words, 'downloads') }),
      ...(depth === undefined ? {} : { depth: depthOf(depth) }),
      ...(await passwordFrom(words)),
    };
  },
  async run(rooms, input, output) {
    const { makeShareOf } = await import('#cli/shares/make-share.ts');
    const made = await makeShareOf(
      rooms,
      {
        things: listOf(input, 'things'),
        ...{ member: textOf(input, 'member'), label: textOf(input, 'label') },
        days: numberOf(input, 'days') ?? Number.NaN,
        downloadsMax: numberOf(input, 'downloads'),
        ...{ depth: numberOf(input, 'depth'), password: textOf(input, 'password') },
      },
      output,
    );
    output.item({ ...made, items: made.items.map((item) => ({ ...item })) });
  },
  text: (item) =>
    `${item['url']}\n  share ${item['id']} of ${item['member']}: ${item['label']}, until ${new Date(Number(item['expiresMs'])).toISOString()}`,
};

export const shareList: RoomsCommand = {
  name: 'share list',
  summary: 'List shares, the newest first; their links were shown when they were made.',
  example: 'swarmkeep share list --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const { listedState, listShares, SHARES_LISTED_MAX } = await import('#site/shares/shares.ts');
    let before: number | undefined;
    for (;;) {
      const found = await listShares(rooms.sql, { before });
      const page = found.slice(0, SHARES_LISTED_MAX);
      for (const one of page) {
        const state = listedState(one, rooms.clock.nowMs());
        output.item({ ...shareItem(one), state });
      }
      before = page.at(-1)?.id;
      if (found.length === page.length || output.signal.aborted) return;
    }
  },
  text: (item) =>
    `${String(item['id']).padStart(6)}  ${String(item['state']).padEnd(8)}  ${item['member']}  ${item['label']}  ${item['downloads']} downloads`,
};

export const unshare: RoomsCommand = {
  name: 'unshare',
  summary: 'Revoke a share; downloads by it end within a second.',
  example: 'swarmkeep unshare 12',
  declare: (commander) => commander.argument('<id>', 'As `share` and `share list` tell it.'),
  prepare: (words) => {
    const text = words.args[0] ?? '';
    const id = rowIdOf(text);
    if (id === undefined) throw new CliError('CLI_USAGE', `"${text}" is no id of a share`);
    return { id };
  },
  async run(rooms, input, output) {
    const { revokeShare } = await import('#site/shares/shares.ts');
    const id = numberOf(input, 'id') ?? 0;
    if (!(await revokeShare(rooms, id, undefined))) {
      throw new CliError('CLI_NOT_FOUND', `No share has the id ${id}, or it was revoked before`);
    }
    output.item({ id, revoked: true });
  },
  text: (item) => `Share ${item['id']} is revoked`,
};

export const get: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'get',
  summary: 'Fetch what a share leads to, proven file by file; what was broken off goes on.',
  example: 'swarmkeep get https://swarm.example.org/s/4f…Kw -o ./taken',
  declare: (commander) =>
    commander
      .argument('<url>', 'The link of the share.')
      .option('-o, --output <folder>', 'Where to; this folder unless given.', '.')
      .option('--password-stdin', "Read the share's password from standard input."),
  async prepare(words) {
    const folder = resolve(String(words.options['output']));
    return { url: words.args[0] ?? '', folder, ...(await passwordFrom(words)) };
  },
  async runLocal(_options, input, output) {
    const [{ getShare }, { SystemClock }] = await Promise.all([
      import('#cli/shares/get-share.ts'),
      import('#base/clock.ts'),
    ]);
    await getShare({
      ...{ url: textOf(input, 'url'), folder: textOf(input, 'folder') },
      ...{ password: textOf(input, 'password'), clock: new SystemClock(), output },
    });
  },
  text: (item) =>
    `${item['path']}  ${item['bytes']} bytes${item['new'] === true ? '' : ', was there'}`,
};

function shareItem(one: ListedShare): Item {
  return {
    ...{ id: one.id, label: one.label, member: one.member },
    ...{ createdMs: one.createdMs, expiresMs: one.expiresMs },
    ...{ downloads: one.downloads, downloadsMax: one.downloadsMax ?? null },
    ...{ sentBytes: one.sentBytes, hasPassword: one.passwordHash !== undefined },
    items: one.items.map(({ kind, label, infoHash, path, depth, isOpen }) => ({
      ...{ kind, label, infoHash, path, depth: depth ?? null, isOpen },
    })),
  };
}

function countOf(words: Words, name: string): number {
  const text = String(words.options[name]);
  if (!/^\d{1,7}$/.test(text)) throw new CliError('CLI_USAGE', `--${name} "${text}" is no number`);
  return Number(text);
}

function depthOf(word: unknown): number {
  if (word === DEPTH_WORDS) return Number.MAX_SAFE_INTEGER;
  if (!/^\d{1,3}$/.test(String(word))) {
    throw new CliError('CLI_USAGE', `--depth "${word}" is neither a number nor "${DEPTH_WORDS}"`);
  }
  return Number(word);
}
