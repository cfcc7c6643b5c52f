// `swarmkeep backup …`: the whole of a data folder into a store, while the server runs, and looking after
// what lies there.

import {
  assertAbsolute,
  CURRENT,
  placeOfWord,
  withPlace,
  withReadPlace,
} from '#cli/backup/backup-place.ts';
import {
  flagOf,
  type Item,
  numberOf,
  type Options,
  type Output,
  type RoomsCommand,
  textOf,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { StoreRoom } from '#cli/store-room.ts';
import { type KnownBackup, lackingIn } from '#store/backup/backup-set.ts';

const MOUNTED =
  "See that the store's disk is mounted and `store verify` finds nothing, then make another";
const PLACE_WORDS = 'A folder, a line of stores as in store.stack, or "current" for the own store.';

export const backup: RoomsCommand = {
  name: 'backup',
  summary: 'Back up database, log, baselines, keys, settings and blobs, also of a running server.',
  example: 'swarmkeep backup /mnt/backup --keep 14',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<place>', PLACE_WORDS)
      .option('--keep <n>', 'Then forget all but the newest so many whole backups of this server.'),
  prepare: (words) => {
    const { keep } = words.options;
    const count = keep === undefined ? null : Number(keep);
    if (count !== null && !(Number.isSafeInteger(count) && count >= 1)) {
      throw new CliError('CLI_USAGE', `--keep "${keep}" is no whole number from 1 on`);
    }
    return { place: placeOfWord(words.args[0] ?? ''), keep: count };
  },
  async run(rooms, input, output) {
    const { makeBackup } = await import('#cli/backup/make-backup.ts');
    const { made, forgotten, lacking } = await makeBackup(rooms, {
      place: textOf(input, 'place'),
      keep: numberOf(input, 'keep'),
      makesPlace: true,
      signal: output.signal,
      progress: (what, done, total) => output.progress({ what, done, total }),
    });
    const { files, bytes, newBlobs, newBytes } = made;
    const failed = made.failed.map((one) => ({ ...one }));
    const unread = made.unread.map((one) => ({ ...one }));
    output.item({
      ...{ ...shown(made.backup), files, bytes, newBlobs, newBytes, forgotten, failed },
      unread,
    });
    if (lacking === 0) return;
    throw new CliError('CLI_FOUND_DAMAGE', `The backup is incomplete. ${MOUNTED}`);
  },
  text: (item) =>
    `backup ${item['id']} of ${item['time']}: ${item['bytes']} bytes in ${item['files']} files and ` +
    `${item['contentBlobs']} blobs; ${item['newBytes']} bytes were new` +
    (item['forgotten'] === 0 ? '' : `; ${item['forgotten']} older ones forgotten`) +
    incompleteText(item) +
    [
      ...(item['failed'] as readonly Item[]).map(
        (one) => `\nnot in it: ${one['ref']} (${one['code']})`,
      ),
      ...(item['unread'] as readonly Item[]).map(
        (one) => `\nnot all of "${one['source']}" is in it: ${one['why']}`,
      ),
    ].join(''),
};

export const backupList: RoomsCommand = {
  name: 'backup list',
  summary: 'List the backups of a place, newest first.',
  example: 'swarmkeep backup list /mnt/backup',
  readOnly: true,
  declare: (commander) => commander.argument('<place>', PLACE_WORDS),
  prepare: (words) => ({ place: placeOfWord(words.args[0] ?? '') }),
  run: (rooms, input, output) => listBackups(rooms.store, input, output),
  runWithoutData: (options, input, output) =>
    withSource(options, input, (room) => listBackups(room, input, output)),
  text: (item) =>
    `${item['id']}  ${item['time']}  ${item['bytes']} bytes, ${item['contentBlobs']} blobs` +
    incompleteText(item),
};

export const backupVerify: RoomsCommand = {
  name: 'backup verify',
  summary: 'Read and hash everything that backups are made of. Exits 1 when a byte is wrong.',
  example: 'swarmkeep backup verify /mnt/backup',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<place>', PLACE_WORDS)
      .option('--newest', 'Only the newest backup; else all of them.', false),
  prepare: (words) => ({
    place: placeOfWord(words.args[0] ?? ''),
    newest: words.options['newest'] === true,
  }),
  run: (rooms, input, output) => verify(rooms.store, input, output),
  runWithoutData: (options, input, output) =>
    withSource(options, input, (room) => verify(room, input, output)),
  text(item) {
    const damaged = item['damaged'] as readonly Item[];
    return [
      `${item['backups']} backups, ${item['blobs']} blobs of ${item['bytes']} bytes read`,
      ...damaged.map((one) => `backup ${one['backup']}: ${one['what']}: ${one['why']}`),
    ].join('\n');
  },
};

async function listBackups(room: StoreRoom, input: Item, output: Output): Promise<void> {
  await withReadPlace(room, textOf(input, 'place'), async (backups) => {
    for (const one of await backups.list({ signal: output.signal })) output.item(shown(one));
  });
}

async function verify(room: StoreRoom, input: Item, output: Output): Promise<void> {
  const { verifyBackups } = await import('#store/backup/verify-backups.ts');
  const { signal } = output;
  await withPlace(room, textOf(input, 'place'), async (backups) => {
    const all = await backups.list({ signal });
    const found = await verifyBackups(backups, flagOf(input, 'newest') ? all.slice(0, 1) : all, {
      signal,
      onBlob: (done) => output.progress({ what: 'blobs verified', done, total: 0 }),
    });
    output.item({ ...found, damaged: found.damaged.map((one) => ({ ...one })) });
    if (found.damaged.length === 0) return;
    throw new CliError('CLI_FOUND_DAMAGE', `${found.damaged.length} damaged places`);
  });
}

/** On a machine that has no data folder: before a restore, for instance. */
async function withSource(
  options: Options,
  input: Item,
  run: (room: StoreRoom) => Promise<void>,
): Promise<void> {
  const { sourceRoom } = await import('#cli/backup/restore-source.ts');
  const place = textOf(input, 'place');
  if (place === CURRENT)
    throw new CliError('CLI_USAGE', 'There is no data folder, and so no store');
  assertAbsolute(place);
  const room = sourceRoom(options);
  try {
    await run(room);
  } finally {
    await room.close();
  }
}

export function shown({ ref, manifest }: KnownBackup): Item {
  const { madeMs, program, log, sql, files, bytes, content } = manifest;
  return {
    id: idOf(ref),
    time: new Date(madeMs).toISOString(),
    ...{ madeMs, program, sql, files, bytes },
    log: log.id,
    contentBlobs: content.blobs,
    contentBytes: content.bytes,
    isCopied: content.isCopied,
    lackingBlobs: lackingIn({ ref, manifest }),
  };
}

function incompleteText(item: Item): string {
  const lacking = item['lackingBlobs'];
  return lacking === 0 ? '' : `; INCOMPLETE: ${lacking} blobs that were needed are not in it`;
}

/** What a person types: the first digits of the manifest's hash. */
function idOf(ref: string): string {
  return ref.slice('sha256-'.length, 'sha256-'.length + 12);
}
