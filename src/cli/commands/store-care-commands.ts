// `swarmkeep store …`: keeping blobs sound. Everything long shows how far it is and can be interrupted.

import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { codeOf } from '#base/errors.ts';
import { SystemRandom } from '#base/random.ts';
import { refuseAbsent } from '#cli/backup/backup-place.ts';
import {
  flagOf,
  type Item,
  type LocalCommand,
  numberOf,
  type Output,
  type RoomsCommand,
  textOf,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import { newKeyLine, parseKeys } from '#store/encrypt/key-file.ts';
import { giveBack } from '#store/gc/give-back.ts';
import { lostRoots } from '#store/gc/lost-roots.ts';
import { encryptedIn, rebuildManifests, type Stack } from '#store/stack/stack.ts';
import { copyStore } from '#store/sync/compare.ts';
import { verifyStack } from '#store/verify.ts';

export const storeVerify: RoomsCommand = {
  name: 'store verify',
  summary: 'Read and hash every copy of every blob. Exits 1 when one is wrong or missing.',
  example: 'swarmkeep store verify --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const stack = await rooms.store.stack();
    const total = await blobsAtBottom(stack);
    let done = 0;
    const found = await verifyStack(stack, {
      signal: output.signal,
      onBlob: () => output.progress({ what: 'blobs verified', done: ++done, total }),
    });
    const { signal } = output;
    const lost = await lostRoots(stack.store, await rooms.care.allRoots(), { signal });
    const { corrupt, damage, lacking, lackingCount } = found;
    const neededBy = new Map(lost.missing.map((one) => [one.ref, one.neededBy]));
    const missing = [...new Set([...found.missing, ...neededBy.keys()])];
    const lostCount = Math.max(missing.length, lost.missingCount);
    output.item({
      ...found,
      corrupt: corrupt.map((one) => ({ ...one })),
      lacking: lacking.map((one) => ({ ...one })),
      aside: found.aside.map((one) => ({ ...one })),
      damage: damage.map((one) => ({ ...one })),
      missing,
      missingCount: lostCount,
      neededBy: missing.map((ref) => neededBy.get(ref) ?? 'manifest'),
      unread: lost.unread.map((one) => ({ ...one })),
    });
    const isWhole = corrupt.length + lostCount + damage.length + lost.unread.length === 0;
    if (isWhole && lackingCount > 0) {
      const words = `${lackingCount} copies are missing of which another is there; \`store rebalance\` gives them back`;
      throw new CliError('CLI_FOUND_DAMAGE', words);
    }
    if (!isWhole) {
      throw new CliError(
        'CLI_FOUND_DAMAGE',
        'The store is not whole; put the blobs again, from a copy; then `store compact --damaged` lets go of what is damaged',
      );
    }
  },
  text(item) {
    const list = (key: string): readonly Item[] => item[key] as readonly Item[];
    const missing = item['missing'] as readonly string[];
    const neededBy = item['neededBy'] as readonly string[];
    const more = (count: string, shown: number) => (numberOf(item, count) ?? 0) - shown;
    const unnamed = more('missingCount', missing.length);
    const unshown = more('lackingCount', list('lacking').length);
    const unnamedParts = numberOf(item, 'unnamedParts') ?? 0;
    return [
      `${item['blobs']} blobs of ${item['bytes']} bytes are sound`,
      ...list('corrupt').map((one) =>
        one['blob'] === undefined
          ? `corrupt in ${one['store']}: ${one['ref']}`
          : `corrupt in ${one['store']}: ${one['blob']} (its part ${one['ref']})`,
      ),
      ...missing.map((ref, at) => `missing: ${ref} (needed by ${neededBy[at]})`),
      ...(unnamed > 0 ? [`missing: ${unnamed} more`] : []),
      ...list('lacking').map((one) => `no copy in ${one['store']}: ${one['ref']}`),
      ...(unshown > 0 ? [`no copy: ${unshown} more`] : []),
      ...list('unread').map((one) => `${one['source']}: ${one['why']}`),
      ...list('damage').map((one) => {
        const place = `${one['store']} ${one['pack']}, bytes ${one['start']} to ${one['end']}`;
        return one['isHeader'] === true
          ? `damaged header: ${place}; nothing is lost by it, \`store compact\` writes the pack anew`
          : `cannot be read: ${place}`;
      }),
      ...list('aside').map(
        (one) => `cut after a kill and kept aside: ${one['file']} in ${one['store']}`,
      ),
      ...(unnamedParts === 0
        ? []
        : [
            `${unnamedParts} encrypted parts are in no manifest, after a crash or because one was lost: \`store compact\` names their blobs again`,
          ]),
    ].join('\n');
  },
};

