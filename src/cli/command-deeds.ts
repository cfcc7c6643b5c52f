// What stands in the staff log of what is done by the command line: every command that changes something
// which the site would let its staff alone change, told as the site tells its pages' deeds, before it is
// tried, with the user of the operating system who ran it. Each other command that writes is named below
// with the reason why it is not told; the test beside this file wants every command in one of the two.

import { userInfo } from 'node:os';
import { codeOf } from '#base/errors.ts';
import type { Item, Output, RoomsCommand } from './command.ts';
import { flagOf, listOf, textOf } from './command.ts';
import type { Rooms } from './rooms.ts';

interface CommandDeed {
  /** Whom or what it is about; the input names it as the command wants it. */
  readonly about?: 'member' | 'members' | 'torrent' | 'window';
  /** What of the input is told. No secrets, and no names of members, which may have to be forgotten. */
  readonly fields?: readonly string[];
  /** What came of it, where only its answer knows. */
  readonly made?: (item: Item) => string;
}

const PERSON: CommandDeed = { about: 'member' };
const TORRENT: CommandDeed = { about: 'torrent', fields: ['reason'] };
const NAMED: CommandDeed = { fields: ['name'] };
const madeTorrent = (item: Item): string => `torrent ${textOf(item, 'infoHash')}`;

export const COMMAND_DEEDS: Readonly<Record<string, CommandDeed>> = {
  'member add': { fields: ['role'], made: (item) => `member ${item['id']}` },
  'member ban': { about: 'member', fields: ['reason'] },
  'member unban': PERSON,
  'member rm': PERSON,
  'member erase': PERSON,
  'member protect': { about: 'member', fields: ['off'] },
  'member reset-passkey': PERSON,
  'member reset-password': PERSON,
  'passkey import': { made: (item) => `${item['imported']} passkeys` },
  'torrent add': { fields: ['category'], made: madeTorrent },
  'torrent rm': TORRENT,
  'torrent keep': TORRENT,
  'torrent unkeep': TORRENT,
  put: { fields: ['category'], made: madeTorrent },
  share: { fields: ['days', 'downloads', 'depth'], made: (item) => `share ${item['id']}` },
  unshare: { fields: ['id'] },
  reindex: {},
  'archive reindex': {},
  'archive rotate-key': {},
  'keeper add': { fields: ['name', 'bytesMax', 'isSealed'] },
  'keeper rm': NAMED,
  'freeleech add': { about: 'window', fields: ['download', 'upload', 'from', 'until'] },
  'freeleech end': { fields: ['id'] },
  'freeleech tokens': { about: 'members', fields: ['count'] },
  'ledger rebuild': {},
  'ledger snapshot': {},
  'jobs run': NAMED,
  'jobs pause': NAMED,
  'jobs resume': NAMED,
  'logging set': { fields: ['module', 'level'] },
  'logging reset': {},
  'store-token add': { about: 'member', fields: ['label', 'scopes'] },
  'store-token rm': { fields: ['id'] },
};

const OWN_CARE = 'Care of the store itself: what members and staff see stays as it is.';
const READS = 'It tells, and changes nothing of the site.';

export const COMMANDS_NOT_TOLD: Readonly<Record<string, string>> = {
  'torrent download':
    'What a member may do by themselves; the key that it makes is named for them.',
  'archive verify': READS,
  'archive events': READS,
  'jobs list': READS,
  'log create': 'Topics of the operator; those that the program trusts are not written by hand.',
  'log append': 'Topics of the operator; those that the program trusts are not written by hand.',
  'store compact': OWN_CARE,
  'store gc': OWN_CARE,
  'store pin': OWN_CARE,
  'store unpin': OWN_CARE,
  'store sync': OWN_CARE,
  'store ack': OWN_CARE,
  'store migrate': OWN_CARE,
  'store rebalance': OWN_CARE,
  'store reencrypt': OWN_CARE,
  'store rebuild': OWN_CARE,
};

const MEMBERS_TOLD_MAX = 50;
const USER_CHARS_MAX = 100;

export interface CommandRun {
  readonly command: RoomsCommand;
  readonly rooms: Rooms;
  readonly input: Item;
  readonly output: Output;
  /** The user of the operating system who runs it. */
  readonly by: string;
}

