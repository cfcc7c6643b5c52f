// `swarmkeep store …`: blobs in and out, as a thin shell over a Store: the far one that --url names, the
// running server's, or the data folder's own (store-place.ts).

import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { codeOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import {
  type Item,
  type LocalCommand,
  listOf,
  numberOf,
  type RoomsCommand,
  textOf,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { OutputFile } from '#cli/output-file.ts';
import { readStandardInput } from '#cli/standard-input.ts';
import { declareStoreUrl, withStore } from '#cli/store-place.ts';
import { BLOB_BYTES_MAX, statSound } from '#store/store.ts';

const PAGE = 1000;
/** Of a file that is larger than a blob may be. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Puts on their way, so that many small files share a sync; with the bytes they may have. */
const PUTS_AT_ONCE = 256;
const BYTES_AT_ONCE = 64 * 1024 * 1024;

function refOfWord(word: string): BlobRef {
  const ref = blobRef(word);
  if (ref !== undefined) return ref;
  throw new CliError('CLI_USAGE', `"${word}" is no blob's name: "sha256-" and 64 hex digits`);
}

export const storePut: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'store put',
  summary:
    'Store files as blobs; "-" is standard input. What is larger than 16 MiB becomes several blobs of 4 MiB, in order. Answered when on disk; it stays until `store unpin`.',
  example: 'swarmkeep store put notes.txt picture.jpg',
  declare: (commander) => {
    commander.argument('<files...>', 'Files, or "-".');
    declareStoreUrl(commander);
  },
  prepare(words) {
    for (const path of words.args) if (path !== '-') sizeOf(path);
    return { files: words.args };
  },
  runLocal: (options, input, output) =>
    withStore(options, { output, isWriting: true }, async ({ store, pin }) => {
      const files = listOf(input, 'files');
      const total = files.reduce((sum, path) => sum + (path === '-' ? 0 : sizeOf(path)), 0);
      const standardInput = files.includes('-') ? await readStandardInput() : undefined;
      let done = 0;
      // Answers come in the order of the files, with many blobs on their way.
      await inOrder(
        segmentsOfAll(files, standardInput),
        async ({ bytes }, isWaitedFor) => {
          const put = await store.put(bytes, { noRush: !isWaitedFor, signal: output.signal });
          await pin([put.ref]);
          return put;
        },
        (put, { path, isWhole, offset }) => {
          done += put.bytes;
          output.progress({ what: 'bytes stored', done, total: Math.max(total, done) });
          output.item({ ...put, path, ...(isWhole ? {} : { offset }) });
        },
      );
    }),
  text: (item) =>
    `${item['ref']}  ${item['new'] === true ? 'stored' : 'there already'}  ${item['path']}`,
};

interface Segment {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** The file is one blob. */
  readonly isWhole: boolean;
}

/** @throws CliError CLI_USAGE */
function sizeOf(path: string): number {
  try {
    const found = statSync(path);
    if (found.isFile()) return found.size;
    // A pipe may say nothing for ever, and a device may never end: nobody else would get the store meanwhile.
    if (!found.isDirectory()) throw new CliError('CLI_USAGE', noFile(path));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError('CLI_USAGE', `Cannot read "${path}" (${codeOf(cause)})`, { cause });
  }
  throw new CliError('CLI_USAGE', `Cannot put "${path}": it is a folder`);
}

function noFile(path: string): string {
  return `Cannot put "${path}": it is a pipe or a device. "-" puts what comes from standard input`;
}

function* segmentsOfAll(
  paths: readonly string[],
  standardInput: Uint8Array | undefined,
): Generator<Segment> {
  for (const path of paths) {
    if (path === '-') yield* segmentsOf(path, standardInput ?? new Uint8Array());
    else yield* readSegments(path);
  }
}

function* segmentsOf(path: string, bytes: Uint8Array): Generator<Segment> {
  const isWhole = bytes.byteLength <= BLOB_BYTES_MAX;
  const step = isWhole ? BLOB_BYTES_MAX : SEGMENT_BYTES;
  for (let offset = 0; offset === 0 || offset < bytes.byteLength; offset += step) {
    yield { path, bytes: bytes.slice(offset, offset + step), offset, isWhole };
  }
}

/** One segment in memory at a time. */
export function* readSegments(path: string): Generator<Segment> {
  const size = sizeOf(path);
  if (size <= BLOB_BYTES_MAX) {
    yield* segmentsOf(path, readWhole(path));
    return;
  }
  const file = openSync(path, 'r');
  try {
    for (let offset = 0; ; ) {
      const bytes = new Uint8Array(SEGMENT_BYTES);
      let filled = 0;
      while (filled < bytes.byteLength) {
        const count = readSync(file, bytes, filled, bytes.byteLength - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      if (filled === 0) return;
      if (offset + filled > size) {
        throw new CliError('CLI_REFUSED', `"${path}" has grown while it was read`);
      }
      yield { path, bytes: bytes.subarray(0, filled), offset, isWhole: false };
      offset += filled;
    }
  } finally {
    closeSync(file);
  }
}

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CliError('CLI_USAGE', `Cannot read "${path}" (${codeOf(cause)})`, { cause });
  }
}

/**
 * Runs many at once and hears their results in order. The first failure ends it. One that is waited for
 * before the next is begun, or that is the last, is told so: it must not wait for others to come.
 */
async function inOrder<Result>(
  segments: Iterator<Segment>,
  run: (segment: Segment, isWaitedFor: boolean) => Promise<Result>,
  hear: (result: Result, segment: Segment) => void,
): Promise<void> {
  const running: { readonly segment: Segment; readonly result: Promise<Result> }[] = [];
  let bytes = 0;
  for (let next = segments.next(); next.done !== true || running.length > 0; ) {
    const isFull = running.length >= PUTS_AT_ONCE || bytes >= BYTES_AT_ONCE;
    if (next.done === true || isFull) {
      const { segment, result } = running.shift() as (typeof running)[number];
      hear(await result, segment);
      bytes -= segment.bytes.byteLength;
      continue;
    }
    const segment = next.value;
    bytes += segment.bytes.byteLength;
    next = segments.next();
    const isWaitedFor =
      next.done === true || running.length + 1 >= PUTS_AT_ONCE || bytes >= BYTES_AT_ONCE;
    const result = run(segment, isWaitedFor);
    // Heard in its turn.
    result.catch(() => undefined);
    running.push({ segment, result });
  }
}

export const storeGet: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'store get',
  summary:
    'Write blobs, one behind the other, to standard output or a file. Every byte was verified before.',
  example:
    'swarmkeep store get sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 -o hello',
  declare: (commander) => {
    commander
      .argument('<refs...>', 'Names of blobs.')
      .option('-o, --output <file>', 'Write it there.');
    declareStoreUrl(commander);
  },
  prepare: (words) => ({
    refs: words.args.map(refOfWord),
    path: typeof words.options['output'] === 'string' ? words.options['output'] : '',
  }),
  runLocal: (options, input, output) =>
    withStore(options, { output, isWriting: false }, async ({ store }) => {
      const refs = listOf(input, 'refs') as BlobRef[];
      const path = textOf(input, 'path');
      // Of what lacks one of them not a byte is given.
      const there = new Set((await store.stat([...new Set(refs)])).map(({ ref }) => ref));
      const lacking = refs.find((ref) => !there.has(ref));
      // Which says why: gone, or known to be rotten.
      if (lacking !== undefined) await store.get(lacking, { signal: output.signal });
      const file = path === '' ? undefined : new OutputFile(path);
      let bytes = 0;
      try {
        for (const [at, ref] of refs.entries()) {
          const body = await store.get(ref, { signal: output.signal });
          bytes += body.byteLength;
          if (file === undefined) await writeOut(body);
          else file.write(body);
          output.progress({ what: 'blobs', done: at + 1, total: refs.length });
        }
        file?.finish();
      } catch (error) {
        file?.abandon();
        throw error;
      }
      if (path !== '') output.item({ ref: refs[0]!, refs, bytes, path });
    }),
  text: (item) => `${item['bytes']} bytes in ${item['path']}`,
};

