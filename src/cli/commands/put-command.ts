// `swarmkeep put PATH`: a file or folder of this machine becomes a torrent of the catalogue, and its
// content the archive's. It is read once.

import { resolve } from 'node:path';
import type { PutContent } from '#archive/ingest/put-content.ts';
import { assert } from '#base/assert.ts';
import { type Item, listOf, type Output, type RoomsCommand, textOf } from '#cli/command.ts';
import type { ContentFolder } from '#cli/content-folder.ts';
import { CliError } from '#cli/errors.ts';
import { accepted } from '#cli/refusals.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { MetainfoRequest } from '#wire/metainfo-maker.ts';

const VERSIONS = ['v1', 'v2', 'hybrid'] as const;
/** Stands for the operator where a member would be named. */
const OPERATOR = 0;
const PROGRESS_BYTES = 16 * 1024 * 1024;

export const put: RoomsCommand = {
  name: 'put',
  summary: 'Make a torrent of a file or folder, add it, and keep its content in the archive.',
  example: 'swarmkeep put ./survey-2026 --category datasets --tag survey',
  declare: (commander) =>
    commander
      .argument('<path>', 'A file or folder of the machine that the server runs on.')
      .option(
        '--torrent-version <version>',
        'v1, which every client takes; v2; or hybrid, which is both (Transmission 3 and aria2 fail on it).',
        'v1',
      )
      .option('--category <category>', 'A category of the site.', 'other')
      .option(
        '--tag <tag>',
        'A tag; may be repeated.',
        (tag: string, tags: string[]) => [...tags, tag],
        [],
      )
      .option('--title <title>', 'Shown instead of the name.'),
  prepare(words) {
    const version = String(words.options['torrentVersion']);
    if (!VERSIONS.some((one) => one === version)) {
      throw new CliError('CLI_USAGE', `--torrent-version "${version}" is none of v1, v2, hybrid`);
    }
    const title = words.options['title'];
    return {
      path: resolve(words.args[0] ?? ''),
      version,
      category: String(words.options['category']),
      tags: words.options['tag'] as string[],
      ...(typeof title === 'string' ? { title } : {}),
    };
  },
  async run(rooms, input, output) {
    const { readContentFolder } = await import('#cli/content-folder.ts');
    const folder = readContentFolder(textOf(input, 'path'));
    const content = await store(rooms, { folder, version: textOf(input, 'version') }, output);
    const torrent = await add(rooms, input, content);
    output.item({
      ...{ infoHash: torrent.infoHash, name: folder.name, new: torrent.isNew },
      ...{ files: content.files.length, sizeBytes: folder.sizeBytes, newBytes: content.newBytes },
      leftOut: folder.leftOut,
    });
  },
  text(item) {
    const left = item['leftOut'] === 0 ? '' : `\n  ${item['leftOut']} links or devices left out`;
    const was = item['new'] === true ? '' : '\n  The torrent was there already; it is kept now.';
    return `${item['infoHash']}  ${item['name']}\n  ${item['files']} files, ${item['sizeBytes']} bytes, ${item['newBytes']} of them new to the archive${left}${was}`;
  },
};

type Stored = Extract<PutContent, { ok: true }>;

async function store(
  rooms: Rooms,
  what: { readonly folder: ContentFolder; readonly version: string },
  output: Output,
): Promise<Stored> {
  const { putContent } = await import('#archive/ingest/put-content.ts');
  const { folder, version } = what;
  let done = 0;
  let told = 0;
  const stored = await putContent(
    { ...rooms.archive, store: await rooms.archive.store() },
    {
      ...{ version: version as MetainfoRequest['version'], name: folder.name },
      ...{ singleFile: folder.singleFile, files: folder.files, signal: output.signal },
      ...{ private: true, createdBy: 'Swarmkeep' },
      creationDate: Math.floor(rooms.clock.nowMs() / 1000),
      onBytes(bytes) {
        done += bytes;
        if (done - told < PROGRESS_BYTES) return;
        told = done;
        output.progress({ what: 'bytes stored', done, total: folder.sizeBytes });
      },
    },
  );
  if (!stored.ok) throw new CliError('CLI_REFUSED', stored.reason);
  return stored;
}

async function add(
  rooms: Rooms,
  input: Item,
  content: Stored,
): Promise<{ readonly infoHash: string; readonly isNew: boolean }> {
  const [{ addTorrent }, { findTorrent }, { keepTorrent }] = await Promise.all([
    import('#site/catalogue/torrents.ts'),
    import('#site/catalogue/find-torrent.ts'),
    import('#archive/catalogue/kept-torrents.ts'),
  ]);
  const { sql, clock, config, changed } = rooms;
  const title = textOf(input, 'title');
  const result = accepted(
    await addTorrent(
      { sql, clock, config: config.site, changed },
      {
        ...{ bytes: content.bytes, uploaderId: OPERATOR, isStaff: true, description: '' },
        ...{ category: textOf(input, 'category'), tags: listOf(input, 'tags') },
        ...(title === '' ? {} : { title }),
      },
    ),
  );
  const isNew = result.kind === 'added';
  const id = result.kind === 'added' ? result.torrent.id : result.existing.id;
  const files = isNew ? content.files : await filesOf(rooms, id, content);
  await keepTorrent(sql, { id, files, nowMs: clock.nowMs() });
  await rooms.events.flush();
  const torrent = await findTorrent(sql, id);
  assert(torrent !== undefined, 'a torrent is found by its id');
  return { infoHash: torrent.infoHash, isNew };
}

/** The files in the order of the torrent that was there before. */
async function filesOf(rooms: Rooms, id: number, content: Stored): Promise<Stored['files']> {
  const [{ torrentFile }, { parseMetainfo }, { matchFiles }] = await Promise.all([
    import('#site/catalogue/torrent-file.ts'),
    import('#wire/metainfo.ts'),
    import('#archive/catalogue/match-files.ts'),
  ]);
  const bytes = await torrentFile(rooms.sql, id);
  const parsed = bytes === undefined ? undefined : parseMetainfo(bytes);
  const files = parsed?.ok === true ? matchFiles(parsed.metainfo, content.files) : undefined;
  if (files === undefined) {
    const message = 'A torrent with the same pieces is there, of files that are cut elsewhere';
    throw new CliError('CLI_REFUSED', message);
  }
  return files;
}