async function blobsAtBottom(stack: Stack): Promise<number> {
  let blobs = 0;
  for (const { store } of stack.leaves) blobs += (await store.stats()).blobs;
  return blobs;
}

export const storeCompact: RoomsCommand = {
  name: 'store compact',
  summary: 'Give back the space of removed blobs.',
  example: 'swarmkeep store compact',
  declare: (commander) =>
    commander.option(
      '--damaged',
      'Also write packs anew that are damaged. What cannot be read of them is lost for good then: put it again before.',
    ),
  prepare: (words) => ({ damaged: words.options['damaged'] === true }),
  async run(rooms, input, output) {
    const stack = await rooms.store.stack();
    const options = { signal: output.signal, givesUp: flagOf(input, 'damaged') };
    const givenBack = await giveBack(stack, options);
    rooms.store.tellDamage(stack);
    output.item({ ...givenBack, givenUp: [...givenBack.givenUp] });
    if (givenBack.kept > 0) {
      const words = `${givenBack.kept} packs were left alone because they are damaged; \`store verify\` tells what of them cannot be read, and --damaged writes them anew`;
      throw new CliError('CLI_FOUND_DAMAGE', words);
    }
  },
  text: (item) =>
    `${item['freedBytes']} bytes given back from ${item['packs']} packs` +
    (item['kept'] === 0 ? '' : `; ${item['kept']} packs were left alone`) +
    (item['named'] === 0 ? '' : `\n${item['named']} blobs that no manifest named are named again`) +
    (item['unreadable'] === 0
      ? ''
      : `\n${item['unreadable']} encrypted parts that no manifest names cannot be read, and stay`) +
    (item['givenUp'] as readonly string[]).map((ref) => `\ngiven up: ${ref}`).join(''),
};

export const storeSync: RoomsCommand = {
  name: 'store sync',
  summary: 'Copy what one store has and another lacks. "current" is the configured one.',
  example: 'swarmkeep store sync current "directory(/mnt/backup)"',
  declare: (commander) =>
    commander
      .argument('<from>', 'A line of stores as in store.stack, or "current".')
      .argument('<to>', 'The same.'),
  prepare: (words) => ({ from: words.args[0] ?? '', to: words.args[1] ?? '' }),
  run: (rooms, input, output) => copyBetween(rooms, input, output),
  text: copiedText,
};

export const storeMigrate: RoomsCommand = {
  name: 'store migrate',
  summary: 'Bring all blobs to another store while serving; then set store.stack to it.',
  example: 'swarmkeep store migrate current "encrypt > s3"',
  declare: storeSync.declare!,
  prepare: storeSync.prepare!,
  run: (rooms, input, output) => copyBetween(rooms, input, output),
  text: (item) =>
    item['failed'] === 0
      ? `${copiedText(item)}. Set store.stack = "${item['to']}" and start again; the old store is as it was.`
      : copiedText(item),
};

async function copyBetween(rooms: Rooms, input: Item, output: Output): Promise<void> {
  const current = await rooms.store.stack();
  const withStack = (text: string, run: (stack: Stack) => Promise<void>): Promise<void> => {
    if (text === 'current' || text === current.text) return run(current);
    // What a sync has open cannot be opened again.
    const open = rooms.syncs.stackOf(text);
    return open === undefined ? rooms.store.withOther(text, run) : run(open);
  };
  // A mistyped folder, or that of a disk that is not mounted, is no store that happens to be empty.
  if (textOf(input, 'from') !== 'current') refuseAbsent(textOf(input, 'from'));
  await withStack(textOf(input, 'from'), (from) =>
    withStack(textOf(input, 'to'), (to) => copyStack({ from, to, rooms, output })),
  );
}

