// `swarmkeep torrent …`: the catalogue from the command line, through the same functions as the site. The
// rooms' code is loaded when a command runs, so that one which the server answers starts fast.

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Item, listOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { Member } from '#site/accounts/members.ts';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import type { CatalogueWorld } from '#site/catalogue/torrents.ts';

const finding = () => import('#site/catalogue/find-torrent.ts');
const torrents = () => import('#site/catalogue/torrents.ts');

const PAGE = 100;
/** Stands for the operator where a member would be named. */
const OPERATOR = 0;

function torrentItem(torrent: Torrent): Item {
  return {
    infoHash: torrent.infoHash,
    ...(torrent.infoHashV1 === undefined ? {} : { infoHashV1: torrent.infoHashV1 }),
    ...(torrent.infoHashV2 === undefined ? {} : { infoHashV2: torrent.infoHashV2 }),
    id: torrent.id,
    name: torrent.name,
    title: torrent.title,
    category: torrent.category,
    tags: [...torrent.tags],
    sizeBytes: torrent.sizeBytes,
    files: torrent.fileCount,
    // Every torrent in the catalogue carries the flag: an upload without it gets it.
    private: true,
    completed: torrent.completed,
    createdMs: torrent.createdMs,
    removed: torrent.removedMs !== undefined,
    ...(torrent.removedMs === undefined ? {} : { removedReason: torrent.removedReason }),
  };
}

function torrentText(item: Item): string {
  const removed = item['removed'] === true ? `  removed: ${item['removedReason']}` : '';
  return `${item['infoHash']}  ${String(item['sizeBytes']).padStart(14)}  ${item['title']}${removed}`;
}

export const torrentAdd: RoomsCommand = {
  name: 'torrent add',
  summary: 'Add a .torrent file; where private flag or source are missing they are set.',
  example: 'swarmkeep torrent add survey-2026.torrent --category datasets --tag survey',
  declare: (commander) =>
    commander
      .argument('<file>', 'The .torrent file.')
      .option('--category <category>', 'A category of the site.', 'other')
      .option(
        '--tag <tag>',
        'A tag; may be repeated.',
        (tag: string, tags: string[]) => [...tags, tag],
        [],
      )
      .option('--title <title>', 'Shown instead of the name in the file.')
      .option('--uploader <name>', 'The member it belongs to; the operator unless given.'),
  prepare(words) {
    const title = words.options['title'];
    const uploader = words.options['uploader'];
    return {
      bytes: readTorrentFile(words.args[0] ?? ''),
      category: String(words.options['category']),
      tags: words.options['tag'] as string[],
      ...(typeof title === 'string' ? { title } : {}),
      ...(typeof uploader === 'string' ? { uploader } : {}),
    };
  },
  async run(rooms, input, output) {
    const { addTorrent } = await torrents();
    const title = textOf(input, 'title');
    const result = accepted(
      await addTorrent(catalogueOf(rooms), {
        bytes: new Uint8Array(Buffer.from(textOf(input, 'bytes'), 'base64')),
        uploaderId: await uploaderId(rooms, textOf(input, 'uploader')),
        ...(title === '' ? {} : { title }),
        category: textOf(input, 'category'),
        tags: listOf(input, 'tags'),
        description: '',
        isStaff: true,
      }),
    );
    if (result.kind === 'duplicate') {
      const { title: existing } = result.existing;
      const message = `Cannot add the torrent: "${existing}" has the same ${result.by}`;
      throw new CliError('CLI_REFUSED', message);
    }
    const { hashChanged, notes } = result;
    output.item({ ...torrentItem(result.torrent), hashChanged, notes: [...notes] });
  },
  text(item) {
    const notes = item['notes'] as string[];
    return [torrentText(item), ...notes.map((note) => `  ${note}`)].join('\n');
  },
};

function readTorrentFile(path: string): string {
  try {
    return readFileSync(path).toString('base64');
  } catch (cause) {
    throw new CliError('CLI_NOT_FOUND', `Cannot read "${path}"`, { cause });
  }
}

async function uploaderId(rooms: Rooms, name: string): Promise<number> {
  if (name === '') return OPERATOR;
  return (await memberNamed(rooms, name)).id;
}

async function memberNamed(rooms: Rooms, name: string): Promise<Member> {
  const { findMember } = await import('#site/accounts/members.ts');
  const member = await findMember(rooms.sql, name);
  if (member === undefined) throw new CliError('CLI_NOT_FOUND', `No member is called "${name}"`);
  return member;
}

