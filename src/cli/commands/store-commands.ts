// `swarmkeep store …`: blobs in and out. Bytes pass the server's socket in base64, a blob at a time.

import { readFileSync, writeFileSync } from 'node:fs';
import { codeOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { type Item, listOf, numberOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { readStandardInput } from '#cli/standard-input.ts';
import { BLOB_BYTES_MAX } from '#store/store.ts';

const PAGE = 1000;
/** In base64 they must fit a request to the server. */
const PUT_BYTES_MAX = 22 * 1024 * 1024;

function refOfWord(word: string): BlobRef {
  const ref = blobRef(word);
  if (ref !== undefined) return ref;
  throw new CliError('CLI_USAGE', `"${word}" is no blob's name: "sha256-" and 64 hex digits`);
}

export const storePut: RoomsCommand = {
  name: 'store put',
  summary:
    'Store files as blobs, each of at most 16 MiB; "-" is standard input. Answered when on disk.',
  example: 'swarmkeep store put notes.txt picture.jpg',
  declare: (commander) => commander.argument('<files...>', 'Files, or "-".'),
  async prepare(words) {
    const files: Item[] = [];
    let total = 0;
    for (const path of words.args) {
      const bytes = path === '-' ? await readStandardInput() : readWhole(path);
      if (bytes.byteLength > BLOB_BYTES_MAX) {
        throw new CliError('CLI_USAGE', `Cannot put "${path}": a blob has at most 16 MiB`);
      }
      total += bytes.byteLength;
      if (total > PUT_BYTES_MAX) {
        throw new CliError(
          'CLI_USAGE',
          'Cannot put more than 22 MiB at once: call it again for the rest',
        );
      }
      files.push({ path, bytes: Buffer.from(bytes).toString('base64') });
    }
    return { files };
  },
  async run(rooms, input, output) {
    const { store } = await rooms.store.stack();
    const files = input['files'] as readonly Item[];
    for (const [at, file] of files.entries()) {
      const bytes = Buffer.from(textOf(file, 'bytes'), 'base64');
      const put = await store.put(bytes, { signal: output.signal });
      // Nothing else refers to what a person puts.
      await rooms.care.pins.pin([put.ref], textOf(file, 'path'));
      output.progress({ what: 'stored', done: at + 1, total: files.length });
      output.item({ ...put, path: textOf(file, 'path') });
    }
  },
  text: (item) =>
    `${item['ref']}  ${item['new'] === true ? 'stored' : 'there already'}  ${item['path']}`,
};

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CliError('CLI_USAGE', `Cannot read "${path}" (${codeOf(cause)})`, { cause });
  }
}

export const storeGet: RoomsCommand = {
  name: 'store get',
  summary: 'Write one blob to standard output or a file. Every byte was verified before.',
  example:
    'swarmkeep store get sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 -o hello',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<ref>', "The blob's name.")
      .option('-o, --output <file>', 'Write it there.'),
  prepare: (words) => ({
    ref: refOfWord(words.args[0] ?? ''),
    path: typeof words.options['output'] === 'string' ? words.options['output'] : '',
  }),
  async run(rooms, input, output) {
    const ref = textOf(input, 'ref') as BlobRef;
    const { store } = await rooms.store.stack();
    const bytes = await store.get(ref, { signal: output.signal });
    const body = Buffer.from(bytes).toString('base64');
    output.item({ ref, bytes: bytes.byteLength, body, path: textOf(input, 'path') });
  },
  deliver(item) {
    const body = Buffer.from(textOf(item, 'body'), 'base64');
    const path = textOf(item, 'path');
    if (path === '') {
      process.stdout.write(body);
      return undefined;
    }
    writeFileSync(path, body);
    return { ref: item['ref'] ?? '', bytes: item['bytes'] ?? 0, path };
  },
  text: (item) => `${item['bytes']} bytes in ${item['path']}`,
};