async function copyStack(work: {
  readonly from: Stack;
  readonly to: Stack;
  readonly rooms: Rooms;
  readonly output: Output;
}): Promise<void> {
  const { from, to, rooms, output } = work;
  if (from === to) throw new CliError('CLI_USAGE', 'Both are the same store');
  const total = (await from.store.stats()).blobs;
  const { failures, failedPrefixes, ...copied } = await copyStore(from.store, to.store, {
    ...{ clock: rooms.clock, signal: output.signal },
    onProgress: ({ seen }) => output.progress({ what: 'blobs', done: seen, total }),
  });
  const failed = failures.map((one) => ({ ...one }));
  const prefixes = failedPrefixes.map((one) => ({ ...one }));
  output.item({
    ...{ from: from.text, to: to.text, ...copied, failures: failed },
    failedPrefixes: prefixes,
  });
  if (copied.failed > 0) {
    const words = `${copied.failed} blobs could not be copied; they stay where they are`;
    throw new CliError('CLI_FOUND_DAMAGE', words);
  }
  if (prefixes.length > 0) {
    const words = `${prefixes.length} parts of the stores could not be compared; do it again`;
    throw new CliError('CLI_FOUND_DAMAGE', words);
  }
}

function copiedText(item: Item): string {
  const failures = (item['failures'] as readonly Item[]).map(
    (one) => `\n${one['code']}: ${one['ref']}`,
  );
  return `${item['seen']} blobs seen, ${item['copied']} of ${item['copiedBytes']} bytes copied${failures.join('')}`;
}

export const storeReencrypt: RoomsCommand = {
  name: 'store reencrypt',
  summary: "Encrypt with the key file's first key what an older one encrypts.",
  example: 'swarmkeep store reencrypt',
  async run(rooms, _input, output) {
    const stack = await rooms.store.stack();
    if (stack.encrypted.length === 0)
      throw new CliError('CLI_USAGE', 'Nothing in store.stack encrypts');
    let blobs = 0;
    // A store has the keys of the moment it was opened. With those it would find nothing to do, and
    // whoever then takes the old key out of the file loses everything.
    const newest = parseKeys(readKeyFile(rooms.config.store.keyFile))[0]?.id;
    if (stack.encrypted.some((store) => store.keyId !== newest)) {
      throw new CliError(
        'CLI_REFUSED',
        'The server still encrypts with an older key: start it again, so that it reads the key file, and repeat this',
      );
    }
    for (const store of stack.encrypted) {
      const total = (await store.stats()).blobs;
      let done = 0;
      const onDone = () => output.progress({ what: 'blobs', done: ++done, total });
      blobs += await store.reencrypt({ signal: output.signal, onDone });
    }
    output.item({ blobs });
  },
  text: (item) => `${item['blobs']} blobs encrypted anew`,
};

export const storeRebuild: RoomsCommand = {
  name: 'store rebuild',
  summary: "Make an encrypted store's manifest anew from its parts, which are all read for it.",
  example: 'swarmkeep store rebuild',
  async run(rooms, _input, output) {
    const text = rooms.config.store.stack;
    const unreadable: string[] = [];
    // Said before anything is closed for it.
    encryptedIn(text);
    await refuseWithoutKey(rooms);
    await rooms.store.release();
    const blobs = await rebuildManifests(rooms.store.world, text, (part) => {
      if (unreadable.length < 1000) unreadable.push(part);
    });
    output.item({ blobs, unreadable });
    if (unreadable.length === 0) return;
    const words = `${unreadable.length} parts cannot be read: they are rotten, or their key is not in the key file; with it \`store compact\` names their blobs again`;
    throw new CliError('CLI_FOUND_DAMAGE', words);
  },
  text: (item) =>
    `${item['blobs']} blobs found, ${(item['unreadable'] as readonly string[]).length} parts cannot be read`,
};