/** As fast as whoever reads the output. */
async function writeOut(bytes: Uint8Array): Promise<void> {
  if (process.stdout.write(bytes)) return;
  await new Promise<void>((resolve) => {
    process.stdout.once('drain', resolve);
    process.stdout.once('close', resolve);
  });
}

export const storeLs: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'store ls',
  summary: 'List blobs by name, with their sizes.',
  example: 'swarmkeep store ls --limit 20',
  declare: (commander) => {
    commander
      .option('--after <ref>', 'Begin after this name.')
      .option('--limit <n>', 'At most so many; all unless given.');
    declareStoreUrl(commander);
  },
  prepare: (words) => {
    const { after, limit } = words.options;
    const count = limit === undefined ? null : Number(limit);
    if (count !== null && !(Number.isSafeInteger(count) && count >= 1)) {
      throw new CliError('CLI_USAGE', `--limit "${limit}" is no whole number from 1 on`);
    }
    return { after: typeof after === 'string' ? refOfWord(after) : '', limit: count };
  },
  runLocal: (options, input, output) =>
    withStore(options, { output, isWriting: false }, async ({ store }) => {
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
    }),
  text: (item) => `${item['ref']}  ${item['bytes']}`,
};

export const storeStat: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'store stat',
  summary: 'Which of these blobs are there. Exits 1 when one is not.',
  example:
    'swarmkeep store stat sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  declare: (commander) => {
    commander.argument('<refs...>', 'Names of blobs.');
    declareStoreUrl(commander);
  },
  prepare: (words) => ({ refs: words.args.map(refOfWord) }),
  runLocal: (options, input, output) =>
    withStore(options, { output, isWriting: false }, async ({ store }) => {
      const refs = listOf(input, 'refs') as BlobRef[];
      const found = new Map((await statSound(store, refs)).map((info) => [info.ref, info.bytes]));
      for (const ref of refs) output.item({ ref, bytes: found.get(ref) ?? null });
      const lacking = refs.filter((ref) => !found.has(ref)).length;
      if (lacking > 0) {
        throw new CliError('CLI_NOT_FOUND', `${lacking} of ${refs.length} blobs are not there`);
      }
    }),
  text: (item) => `${item['ref']}  ${item['bytes'] === null ? 'missing' : item['bytes']}`,
};

