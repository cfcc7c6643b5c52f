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
import { WrittenFiles } from '#archive/content/written-files.ts';
import { ArchiveError } from '#archive/errors.ts';
import { assert } from '#base/assert.ts';
import { othersTurn } from '#base/steps.ts';
import { METAINFO_BYTES_MAX, METAINFO_LIMITS } from '#wire/metainfo.ts';
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
  'Its names and hashes take more than the 256 MiB that are read of a .torrent file. Make several of it.';
/** Looked at before others have a turn. */
const FILES_A_TURN = 5000;
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

/**
 * Everything is on disk when it resolves. Names that no torrent may have are refused here; all else is for
 * who adds the torrent to say. @throws ArchiveError, StoreError, errors of reading
 */
export async function putContent(world: PutWorld, request: PutRequest): Promise<PutContent> {
  const { filesMax } = METAINFO_LIMITS;
  if (request.files.length > filesMax) {
    return { ok: false, reason: `There are more than ${filesMax} files.` };
  }
  // Told before hours of reading, where names alone are too many.
  if (leastBytes(request) > METAINFO_BYTES_MAX) return { ok: false, reason: TOO_MANY_WORDS };
  const putting = new Putting(world, request);
  try {
    const tapped = request.files.map((file) => new TappedFile(putting, file));
    const made = await makeMetainfo({ ...request, files: tapped });
    if (!made.ok) return made;
    const { bytes } = made;
    if (bytes.length > METAINFO_BYTES_MAX) return { ok: false, reason: TOO_MANY_WORDS };
    let newBytes = 0;
    const files: WrittenFile[] = [];
    for (const file of made.files) {
      assert(file instanceof TappedFile, 'the files of the torrent are those that were stored');
      const written = await file.stored();
      newBytes += written.newBytes;
      files.push(written);
      if (files.length % FILES_A_TURN === 0) await othersTurn();
    }
    return { ok: true, bytes, files, newBytes };
  } finally {
    await putting.settle();
  }
}

/** Of v1 and of v2, what stands in a .torrent around the names of each file, or a little less. */
const AROUND_BYTES_V1 = 23;
const AROUND_BYTES_V2 = 60;

/** Less than what the .torrent will have. */
function leastBytes({ version, files }: PutRequest): number {
  let bytes = 0;
  for (const { path, sizeBytes } of files) {
    if (version !== 'v2') bytes += path.reduce((sum, { length }) => sum + length, AROUND_BYTES_V1);
    if (version === 'v1') continue;
    bytes += path.at(-1)?.length ?? 0;
    // An empty one has no root.
    if (sizeBytes > 0) bytes += AROUND_BYTES_V2;
  }
  return bytes;
}

class Putting {
  readonly #written = new WrittenFiles();
  readonly #world: PutWorld;
  readonly #request: PutRequest;
  readonly #underWay = new Set<Promise<WrittenFile>>();
  readonly #reading = new Set<Promise<void>>();
  #underWayBytes = 0;
  #begun = 0;
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

  /** All were read: what is under way is waited for. */
  hurryAtEnd(): void {
    if (this.#begun === this.#request.files.length && this.#underWay.size > 0) this.#hurry();
  }

  /** Waits for what is under way, however it ends. */
  async settle(): Promise<void> {
    if (this.#underWay.size > 0) this.#hurry();
    await Promise.allSettled([...this.#underWay, ...this.#reading]);
  }

  async *read(tapped: TappedFile, pieceLength: number): AsyncGenerator<Uint8Array> {
    const { file } = tapped;
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
    await this.#finish(writer, tapped);
  }

  /** The same by who hashes, where that one can; it is being read yet when this resolves. */
  async take(tapped: TappedFile, pieceLength: number): Promise<number> {
    const { file } = tapped;
    const { signal, onBytes } = this.#request;
    const reader = this.#world.hasher.read && (await file.open?.());
    const descriptor = reader?.own?.descriptor;
    if (reader === undefined || descriptor === undefined || file.sizeBytes === 0) {
      await reader?.close();
      let bytes = 0;
      for await (const chunk of this.read(tapped, pieceLength)) bytes += chunk.length;
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
    await this.#finish(writer, tapped);
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
    const place = { folder, name: file.path.at(-1) ?? name, order: this.#begun };
    const cut = { segmentBytes: this.#world.config.segmentBytes, pieceLength };
    return new FileWriter(this.#world, {
      ...{ ...cut, bytes, place, mayWait: () => !this.#isAwaited },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #finish(writer: FileWriter, tapped: TappedFile): Promise<void> {
    const { file } = tapped;
    const finished = writer.finish().catch((error: unknown) => {
      throw withName(error, this.pathOf(file));
    });
    // One that has become shorter is told at once.
    if (writer.room().length > 0) await finished;
    tapped.written = finished;
    this.#begun += 1;
    this.#end(tapped, finished);
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

  #end(tapped: TappedFile, finished: Promise<WrittenFile>): void {
    const most = Math.min(tapped.sizeBytes, SEGMENT_BYTES_MAX);
    this.#underWay.add(finished);
    this.#underWayBytes += most;
    const letGo = (): void => {
      this.#underWay.delete(finished);
      this.#underWayBytes -= most;
    };
    finished.then(
      (written) => {
        tapped.written = this.#written.keep(written);
        letGo();
      },
      (error: unknown) => {
        this.#failure ??= { error };
        letGo();
      },
    );
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
  readonly file: ContentFile;
  /** When it was read; it may be under way yet. */
  written: WrittenFile | Promise<WrittenFile> | undefined;

  constructor(putting: Putting, file: ContentFile) {
    this.#putting = putting;
    this.file = file;
  }

  get path(): readonly string[] {
    return this.file.path;
  }

  get sizeBytes(): number {
    return this.file.sizeBytes;
  }

  read(pieceLength: number): AsyncIterable<Uint8Array> {
    return this.#putting.read(this, pieceLength);
  }

  take(pieceLength: number): Promise<number> {
    return this.#putting.take(this, pieceLength);
  }

  async stored(): Promise<WrittenFile> {
    this.#putting.hurryAtEnd();
    const written = await this.written;
    assert(written !== undefined, 'a file of the torrent was read');
    return written;
  }

  async tree(): Promise<FileTree> {
    const { map, layer } = await this.stored();
    return { root: map?.root, layer };
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