export const torrentList: RoomsCommand = {
  name: 'torrent list',
  summary: 'List torrents, the newest first.',
  example: 'swarmkeep torrent list --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const { listTorrents } = await import('#site/catalogue/torrent-list.ts');
    const { findTorrent } = await finding();
    let cursor: string | undefined;
    do {
      const page = await listTorrents(rooms.sql, {
        words: '',
        tags: [],
        rowsMax: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const row of page.rows) {
        const torrent = await findTorrent(rooms.sql, row.id);
        if (torrent !== undefined) output.item(torrentItem(torrent));
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined && !output.signal.aborted);
  },
  text: torrentText,
};

export const torrentShow: RoomsCommand = {
  name: 'torrent show',
  summary: 'Show one torrent.',
  example: 'swarmkeep torrent show 3f2a… --json',
  readOnly: true,
  declare: (commander) => commander.argument('<hash>', 'Its info hash in hexadecimal.'),
  prepare: (words) => ({ hash: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const torrent = await torrentOf(rooms, textOf(input, 'hash'));
    output.item({ ...torrentItem(torrent), ...(await keepingOf(rooms, torrent.id)) });
  },
  text: (item) =>
    Object.entries(item)
      .map(
        ([name, value]) => `${name.padEnd(14)} ${Array.isArray(value) ? value.join(' ') : value}`,
      )
      .join('\n'),
};

export const torrentRemove: RoomsCommand = {
  name: 'torrent rm',
  summary: 'Remove a torrent; clients are told the reason.',
  example: 'swarmkeep torrent rm 3f2a… --reason "replaced by the corrected set"',
  declare: (commander) =>
    commander
      .argument('<hash>', 'Its info hash in hexadecimal.')
      .option('--reason <words>', 'What clients and its page will say.', 'removed by the operator'),
  prepare: (words) => ({ hash: words.args[0] ?? '', reason: String(words.options['reason']) }),
  async run(rooms, input, output) {
    const torrent = await torrentOf(rooms, textOf(input, 'hash'));
    const { removeTorrent } = await torrents();
    const reason = textOf(input, 'reason');
    const removal = { torrentId: torrent.id, removedBy: OPERATOR, reason };
    output.item(torrentItem(accepted(await removeTorrent(catalogueOf(rooms), removal))));
  },
  text: torrentText,
};

export const torrentKeep: RoomsCommand = {
  name: 'torrent keep',
  summary: 'Take a torrent into the archive, from its swarm or from its files on this machine.',
  example: 'swarmkeep torrent keep 3f2a… --from /srv/survey-2026',
  declare: (commander) =>
    commander
      .argument('<hash>', 'Its info hash in hexadecimal.')
      .option('--from <path>', 'The file, or the folder of the files; each piece is compared.')
      .option('--web-seed <url...>', 'Take it from there too, as `url-list` has it (BEP 19).'),
  prepare(words) {
    const { from, webSeed } = words.options;
    const path = typeof from === 'string' ? resolve(from) : '';
    return { hash: words.args[0] ?? '', from: path, webSeed: (webSeed as string[]) ?? [] };
  },
  async run(rooms, input, output) {
    const torrent = await torrentOf(rooms, textOf(input, 'hash'));
    const { wantTorrent, unwantTorrent } = await import('#archive/catalogue/wanted-torrents.ts');
    if (torrent.removedMs !== undefined) {
      throw new CliError('CLI_NOT_FOUND', `The torrent "${torrent.title}" was removed`);
    }
    const { addWebSources, isWebSource } = await import('#archive/catalogue/web-sources.ts');
    const urls = listOf(input, 'webSeed');
    const crooked = urls.find((url) => !isWebSource(url));
    if (crooked !== undefined) throw new CliError('CLI_USAGE', `"${crooked}" is no web seed`);
    if (urls.length > 0 && (await keepingOf(rooms, torrent.id))['keeping'] === 'kept') {
      const words = `The archive keeps "${torrent.title}": nothing is taken from a web seed`;
      throw new CliError('CLI_REFUSED', words);
    }
    const nowMs = rooms.clock.nowMs();
    const path = textOf(input, 'from');
    if (path !== '' && (await keepingOf(rooms, torrent.id))['keeping'] !== 'kept') {
      const { keepFrom } = await import('#cli/keep-from.ts');
      await keepFrom(rooms, { id: torrent.id, path }, output);
    }
    const isNew = await wantTorrent(rooms.sql, torrent.id, nowMs);
    // Asked again, one that could not be taken is tried once more.
    if (!isNew && (await isStuck(rooms, torrent.id))) {
      await unwantTorrent(rooms.sql, torrent.id, nowMs);
      await wantTorrent(rooms.sql, torrent.id, nowMs);
    }
    await addWebSources(rooms.sql, torrent.id, urls);
    await rooms.events.flush();
    output.item({ ...torrentItem(torrent), ...(await keepingOf(rooms, torrent.id)) });
  },
  text: (item) => `${torrentText(item)}  ${item['keeping']}`,
};

async function isStuck(rooms: Rooms, torrentId: number): Promise<boolean> {
  const { wantedTorrent } = await import('#archive/catalogue/wanted-torrents.ts');
  const wanted = await wantedTorrent(rooms.sql, torrentId);
  return wanted !== undefined && wanted.problem !== '';
}

/** What the archive has to do with a torrent: `no`, `wanted`, `kept` or why it cannot be. */
async function keepingOf(rooms: Rooms, torrentId: number): Promise<Item> {
  const [{ wantedTorrent }, { isKept }] = await Promise.all([
    import('#archive/catalogue/wanted-torrents.ts'),
    import('#archive/catalogue/kept-torrents.ts'),
  ]);
  if (await isKept(rooms.sql, torrentId)) return { keeping: 'kept' };
  const wanted = await wantedTorrent(rooms.sql, torrentId);
  if (wanted === undefined) return { keeping: 'no' };
  return { keeping: wanted.problem === '' ? 'wanted' : wanted.problem };
}

export const torrentUnkeep: RoomsCommand = {
  name: 'torrent unkeep',
  summary: 'Let the archive go of a torrent; `store gc` gives back what no other one needs.',
  example: 'swarmkeep torrent unkeep 3f2a…',
  declare: (commander) => commander.argument('<hash>', 'Its info hash in hexadecimal.'),
  prepare: (words) => ({ hash: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const torrent = await torrentOf(rooms, textOf(input, 'hash'));
    const [{ letGo }, { unwantTorrent }] = await Promise.all([
      import('#site/shares/share-items.ts'),
      import('#archive/catalogue/wanted-torrents.ts'),
    ]);
    const nowMs = rooms.clock.nowMs();
    const wasWanted = await unwantTorrent(rooms.sql, torrent.id, nowMs);
    if (!(await letGo(rooms.sql, torrent.id, nowMs)) && !wasWanted) {
      throw new CliError('CLI_NOT_FOUND', `The archive does not keep "${torrent.title}"`);
    }
    await rooms.events.flush();
    output.item(torrentItem(torrent));
  },
  text: torrentText,
};

export const torrentDownload: RoomsCommand = {
  name: 'torrent download',
  summary:
    "Write a member's own copy of the .torrent file, with a key of its own where site.downloadKeys is on.",
  example: 'swarmkeep torrent download 3f2a… --member alice -o survey-2026.torrent',
  declare: (commander) =>
    commander
      .argument('<hash>', 'Its info hash in hexadecimal.')
      .requiredOption('--member <name>', 'Whose announce URLs it carries.')
      .requiredOption('-o, --output <file>', 'Where to write it; `-` is standard output.'),
  prepare: (words) => ({
    hash: words.args[0] ?? '',
    member: String(words.options['member']),
    output: String(words.options['output']),
  }),
  async run(rooms, input, output) {
    const torrent = await torrentOf(rooms, textOf(input, 'hash'));
    const member = await memberNamed(rooms, textOf(input, 'member'));
    const { addressesOf, memberAnnounceUrlsOf } = await import('#cli/site-parts.ts');
    const { torrentFileFor, webSeedsFor } = await import('#site/catalogue/torrent-file.ts');
    const { urlsInTorrents } = await import('#site/announce-urls.ts');
    const { downloadKeyFor } = await import('#site/accounts/download-keys.ts');
    // As the site's download does, so that a file that leaks names its leaker wherever it was made.
    const key = rooms.config.site.downloadKeys
      ? await downloadKeyFor(rooms, { memberId: member.id, torrentId: torrent.id })
      : member.passkey;
    const urls = await memberAnnounceUrlsOf(rooms, key);
    const carried = urlsInTorrents(urls, rooms.config.site);
    const { siteUrl } = await addressesOf(rooms);
    const webSeeds = await webSeedsFor(rooms.sql, torrent, { member, siteUrl });
    const bytes = await torrentFileFor(rooms.sql, torrent.id, { urls: carried, webSeeds });
    if (bytes === undefined || torrent.removedMs !== undefined) {
      throw new CliError('CLI_NOT_FOUND', `The torrent "${torrent.title}" was removed`);
    }
    output.item({
      infoHash: torrent.infoHash,
      sizeBytes: bytes.byteLength,
      output: textOf(input, 'output'),
      base64: Buffer.from(bytes).toString('base64'),
    });
  },
  // The rooms may be in another process, in another folder: the file is written where it was asked.
  deliver(item) {
    const { base64, ...shown } = item;
    const bytes = Buffer.from(String(base64), 'base64');
    const path = textOf(item, 'output');
    if (path === '-') {
      process.stdout.write(bytes);
      return undefined;
    }
    writeFileSync(path, bytes);
    return shown;
  },
  text: (item) => `${item['sizeBytes']} bytes in ${item['output']}`,
};

async function torrentOf(rooms: Rooms, hash: string): Promise<Torrent> {
  const { findTorrentByHash } = await finding();
  const torrent = await findTorrentByHash(rooms.sql, hash);
  if (torrent === undefined)
    throw new CliError('CLI_NOT_FOUND', `No torrent has the hash "${hash}"`);
  return torrent;
}

function catalogueOf(rooms: Rooms): CatalogueWorld {
  const { sql, clock } = rooms;
  return { sql, clock, config: rooms.config.site, changed: () => rooms.changed() };
}