export const storeRm: LocalCommand = {
  local: true,
  isCancellable: true,
  name: 'store rm',
  summary: 'Remove blobs for good, and their pins with them. A missing one is no error.',
  example:
    'swarmkeep store rm sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  declare: (commander) => {
    commander.argument('<refs...>', 'Names of blobs.');
    commander.option('--force', 'With --url: also what torrents need that are kept there.');
    declareStoreUrl(commander);
  },
  prepare: (words) => ({
    refs: words.args.map(refOfWord),
    force: words.options['force'] === true,
  }),
  runLocal: (options, input, output) =>
    withStore(options, { output, isWriting: true }, async ({ remove }) => {
      const refs = listOf(input, 'refs') as BlobRef[];
      const how = { signal: output.signal, isForced: input['force'] === true };
      output.item({ removed: await remove(refs, how) });
    }),
  text: (item) => `${item['removed']} removed`,
};

export const storeStats: RoomsCommand = {
  name: 'store stats',
  summary: 'How much the store holds, as a whole and in each store at its bottom.',
  example: 'swarmkeep store stats --json',
  readOnly: true,
  declare: declareStoreUrl,
  async runOnStore(store, output) {
    output.item({ stack: 'a far store', ...(await store.stats()), stores: [], caches: [] });
  },
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
