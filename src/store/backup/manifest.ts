// What a backup is, as blobs. This file owns the format.
//
//   manifest   one blob of JSON: when, of what, and the names of the blobs below. It is put last, in a
//              store of its own beside the others (backup-set.ts): while it is not there, nothing is.
//   index      JSON, cut into blobs: every file with its path, its bytes and the blobs that hold them
//   chunks     the bytes of files, in order; the same bytes are the same blob in every backup
//   lists      names of blobs that were in the server's store (content-list.ts)
//
//   manifest   {"kind":"swarmkeep-backup","version":1,"madeMs":1767225600000,"program":"0.1.0",
//               "log":{"id":"<32 hex digits>","epoch":1,"topics":[{"name":"control","nextOffset":7}]},
//               "sql":"sqlite","index":{"bytes":1234,"chunks":["sha256-…"]},
//               "files":12,"bytes":345678,
//               "content":{"blobs":3,"bytes":99,"isCopied":true,"lists":["sha256-…"],
//                          "lacking":2},               (only when so many could not be had: it is incomplete)
//               "forgotten":true}                                          (only while it is removed)
//   index      {"files":[{"path":"log/control/00000000000000000000.log","bytes":4096,
//               "mark":"1767225600000.5 4096","chunks":["sha256-…"]}]}
//
// A manifest may come from anyone who can write where backups lie. So nothing of it is believed before
// it fits this file, and a path that restore would write to is one of those that a backup has.

import { z } from 'zod';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';

const KIND = 'swarmkeep-backup';
const VERSION = 1;
/** 4 MiB each: an index of ten million chunks. A place that says more would only fill the memory. */
const INDEX_CHUNKS_MAX = 256;
const INDEX_BYTES_MAX = INDEX_CHUNKS_MAX * 4 * 1024 * 1024;
const PATH =
  /^(?:swarmkeep\.toml|(?:keys|sql|log|baselines)(?:\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){1,3})$/;

const ref = z
  .string()
  .refine((text) => blobRef(text) !== undefined)
  .transform((text) => text as BlobRef);
const whole = z.int().min(0);

const manifest = z.object({
  kind: z.literal(KIND),
  version: z.int().min(1),
  madeMs: whole,
  program: z.string().max(100),
  log: z.object({
    id: z.string().regex(/^[0-9a-f]{32}$/),
    epoch: z.int().min(1).max(0xffff_ffff),
    topics: z.array(z.object({ name: z.string().max(64), nextOffset: whole })).max(100_000),
  }),
  sql: z.enum(['sqlite', 'postgres']),
  index: z.object({
    bytes: whole.max(INDEX_BYTES_MAX),
    chunks: z.array(ref).max(INDEX_CHUNKS_MAX),
  }),
  files: whole,
  bytes: whole,
  content: z.object({
    ...{ blobs: whole, bytes: whole, isCopied: z.boolean(), lists: z.array(ref) },
    lacking: whole.min(1).optional(),
  }),
  forgotten: z.literal(true).optional(),
});

const index = z.object({
  files: z.array(
    z.object({
      path: z.string().regex(PATH),
      bytes: whole,
      mark: z.string().max(100).optional(),
      chunks: z.array(ref),
    }),
  ),
});

export type Manifest = Omit<z.output<typeof manifest>, 'kind' | 'version'>;
export type IndexedFile = z.output<typeof index>['files'][number];

export function encodeManifest(value: Manifest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ kind: KIND, version: VERSION, ...value }));
}

/** @throws StoreError STORE_BACKUP_INVALID, STORE_VERSION_UNSUPPORTED */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const { kind: _kind, version, ...value } = parsed(bytes, manifest, 'manifest');
  if (version <= VERSION) return value;
  throw new StoreError(
    'STORE_VERSION_UNSUPPORTED',
    `Cannot read a backup of version ${version}, expected at most ${VERSION}`,
  );
}

export function encodeIndex(files: readonly IndexedFile[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ files }));
}

/** No path comes twice. @throws StoreError STORE_BACKUP_INVALID */
export function decodeIndex(bytes: Uint8Array): readonly IndexedFile[] {
  const { files } = parsed(bytes, index, 'index');
  const paths = new Set(files.map(({ path }) => path));
  if (paths.size !== files.length) throw invalid('index', 'a file comes twice');
  if (files.some(({ path }) => path.split('/').includes('..'))) {
    throw invalid('index', 'a path leaves its folder');
  }
  return files;
}

function parsed<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new StoreError('STORE_BACKUP_INVALID', `Cannot read the ${what} of a backup`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(what, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

function invalid(what: string, why: string): StoreError {
  return new StoreError('STORE_BACKUP_INVALID', `Cannot read the ${what} of a backup: ${why}`);
}
