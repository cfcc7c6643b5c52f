// Content into the store and a .torrent file of it, in one reading: each chunk goes to the hashes of v1
// and into segments, whose trees are those of v2. While a file is hashed and written the next is read, as
// far as memory allows, and many share a sync.

import type { ArchiveConfig } from '#archive/config.ts';
import {
  FileWriter,
  type FileWriterWorld,
  type WrittenFile,
} from '#archive/content/file-writer.ts';
import { SEGMENT_BYTES_MAX } from '#archive/content/segments.ts';
import { ArchiveError } from '#archive/errors.ts';
import { assert } from '#base/assert.ts';
import { endInTurns } from '#base/steps.ts';
import { METAINFO_BYTES_MAX, parseInSteps } from '#wire/metainfo.ts';
import {
  type ContentFile,
  type FileTree,
  type MetainfoRequest,
  makeMetainfo,
} from '#wire/metainfo-maker.ts';
import { showName } from '#wire/metainfo-path.ts';

/** Of files whose end is not written yet, each counted by the segments it may have under way. */
const UNDER_WAY_BYTES_MAX = 2 * SEGMENT_BYTES_MAX;
const UNDER_WAY_FILES_MAX = 256;
const TOO_MANY_WORDS =
  'Its names and hashes take more than the 64 MiB that are read of a .torrent file. Make several of it.';
/** Open at once. */
const READING_FILES_MAX = 8;

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
  const putting = new Putting(world, request);
  try {
    const files = request.files.map((file) => new TappedFile(putting, file));
    const made = await makeMetainfo({ ...request, files });
    if (!made.ok) return made;
    if (made.bytes.length > METAINFO_BYTES_MAX) return { ok: false, reason: TOO_MANY_WORDS };
    const parsed = await endInTurns(parseInSteps(made.bytes));
    if (!parsed.ok) return parsed;
    let newBytes = 0;
    const inOrder: WrittenFile[] = [];
    for (const { path, pad } of parsed.metainfo.files) {
      if (pad) continue;
      const file = await putting.written.get(path.join('/'));
      assert(file !== undefined, 'every file of the torrent was written');
      newBytes += file.newBytes;
      inOrder.push(file);
    }
    return { ok: true, bytes: made.bytes, files: inOrder, newBytes };
  } finally {
    await putting.settle();
  }
}

