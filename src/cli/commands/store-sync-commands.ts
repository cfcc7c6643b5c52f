// `swarmkeep store syncs` and what they could not copy.

import { type BlobRef, blobRef } from '#base/ids.ts';
import { flagOf, type Item, listOf, type RoomsCommand } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

const PAGE = 1000;

export const storeSyncs: RoomsCommand = {
  name: 'store syncs',
  summary: 'Show each of store.syncs: how far it is behind, when it was compared, what failed.',
  example: 'swarmkeep store syncs --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const nowMs = rooms.clock.nowMs();
    for (const { lag, ...status } of await rooms.syncs.status()) {
      const { comparedMs = null, sampledMs = null, prefix = null, isOwed, ...rest } = status;
      output.item({
        ...{ ...rest, failedPrefixes: [...rest.failedPrefixes] },
        lagBlobs: lag.blobs,
        lagSeconds: lag.sinceMs === undefined ? 0 : Math.max(0, nowMs - lag.sinceMs) / 1000,
        // Of 256; null while none is under way.
        comparedPrefixes: prefix,
        isComparisonDue: isOwed,
        ...{ comparedMs, sampledMs },
      });
    }
  },
  text(item) {
    const compared = item['comparedMs'];
    const [under, failures] = [item['comparedPrefixes'], item['unacknowledged']];
    const parts = [
      `${item['lagBlobs']} blobs and ${Math.round(Number(item['lagSeconds']))} seconds behind`,
      item['isOpen'] === true ? 'open' : 'not open',
      under === null ? '' : `${under} of 256 prefixes compared`,
      compared === null
        ? 'never compared to the end'
        : `compared ${new Date(Number(compared)).toISOString()}`,
      failures === 0 ? '' : `${failures} failures to look at: store failures`,
    ];
    return `${item['sync']}: ${parts.filter((part) => part !== '').join('; ')}`;
  },
};

export const storeFailures: RoomsCommand = {
  name: 'store failures',
  summary: 'List blobs that syncs could not copy or found rotten, until they are acknowledged.',
  example: 'swarmkeep store failures',
  readOnly: true,
  async run(rooms, _input, output) {
    let after: { readonly sync: string; readonly ref: BlobRef } | undefined;
    while (!output.signal.aborted) {
      const page = await rooms.syncs.book.unacknowledged({
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const failure of page) output.item({ ...failure } satisfies Item);
      after = page.at(-1);
      if (after === undefined) return;
    }
  },
  text: (item) =>
    `${item['ref']}  ${item['code']}  ${item['sync']}  ${item['tries']} times, last ${new Date(Number(item['lastMs'])).toISOString()}${item['isCopied'] === true ? ', copied since' : ''}`,
};

export const storeAck: RoomsCommand = {
  name: 'store ack',
  summary: 'Acknowledge failures of syncs. What still fails is tried on, and not listed again.',
  example: 'swarmkeep store ack --all',
  declare: (commander) =>
    commander
      .argument('[refs...]', "The blobs' names.")
      .option('--all', 'All that are listed now.'),
  prepare(words) {
    const all = words.options['all'] === true;
    if (all === words.args.length > 0) {
      throw new CliError('CLI_USAGE', 'Name blobs, or say --all');
    }
    return { all, refs: words.args.map(refOfWord) };
  },
  async run(rooms, input, output) {
    const refs = flagOf(input, 'all') ? undefined : (listOf(input, 'refs') as BlobRef[]);
    output.item({ acknowledged: await rooms.syncs.book.acknowledge(refs) });
  },
  text: (item) => `${item['acknowledged']} failures acknowledged`,
};

function refOfWord(word: string): BlobRef {
  const ref = blobRef(word);
  if (ref !== undefined) return ref;
  throw new CliError('CLI_USAGE', `"${word}" is no blob's name: "sha256-" and 64 hex digits`);
}