/** What is known of parts with another key would be forgotten. @throws StoreError STORE_KEY_MISSING */
async function refuseWithoutKey(rooms: Rooms): Promise<void> {
  try {
    await rooms.store.stack();
  } catch (error) {
    // Anything else may be why a manifest has to be made anew.
    if (codeOf(error) === 'STORE_KEY_MISSING') throw error;
  }
}

export const storeRebalance: RoomsCommand = {
  name: 'store rebalance',
  summary:
    'Move blobs to the shard they belong to, after one was added or taken out, and give each member of a replica what it lacks.',
  example: 'swarmkeep store rebalance',
  async run(rooms, _input, output) {
    const stack = await rooms.store.stack();
    const sum = { moved: 0, movedBytes: 0, copied: 0, copiedBytes: 0, failed: [] as string[] };
    for (const store of stack.placed) {
      const { moved, movedBytes, failed } = await store.rebalance({
        signal: output.signal,
        onMoved: () => output.progress({ what: 'blobs moved', done: sum.moved, total: 0 }),
      });
      sum.moved += moved;
      sum.movedBytes += movedBytes;
      sum.failed.push(...failed);
    }
    for (const { store } of stack.replicas) {
      const { copied, copiedBytes, failed } = await store.mend({ signal: output.signal });
      sum.copied += copied;
      sum.copiedBytes += copiedBytes;
      sum.failed.push(...failed);
    }
    output.item(sum);
    if (sum.failed.length > 0) {
      const words = `${sum.failed.length} blobs could not be moved or copied; they stay where they are`;
      throw new CliError('CLI_FOUND_DAMAGE', words);
    }
  },
  text: (item) =>
    `${item['moved']} blobs of ${item['movedBytes']} bytes moved` +
    (item['copied'] === 0
      ? ''
      : `, ${item['copied']} of ${item['copiedBytes']} bytes copied to members that lacked them`) +
    (item['failed'] as readonly string[]).map((ref) => `\nfailed: ${ref}`).join(''),
};

export const storeKeys: LocalCommand = {
  local: true,
  name: 'store keys',
  summary: 'Make a key file for an encrypted store, or put a new key above the old ones.',
  example: 'swarmkeep store keys new /etc/swarmkeep/store.keys',
  declare: (commander) =>
    commander.argument('<what>', '"new" or "rotate".').argument('<file>', 'The key file.'),
  prepare: (words) => ({ what: words.args[0] ?? '', file: words.args[1] ?? '' }),
  async runLocal(_options, input, output) {
    const [what, file] = [textOf(input, 'what'), textOf(input, 'file')];
    const random = new SystemRandom();
    if (what === 'new') {
      if (existsSync(file))
        throw new CliError('CLI_USAGE', `"${file}" is there already; nothing was changed`);
      writeFileSync(file, newKeyLine(random), { mode: 0o600, flag: 'wx', flush: true });
      syncFolderOf(file);
    } else if (what === 'rotate') {
      const old = readKeyFile(file);
      parseKeys(old);
      // On disk before it takes the name: a cut of power must not leave an empty file in place of all keys.
      rmSync(`${file}.new`, { force: true });
      const text = `${newKeyLine(random)}${old}`;
      writeFileSync(`${file}.new`, text, { mode: 0o600, flag: 'wx', flush: true });
      const { uid, gid } = statSync(file);
      // Whoever rotates may be root, and the server's account must still read it.
      if (process.getuid?.() === 0) chownSync(`${file}.new`, uid, gid);
      renameSync(`${file}.new`, file);
      syncFolderOf(file);
    } else throw new CliError('CLI_USAGE', `"${what}" is neither "new" nor "rotate"`);
    chmodSync(file, 0o600);
    const keys = parseKeys(readKeyFile(file)).map(({ id }) => id);
    output.item({ file, keys });
  },
  text: (item) =>
    `${item['file']} has ${(item['keys'] as readonly string[]).length} keys. Keep a copy elsewhere: without it nothing can be decrypted.`,
};

function syncFolderOf(file: string): void {
  const folder = openSync(dirname(resolve(file)), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (cause) {
    throw new CliError('CLI_USAGE', `Cannot read "${file}"`, { cause });
  }
}
