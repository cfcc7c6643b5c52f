// `swarmkeep store gc` and the pins that keep blobs from it.

import { type BlobRef, blobRef } from '#base/ids.ts';
import { flagOf, type Item, listOf, numberOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

const PAGE = 1000;
const NOTE = 'store pin';

export const storeGc: RoomsCommand = {
  name: 'store gc',
  summary: 'Remove blobs that nothing has referred to for a day, and give back their space.',
  example: 'swarmkeep store gc --dry-run',
  declare: (commander) =>
    commander
      .option('--dry-run', 'Say what would be removed, and change nothing.')
      .option('--without-roots', 'Go on although nothing at all refers to any blob.'),
  prepare: (words) => ({
    dryRun: words.options['dryRun'] === true,
    withoutRoots: words.options['withoutRoots'] === true,
  }),
  async run(rooms, input, output) {
    const dryRun = flagOf(input, 'dryRun');
    const garbage = await rooms.care.garbage();
    const total = (await (await rooms.store.stack()).store.stats()).blobs;
    const { givenBack, ...found } = await garbage.collect({
      ...{ signal: output.signal, dryRun, withoutRoots: flagOf(input, 'withoutRoots') },
      onProgress: ({ seen, roots }) =>
        seen === 0
          ? output.progress({ what: 'references read', done: roots, total: 0 })
          : output.progress({ what: 'blobs looked at', done: seen, total }),
    });
    const amounts = Object.entries(found).flatMap(([name, amount]) =>
      typeof amount === 'number'
        ? [[name, amount]]
        : [
            [`${name}Blobs`, amount.blobs],
            [`${name}Bytes`, amount.bytes],
          ],
    );
    const { garbageAgeMs } = rooms.config.store;
    output.item({ dryRun, ...Object.fromEntries(amounts), ...givenBack, garbageAgeMs });
  },
  text(item) {
    const [what, verb] = item['dryRun'] === true ? ['due', 'would be'] : ['removed', 'are'];
    const hours = Math.round((numberOf(item, 'garbageAgeMs') ?? 0) / 360_000) / 10;
    return [
      `${item['seenBlobs']} blobs of ${item['seenBytes']} bytes looked at, ${item['reachableBlobs']} are needed`,
      `${item[`${what}Blobs`]} blobs of ${item[`${what}Bytes`]} bytes ${verb} removed`,
      `${item['waitingBlobs']} of ${item['waitingBytes']} bytes can go when nothing has referred to them for ${hours} hours`,
      ...(item['dryRun'] === true
        ? []
        : [
            `${item['freedBytes']} bytes given back by compaction of ${item['packs']} packs; ${item['unusedBytes']} bytes that no blob uses stay until their packs are worth it`,
          ]),
    ].join('\n');
  },
};

export const storePin: RoomsCommand = {
  name: 'store pin',
  summary: 'Keep blobs from garbage collection until they are unpinned. `store put` pins too.',
  example:
    'swarmkeep store pin sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  declare: (commander) => commander.argument('<refs...>', "The blobs' names."),
  prepare: (words) => ({ refs: words.args.map(refOfWord) }),
  async run(rooms, input, output) {
    const refs = listOf(input, 'refs') as BlobRef[];
    const { store } = await rooms.store.stack();
    // Asked for first: from now on it stays for a day, and then because of its pin.
    const there = await store.stat(refs, { signal: output.signal });
    if (there.length < new Set(refs).size) {
      const known = new Set(there.map(({ ref }) => ref));
      const lacking = refs.find((ref) => !known.has(ref));
      throw new CliError('CLI_REFUSED', `There is no blob "${lacking}"; nothing was pinned`);
    }
    output.item({ pinned: await rooms.care.pins.pin(refs, NOTE), asked: there.length });
  },
  text: (item) => `${item['pinned']} blobs pinned`,
};

export const storeUnpin: RoomsCommand = {
  name: 'store unpin',
  summary: 'Let go of pinned blobs. What nothing else refers to is garbage a day later.',
  example:
    'swarmkeep store unpin sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  declare: (commander) => commander.argument('<refs...>', "The blobs' names."),
  prepare: (words) => ({ refs: words.args.map(refOfWord) }),
  async run(rooms, input, output) {
    const refs = listOf(input, 'refs') as BlobRef[];
    output.item({ unpinned: await rooms.care.pins.unpin(refs), asked: new Set(refs).size });
  },
  text: (item) => `${item['unpinned']} blobs unpinned`,
};

export const storePins: RoomsCommand = {
  name: 'store pins',
  summary: 'List pinned blobs by name, with what they were pinned for.',
  example: 'swarmkeep store pins --json',
  readOnly: true,
  declare: (commander) => commander.option('--after <ref>', 'Begin after this name.'),
  prepare: (words) => ({
    after: typeof words.options['after'] === 'string' ? refOfWord(words.options['after']) : '',
  }),
  async run(rooms, input, output) {
    let after = blobRef(textOf(input, 'after'));
    while (!output.signal.aborted) {
      const page = await rooms.care.pins.list({
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const pin of page) output.item({ ...pin } satisfies Item);
      after = page.at(-1)?.ref;
      if (after === undefined) return;
    }
  },
  text: (item) => `${item['ref']}  ${item['note']}`,
};

function refOfWord(word: string): BlobRef {
  const ref = blobRef(word);
  if (ref !== undefined) return ref;
  throw new CliError('CLI_USAGE', `"${word}" is no blob's name: "sha256-" and 64 hex digits`);
}