class Putting {
  /** By the path in the torrent. */
  readonly written = new Map<string, Promise<WrittenFile>>();
  readonly #world: PutWorld;
  readonly #request: PutRequest;
  readonly #underWay = new Set<Promise<WrittenFile>>();
  readonly #reading = new Set<Promise<void>>();
  #underWayBytes = 0;
  #isAwaited = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(world: PutWorld, request: PutRequest) {
    this.#world = world;
    this.#request = request;
  }

  /** In the torrent. */
  pathOf(file: ContentFile): string {
    const { name, singleFile } = this.#request;
    return singleFile ? name : file.path.join('/');
  }

  async tree(file: ContentFile): Promise<FileTree> {
    if (this.written.size === this.#request.files.length) this.#hurry();
    const result = await this.written.get(this.pathOf(file));
    assert(result !== undefined, 'a tree is asked for when its file was read');
    return { root: result.map?.root, layer: result.layer };
  }

  /** Waits for what is under way, however it ends. */
  async settle(): Promise<void> {
    if (this.#underWay.size > 0) this.#hurry();
    await Promise.allSettled([...this.#underWay, ...this.#reading]);
  }

  async *read(file: ContentFile, pieceLength: number): AsyncGenerator<Uint8Array> {
    const writer = await this.#writer(file, pieceLength);
    let isWhole = false;
    try {
      for await (const chunk of chunksInto(writer, file, pieceLength)) {
        this.#request.onBytes?.(chunk.length);
        yield chunk;
      }
      isWhole = true;
    } catch (error) {
      throw withName(error, this.pathOf(file));
    } finally {
      if (!isWhole) await writer.abandon();
    }
    await this.#finish(writer, file);
  }

  /** The same by who hashes, where that one can; it is being read yet when this resolves. */
  async take(file: ContentFile, pieceLength: number): Promise<number> {
    const { signal, onBytes } = this.#request;
    const reader = this.#world.hasher.read && (await file.open?.());
    const descriptor = reader?.own?.descriptor;
    if (reader === undefined || descriptor === undefined || file.sizeBytes === 0) {
      await reader?.close();
      let bytes = 0;
      for await (const chunk of this.read(file, pieceLength)) bytes += chunk.length;
      return bytes;
    }
    const writer = await this.#writer(file, pieceLength);
    const close = (): Promise<void> => writer.wasRead().then(() => reader.close());
    try {
      signal?.throwIfAborted();
      await writer.readFrom(descriptor, (bytes) => onBytes?.(bytes));
    } catch (error) {
      await writer.abandon();
      await close();
      throw withName(error, this.pathOf(file));
    }
    this.#noteReading(close());
    await this.#finish(writer, file);
    while (this.#reading.size >= READING_FILES_MAX) await Promise.race(this.#reading);
    return file.sizeBytes;
  }

  /** When there is room for one more. */
  async #writer(file: ContentFile, pieceLength: number): Promise<FileWriter> {
    const { name, signal } = this.#request;
    const bytes = file.sizeBytes;
    await this.#room(bytes);
    // Not only at the end: everything else would be read before.
    if (this.#failure !== undefined) throw this.#failure.error;
    const folder = [name, ...file.path.slice(0, -1)].join('/');
    const place = { folder, name: file.path.at(-1) ?? name, order: this.written.size };
    const cut = { segmentBytes: this.#world.config.segmentBytes, pieceLength };
    return new FileWriter(this.#world, {
      ...{ ...cut, bytes, place, mayWait: () => !this.#isAwaited },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #finish(writer: FileWriter, file: ContentFile): Promise<void> {
    const finished = writer.finish().catch((error: unknown) => {
      throw withName(error, this.pathOf(file));
    });
    // One that has become shorter is told at once.
    if (writer.room().length > 0) await finished;
    this.#end(this.pathOf(file), finished, file.sizeBytes);
  }

  #noteReading(closed: Promise<void>): void {
    const letGo = (): void => {
      this.#reading.delete(ended);
    };
    const ended: Promise<void> = closed.then(letGo, letGo);
    this.#reading.add(ended);
  }

  async #room(bytes: number): Promise<void> {
    const most = Math.min(bytes, SEGMENT_BYTES_MAX);
    while (
      this.#underWay.size >= UNDER_WAY_FILES_MAX ||
      (this.#underWay.size > 0 && this.#underWayBytes + most > UNDER_WAY_BYTES_MAX)
    ) {
      this.#hurry();
      await Promise.race(this.#underWay);
      this.#isAwaited = false;
    }
  }

  #end(path: string, finished: Promise<WrittenFile>, bytes: number): void {
    this.written.set(path, finished);
    const most = Math.min(bytes, SEGMENT_BYTES_MAX);
    this.#underWay.add(finished);
    this.#underWayBytes += most;
    const letGo = (): void => {
      this.#underWay.delete(finished);
      this.#underWayBytes -= most;
    };
    finished.then(letGo, (error: unknown) => {
      this.#failure ??= { error };
      letGo();
    });
  }

  /** From now on nothing waits to share a sync. */
  #hurry(): void {
    this.#isAwaited = true;
    // Whoever put hears of a failure.
    this.#world.store.flush().catch(() => undefined);
  }
}

/** The same file, which is stored while it is read. A class: there are hundreds of thousands. */
class TappedFile implements ContentFile {
  readonly #putting: Putting;
  readonly #file: ContentFile;

  constructor(putting: Putting, file: ContentFile) {
    this.#putting = putting;
    this.#file = file;
  }

  get path(): readonly string[] {
    return this.#file.path;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  read(pieceLength: number): AsyncIterable<Uint8Array> {
    return this.#putting.read(this.#file, pieceLength);
  }

  take(pieceLength: number): Promise<number> {
    return this.#putting.take(this.#file, pieceLength);
  }

  tree(): Promise<FileTree> {
    return this.#putting.tree(this.#file);
  }
}

/** Of thousands of files it is told which one. */
function withName(error: unknown, path: string): unknown {
  if (!(error instanceof ArchiveError) || error.code !== 'ARCHIVE_FILE_CHANGED') return error;
  const message = `${error.message}: ${showName(path)}`;
  return new ArchiveError(error.code, message, { cause: error });
}

/** Into the writer. A chunk is good until the next one is asked for. */
async function* chunksInto(
  writer: FileWriter,
  file: ContentFile,
  pieceLength: number,
): AsyncGenerator<Uint8Array> {
  if (file.open === undefined) {
    for await (const chunk of file.read(pieceLength)) {
      await writer.write(chunk);
      yield chunk;
    }
    return;
  }
  const reader = await file.open();
  try {
    for (let position = 0; ; ) {
      const room = writer.room();
      // One byte more than the file has tells that it has grown.
      const read = await reader.read(room.length === 0 ? new Uint8Array(1) : room, position);
      if (read === 0) return;
      if (room.length === 0) {
        throw new ArchiveError('ARCHIVE_FILE_CHANGED', 'The file has grown while it was read');
      }
      yield room.subarray(0, read);
      await writer.filled(read);
      position += read;
    }
  } finally {
    await reader.close();
  }
}
