// Content into the store and a .torrent file of it, in one reading: each chunk goes to the hashes of v1
// and into segments, whose trees are those of v2.

import type { ArchiveConfig } from '#archive/config.ts';
import {
  FileWriter,
  type FileWriterWorld,
  type WrittenFile,
} from '#archive/content/file-writer.ts';
import { assert } from '#base/assert.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { type ContentFile, type MetainfoRequest, makeMetainfo } from '#wire/metainfo-maker.ts';

export interface PutWorld extends FileWriterWorld {
  readonly config: ArchiveConfig;
}

export interface PutRequest extends MetainfoRequest {
  readonly signal?: AbortSignal;
  /** Told as bytes are read. */
  readonly onBytes?: (bytes: number) => void;
}

export type PutContent =
  | {
      readonly ok: true;
      /** The .torrent file. */
      readonly bytes: Uint8Array;
      /** In the torrent's order, pad files left out. */
      readonly files: readonly WrittenFile[];
      readonly newBytes: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Everything is on disk when it resolves. @throws ArchiveError, StoreError, errors of reading */
export async function putContent(world: PutWorld, request: PutRequest): Promise<PutContent> {
  const written = new Map<string, WrittenFile>();
  const files = request.files.map((file) => tapped(world, request, { file, written }));
  const made = await makeMetainfo({ ...request, files });
  if (!made.ok) return made;
  const parsed = parseMetainfo(made.bytes);
  if (!parsed.ok) return parsed;
  let newBytes = 0;
  const inOrder: WrittenFile[] = [];
  for (const { path, pad } of parsed.metainfo.files) {
    if (pad) continue;
    const file = written.get(path.join('/'));
    assert(file !== undefined, 'every file of the torrent was written');
    newBytes += file.newBytes;
    inOrder.push(file);
  }
  return { ok: true, bytes: made.bytes, files: inOrder, newBytes };
}

interface Tapped {
  readonly file: ContentFile;
  /** By the path in the torrent. */
  readonly written: Map<string, WrittenFile>;
}

/** The same file, which is stored while it is read. */
function tapped(world: PutWorld, request: PutRequest, { file, written }: Tapped): ContentFile {
  const { name, singleFile, signal, onBytes } = request;
  const path = singleFile ? name : file.path.join('/');
  let result: WrittenFile | undefined;
  return {
    ...file,
    async *read(pieceLength) {
      const cut = { segmentBytes: world.config.segmentBytes, pieceLength };
      const folder = [name, ...file.path.slice(0, -1)].join('/');
      const place = { folder, name: file.path.at(-1) ?? name, order: written.size };
      const bytes = file.sizeBytes;
      const whole = { ...cut, bytes, place, ...(signal === undefined ? {} : { signal }) };
      const writer = new FileWriter(world, whole);
      try {
        for await (const chunk of file.read(pieceLength)) {
          await writer.write(chunk);
          onBytes?.(chunk.length);
          yield chunk;
        }
        result = await writer.finish();
        written.set(path, result);
      } finally {
        await writer.abandon();
      }
    },
    async tree() {
      assert(result !== undefined, 'a tree is asked for when its file was read');
      return { root: result.map?.root, layer: result.layer };
    },
  };
}