/** Runs it; a deed has its line in the staff log before, and one behind that says what came of it. */
export async function runTold(run: CommandRun): Promise<void> {
  const { command, rooms, input, output } = run;
  const deed = COMMAND_DEEDS[command.name];
  if (deed === undefined) return await command.run(rooms, input, output);
  const { COMMAND_LINE, StaffLog } = await import('#site/staff-log/staff-log.ts');
  const log = new StaffLog(rooms);
  const tell = async (action: string, subject: string, words: string): Promise<number> =>
    (await log.record({ memberId: COMMAND_LINE, action, subject, words })).number;
  const subject = await subjectOf(rooms, deed, input);
  const number = await tell(command.name, subject, wordsOf(deed, run));
  const made: string[] = [];
  const item = (one: Item): void => {
    if (deed.made !== undefined) made.push(deed.made(one));
    output.item(one);
  };
  try {
    await command.run(rooms, input, hearing(output, item));
  } catch (error) {
    const why = codeOf(error) ?? 'INTERNAL';
    await tell('refused', `line ${number}`, `It ended with ${why}.`);
    throw error;
  }
  for (const one of made.slice(0, MEMBERS_TOLD_MAX)) await tell('made', `line ${number}`, one);
}

/** Who runs this process: `root, by sudo from alice`. */
export function systemUser(env: Readonly<Record<string, string | undefined>>): string {
  const from = env['SUDO_USER'] ?? '';
  return from === '' ? ownName() : `${ownName()}, by sudo from ${from}`;
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container the number may have no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function hearing(output: Output, item: Output['item']): Output {
  return {
    item,
    progress: (progress) => output.progress(progress),
    signal: output.signal,
  };
}

/** As the pages' deeds say it: by ids, since names may have to be forgotten. */
async function subjectOf(rooms: Rooms, deed: CommandDeed, input: Item): Promise<string> {
  const { about } = deed;
  if (about === 'torrent') return await torrentSubject(rooms, input);
  if (about === 'window') {
    const who = textOf(input, 'member') === '' ? '' : await memberSubject(rooms, input);
    const what = textOf(input, 'torrent') === '' ? '' : await torrentSubject(rooms, input);
    return [who, what].filter((one) => one !== '').join(', ');
  }
  if (about === 'member') return await memberSubject(rooms, input);
  if (about !== 'members') return '';
  const told: string[] = [];
  for (const name of listOf(input, 'names').slice(0, MEMBERS_TOLD_MAX)) {
    told.push(await memberSubject(rooms, { name }));
  }
  return told.join(', ');
}

async function memberSubject(rooms: Rooms, input: Item): Promise<string> {
  const { findMember } = await import('#site/accounts/members.ts');
  const named = textOf(input, 'name');
  const member = await findMember(rooms.sql, named === '' ? textOf(input, 'member') : named);
  return member === undefined ? 'a member who is not there' : `member ${member.id}`;
}

async function torrentSubject(rooms: Rooms, input: Item): Promise<string> {
  const { findTorrentByHash } = await import('#site/catalogue/find-torrent.ts');
  const named = ['hash', 'infoHash', 'torrent'].map((key) => textOf(input, key));
  const hash = named.find((one) => one !== '') ?? '';
  const torrent = await findTorrentByHash(rooms.sql, hash);
  return torrent === undefined ? 'a torrent that is not there' : `torrent ${torrent.id}`;
}

/** `by: root on the command line; reason: shared an account`. */
function wordsOf(deed: CommandDeed, { input, by }: CommandRun): string {
  const user = by.replaceAll(/[\s;]+/g, ' ').slice(0, USER_CHARS_MAX);
  const told = (deed.fields ?? []).flatMap((name) => {
    const value = flagOf(input, name) ? 'yes' : plain(input[name]);
    return value === '' ? [] : [`${name}: ${value}`];
  });
  return [`by: ${user === '' ? 'an unknown user' : user}`, ...told].join('; ');
}

function plain(value: Item[string] | undefined): string {
  if (typeof value === 'string' || typeof value === 'number') {
    return String(value).replaceAll(/\s+/g, ' ').trim();
  }
  return Array.isArray(value) ? value.map((one) => plain(one)).join(', ') : '';
}
