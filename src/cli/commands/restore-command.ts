// `swarmkeep restore`: a new data folder from a backup. Works without any data folder, on a machine that
// has nothing yet.

import { assertAbsolute, CURRENT, placeOfWord, withReadPlace } from '#cli/backup/backup-place.ts';
import { type LocalCommand, type Options, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { type KnownBackup, lackingIn } from '#store/backup/backup-set.ts';
import { shown } from './backup-commands.ts';

export const restoreCommand: LocalCommand = {
  local: true,
  name: 'restore',
  summary: 'Make a data folder from a backup and verify it; --data must not be there, or be empty.',
  example: 'swarmkeep restore /mnt/backup --data /srv/swarmkeep',
  declare: (commander) =>
    commander
      .argument('<place>', 'A folder, or a line of stores as in store.stack.')
      .option(
        '--at <when>',
        'The newest backup made by then (2026-01-31T12:00:00Z), or an id of `backup list`; the newest unless given.',
      ),
  prepare: (words) => {
    const word = words.args[0] ?? '';
    if (word === CURRENT) {
      throw new CliError(
        'CLI_USAGE',
        'Name the store with its whole path, as packed(/old/store/packed)',
      );
    }
    const place = placeOfWord(word);
    assertAbsolute(place);
    const { at } = words.options;
    return { place, at: typeof at === 'string' ? at : '' };
  },
  async runLocal(options, input, output) {
    const { restore } = await import('#cli/backup/restore.ts');
    const { sourceRoom } = await import('#cli/backup/restore-source.ts');
    const { signal } = output;
    const interrupt = new AbortController();
    const stop = (): void => interrupt.abort();
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    const both = AbortSignal.any([signal, interrupt.signal]);
    const room = sourceRoom(options as Options);
    try {
      await withReadPlace(room, textOf(input, 'place'), async (backups) => {
        const backup = chosen(await backups.list({ signal: both }), textOf(input, 'at'));
        const restored = await restore({
          ...{ options, backups, backup, signal: both },
          progress: (what, done, total) => output.progress({ what, done, total }),
        });
        const lacking = lackingIn(backup);
        const findings = [...restored.findings];
        if (lacking > 0) {
          findings.push(
            `The backup was incomplete when it was made: ${lacking} blobs that were needed are not in it. An earlier one may have them: --at`,
          );
        }
        output.item({ ...shown(backup), ...restored, findings });
        if (findings.length === 0) return;
        throw new CliError('CLI_FOUND_DAMAGE', `${findings.length} findings`);
      });
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      await room.close();
    }
  },
  text: (item) =>
    [
      `restored to ${item['data']}: the backup ${item['id']} of ${item['time']}; ` +
        `${item['records']} transfers audited, ${item['contentBlobs']} blobs`,
      ...(item['findings'] as readonly string[]),
    ].join('\n'),
};

function chosen(backups: readonly KnownBackup[], at: string): KnownBackup {
  const byId = backups.filter(({ ref }) => ref.slice('sha256-'.length).startsWith(at));
  const [newest] = backups;
  if (newest === undefined) throw new CliError('CLI_NOT_FOUND', 'There is no backup in that place');
  if (at === '') return newest;
  if (/^[0-9a-f]{6,64}$/.test(at) && byId.length > 1) {
    throw new CliError('CLI_USAGE', `${byId.length} backups begin with "${at}"`);
  }
  const [named] = /^[0-9a-f]{6,64}$/.test(at) ? byId : [];
  if (named !== undefined) return named;
  const atMs = Date.parse(at);
  if (Number.isNaN(atMs)) {
    throw new CliError('CLI_USAGE', `--at "${at}" is neither a time nor a backup's id`);
  }
  const before = backups.find(({ manifest }) => manifest.madeMs <= atMs);
  if (before !== undefined) return before;
  throw new CliError('CLI_NOT_FOUND', `No backup was made by ${at}; the first is later`);
}