export const storeLs: RoomsCommand = {
  name: 'store ls',
  summary: 'List blobs by name, with their sizes.',
  example: 'swarmkeep store ls --limit 20',
  readOnly: true,
  declare: (commander) =>
    commander
      .option('--after <ref>', 'Begin after this name.')
      .option('--limit <n>', 'At most so many; all unless given.'),
  prepare: (words) => {
    const { after, limit } = words.options;
    const count = limit === undefined ? null : Number(limit);
    if (count !== null && !(Number.isSafeInteger(count) && count >= 1)) {
      throw new CliError('CLI_USAGE', `--limit "${limit}" is no whole number from 1 on`);
    }
    return { after: typeof after === 'string' ? refOfWord(after) : '', limit: count };
  },
  async run(rooms, input, output) {
    const { store } = await rooms.store.stack();
    let left = numberOf(input, 'limit') ?? Number.MAX_SAFE_INTEGER;
    let after = blobRef(textOf(input, 'after'));
    while (left > 0 && !output.signal.aborted) {
      const from = after === undefined ? {} : { after };
      const page = await store.list({ limit: Math.min(PAGE, left), ...from });
      for (const { ref, bytes } of page) output.item({ ref, bytes });
      left -= page.length;
      after = page.at(-1)?.ref;
      if (after === undefined) return;
    }
  },
  text: (item) => `${item['ref']}  ${item['bytes']}`,
};

export const storeStat: RoomsCommand = {
  name: 'store stat',
  summary: 'Which of these blobs are there. Exits 1 when one is not.',
  example:
    'swarmkeep store stat sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  readOnly: true,
  declare: (commander) => commander.argument('<refs...>', 'Names of blobs.'),
  prepare: (words) => ({ refs: words.args.map(refOfWord) }),
  async run(rooms, input, output) {
    const refs = listOf(input, 'refs') as BlobRef[];
    const { store } = await rooms.store.stack();
    const found = new Map((await store.stat(refs)).map((info) => [info.ref, info.bytes]));
    for (const ref of refs) output.item({ ref, bytes: found.get(ref) ?? null });
    const lacking = refs.filter((ref) => !found.has(ref)).length;
    if (lacking > 0) {
      throw new CliError('CLI_NOT_FOUND', `${lacking} of ${refs.length} blobs are not there`);
    }
  },
  text: (item) => `${item['ref']}  ${item['bytes'] === null ? 'missing' : item['bytes']}`,
};

export const storeRm: RoomsCommand = {
  name: 'store rm',
  summary: 'Remove blobs for good. A missing one is no error.',
  example:
    'swarmkeep store rm sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  declare: (commander) => commander.argument('<refs...>', 'Names of blobs.'),
  prepare: (words) => ({ refs: words.args.map(refOfWord) }),
  async run(rooms, input, output) {
    const refs = listOf(input, 'refs') as BlobRef[];
    const { store } = await rooms.store.stack();
    output.item({ removed: await store.remove(refs, { signal: output.signal }) });
  },
  text: (item) => `${item['removed']} removed`,
};

export const storeStats: RoomsCommand = {
  name: 'store stats',
  summary: 'How much the store holds, as a whole and in each store at its bottom.',
  example: 'swarmkeep store stats --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const stack = await rooms.store.stack();
    const stores: Item[] = [];
    for (const { name, store } of stack.leaves) stores.push({ name, ...(await store.stats()) });
    const caches = stack.caches.map((cache) => ({ ...cache.counts }));
    output.item({ stack: stack.text, ...(await stack.store.stats()), stores, caches });
  },
  text(item) {
    const line = (of: Item): string =>
      `${of['blobs']} blobs of ${of['bytes']} bytes, ${of['storedBytes']} bytes on the medium`;
    const stores = (item['stores'] as readonly Item[]).map(
      (one) => `  ${one['name']}: ${line(one)}`,
    );
    return [`${item['stack']}: ${line(item)}`, ...stores].join('\n');
  },
};
