// `swarmkeep freeleech …`: windows of credit and tokens from the command line.

import { NO_END_MS } from '#accounting/credit.ts';
import { type Item, listOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { OpenWindow } from '#site/credit/credit-windows.ts';

const windows = () => import('#site/credit/credit-windows.ts');
const tokens = () => import('#site/credit/credit-tokens.ts');

const LISTED_MAX = 100_000;
/** Stands for the operator where a member would be named. */
const OPERATOR = 0;

export const freeleechAdd: RoomsCommand = {
  name: 'freeleech add',
  summary:
    'Let other percentages count for a time: for everybody or a member, on all torrents or one.',
  example: 'swarmkeep freeleech add --torrent 0123…cdef --until 2026-12-31T00:00',
  declare: (commander) =>
    commander
      .option('--torrent <hash>', 'Only on this torrent.', '')
      .option('--member <name>', 'Only for this member.', '')
      .option('--download <percent>', 'What of a download counts.', '0')
      .option('--upload <percent>', 'What of an upload counts.', '100')
      .option('--from <time>', 'When it begins, in UTC; now unless given.', '')
      .option('--until <time>', 'When it ends, in UTC; never unless given.', ''),
  prepare: ({ options }) =>
    Object.fromEntries(
      ['torrent', 'member', 'download', 'upload', 'from', 'until'].map((name) => [
        name,
        String(options[name]),
      ]),
    ),
  async run(rooms, input, output) {
    const { openWindow } = await windows();
    const opened = accepted(
      await openWindow(rooms, {
        memberId: await memberId(rooms, textOf(input, 'member')),
        torrentId: await torrentId(rooms, textOf(input, 'torrent')),
        uploadCreditPercent: numberOf(input, 'upload'),
        downloadCreditPercent: numberOf(input, 'download'),
        fromMs: (await timeOf(input, 'from')) ?? rooms.clock.nowMs(),
        untilMs: (await timeOf(input, 'until')) ?? NO_END_MS,
        openedBy: OPERATOR,
      }),
    );
    output.item(windowItem(opened));
  },
  text: windowText,
};

export const freeleechList: RoomsCommand = {
  name: 'freeleech list',
  summary: 'What counts otherwise now, and what is planned.',
  example: 'swarmkeep freeleech list --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const { listWindows } = await windows();
    const asked = { nowMs: rooms.clock.nowMs(), limit: LISTED_MAX };
    for (const window of await listWindows(rooms.sql, asked)) output.item(windowItem(window));
  },
  text: windowText,
};

export const freeleechEnd: RoomsCommand = {
  name: 'freeleech end',
  summary: 'End one at once, by its id.',
  example: 'swarmkeep freeleech end 12',
  declare: (commander) => commander.argument('<id>', 'As `freeleech list` names it.'),
  prepare: (words) => ({ id: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const { endWindow } = await windows();
    const id = numberOf(input, 'id');
    if (!(await endWindow(rooms, id))) {
      throw new CliError('CLI_NOT_FOUND', `Nothing with the id ${id} is open or planned`);
    }
    output.item({ id, ended: true });
  },
  text: (item) => `${item['id']} is ended`,
};

export const freeleechTokens: RoomsCommand = {
  name: 'freeleech tokens',
  summary: 'Give members tokens, each good for one torrent.',
  example: 'swarmkeep freeleech tokens alice bob --count 3',
  declare: (commander) =>
    commander
      .argument('<names...>', 'The members.')
      .option('--count <number>', 'For each of them.', '1'),
  prepare: (words) => ({
    names: words.args.flat(),
    count: String(words.options['count']),
  }),
  async run(rooms, input, output) {
    const { countTokens, giveTokens } = await tokens();
    const names = listOf(input, 'names');
    const nowMs = rooms.clock.nowMs();
    const memberIds: number[] = [];
    for (const name of names) memberIds.push(await memberId(rooms, name));
    const refused = await giveTokens(rooms, {
      memberIds,
      count: numberOf(input, 'count'),
      givenBy: OPERATOR,
      expiresMs: nowMs + rooms.config.site.tokenValidMs,
    });
    accepted(refused ?? {});
    for (const [at, name] of names.entries()) {
      const id = memberIds[at] ?? 0;
      output.item({ member: name, tokens: await countTokens(rooms.sql, id, nowMs) });
    }
  },
  text: (item) => `${item['member']} has ${item['tokens']} to spend`,
};

async function memberId(rooms: Rooms, name: string): Promise<number> {
  if (name === '') return 0;
  const { findMember } = await import('#site/accounts/members.ts');
  const member = await findMember(rooms.sql, name);
  if (member === undefined) throw new CliError('CLI_NOT_FOUND', `No member is called "${name}"`);
  return member.id;
}

async function torrentId(rooms: Rooms, hash: string): Promise<number> {
  if (hash === '') return 0;
  const { findTorrentByHash } = await import('#site/catalogue/find-torrent.ts');
  const torrent = await findTorrentByHash(rooms.sql, hash);
  if (torrent === undefined || torrent.removedMs !== undefined) {
    throw new CliError('CLI_NOT_FOUND', `No torrent has the hash "${hash}"`);
  }
  return torrent.id;
}

function numberOf(input: Item, name: string): number {
  const text = textOf(input, name);
  if (!/^\d{1,9}$/.test(text)) {
    throw new CliError('CLI_USAGE', `"${text}" is no whole number: see --help`);
  }
  return Number(text);
}

async function timeOf(input: Item, name: string): Promise<number | undefined> {
  const { readUtc } = await import('#site/credit/credit-form.ts');
  const text = textOf(input, name);
  if (text === '') return undefined;
  const atMs = readUtc(text);
  if (atMs !== undefined) return atMs;
  throw new CliError('CLI_USAGE', `Cannot read the time "${text}": write 2026-12-31T18:00`);
}

function windowItem(window: OpenWindow): Item {
  const { id, memberId, torrentId, fromMs, untilMs } = window;
  const { uploadCreditPercent, downloadCreditPercent } = window;
  return {
    id,
    ...(memberId === 0 ? {} : { memberId }),
    ...(torrentId === 0 ? {} : { torrentId }),
    uploadCreditPercent,
    downloadCreditPercent,
    fromMs,
    ...(untilMs === NO_END_MS ? {} : { untilMs }),
  };
}

function windowText(item: Item): string {
  const at = (ms: unknown): string => new Date(Number(ms)).toISOString();
  const who = item['memberId'] === undefined ? 'everybody' : `member ${item['memberId']}`;
  const what = item['torrentId'] === undefined ? 'all torrents' : `torrent ${item['torrentId']}`;
  const until = item['untilMs'] === undefined ? 'ended by hand' : at(item['untilMs']);
  return (
    `${item['id']}: ${who}, ${what}: upload counts ${item['uploadCreditPercent']} %, ` +
    `download ${item['downloadCreditPercent']} %, from ${at(item['fromMs'])} until ${until}`
  );
}
