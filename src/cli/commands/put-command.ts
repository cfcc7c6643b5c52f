// `swarmkeep put PATH`: a file or folder of this machine becomes a torrent of the catalogue, and its
// content the archive's. It is read once.

import { resolve } from 'node:path';
import { listOf, type Output, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { MetainfoRequest } from '#wire/metainfo-maker.ts';

const VERSIONS = ['v1', 'v2', 'hybrid'] as const;
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
    const [{ readContentFolder }, { putTorrent }] = await Promise.all([
      import('#cli/content-folder.ts'),
      import('#cli/put/put-torrent.ts'),
    ]);
    const folder = await readContentFolder(textOf(input, 'path'));
    const title = textOf(input, 'title');
    const put = await putTorrent(rooms, {
      ...{ folder, signal: output.signal, description: '' },
      version: textOf(input, 'version') as MetainfoRequest['version'],
      ...{ category: textOf(input, 'category'), tags: listOf(input, 'tags') },
      ...(title === '' ? {} : { title }),
      onBytes: progressOf(folder.sizeBytes, output),
    });
    output.item({
      ...{ infoHash: put.infoHash, name: folder.name, new: put.isNew },
      ...{ torrentVersion: put.version, askedVersion: textOf(input, 'version') },
      ...{ files: put.files, sizeBytes: folder.sizeBytes, newBytes: put.newBytes },
      leftOut: folder.leftOut,
    });
  },
  text(item) {
    const left = item['leftOut'] === 0 ? '' : `\n  ${item['leftOut']} links or devices left out`;
    const other =
      item['torrentVersion'] === item['askedVersion'] ? '' : ` as ${item['torrentVersion']}`;
    const was =
      item['new'] === true ? '' : `\n  The torrent was there already${other}; it is kept now.`;
    return `${item['infoHash']}  ${item['name']}\n  ${item['files']} files, ${item['sizeBytes']} bytes, ${item['newBytes']} of them new to the archive${left}${was}`;
  },
};

/** Told once in so many bytes. */
function progressOf(total: number, output: Output): (bytes: number) => void {
  let done = 0;
  let told = 0;
  return (bytes) => {
    done += bytes;
    if (done - told < PROGRESS_BYTES) return;
    told = done;
    output.progress({ what: 'bytes stored', done, total });
  };
}
