// A kept torrent as peers ask for it: any part of any piece, read from the files it is made of. Every byte
// was verified by the store before it is given; pad files are zeros.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { KeptFiles } from '#archive/catalogue/kept-files.ts';
import type { KeptFile } from '#archive/catalogue/kept-torrents.ts';
import { decodeFileMap, type FileMap } from '#archive/content/file-map.ts';
import { readFileRange } from '#archive/content/file-reader.ts';
import { ArchiveError } from '#archive/errors.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { PiecePlan, type PieceSpan } from '#archive/ingest/piece-plan.ts';
import { toHex } from '#base/bytes.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import type { HashRequest } from '#wire/hash-exchange.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import { answerHashes } from './hash-answers.ts';

/** Of the damage of one torrent; what is beyond it is refused when it is asked for. */
const DAMAGE_MAX = 10_000;
/** Of one torrent; a map of a large file has some hundred KiB. */
const MAPS_MAX = 16;

export interface PieceStore {
  /** Verified; what was read last stays in memory there. */
  readonly segments: Pick<Store, 'get'>;
  readonly hasher: SegmentHasher;
}

export interface PiecePart {
  readonly piece: number;
  /** In the piece. */
  readonly offset: number;
  readonly length: number;
}

export class KeptPieces {
  readonly plan: PiecePlan;
  readonly #torrentId: number;
  readonly #store: PieceStore;
  readonly #files: KeptFiles;
  /** Positions by root in hex; made when a peer first asks for hashes, which most never do. */
  #filesByRoot: ReadonlyMap<string, number> | undefined;
  /** The longest unused first. */
  readonly #maps = new Map<number, Promise<FileMap>>();

  /** Undefined when the torrent is not kept, or not as `metainfo` has it. */
  static async open(
    world: PieceStore & { readonly sql: Sql },
    torrentId: number,
    metainfo: Metainfo,
  ): Promise<KeptPieces | undefined> {
    const plan = new PiecePlan(metainfo);
    const files = await KeptFiles.read(world.sql, torrentId);
    const isWhole =
      files.length === plan.fileBytes.length &&
      plan.fileBytes.every((bytes, position) => files.bytesAt(position) === bytes);
    return isWhole ? new KeptPieces({ store: world, plan, torrentId, files }) : undefined;
  }

  private constructor(of: {
    readonly store: PieceStore;
    readonly plan: PiecePlan;
    readonly torrentId: number;
    readonly files: KeptFiles;
  }) {
    this.plan = of.plan;
    this.#store = of.store;
    this.#torrentId = of.torrentId;
    this.#files = of.files;
  }

  /** Pieces of which something is known to be damaged. @throws SqlError */
  async lacking(sql: Sql): Promise<ReadonlySet<number>> {
    const rows = await sql
      .read<ArchiveTables>()
      .selectFrom('archive_damage')
      .innerJoin('archive_entry', 'archive_entry.file_id', 'archive_damage.file_id')
      .select(['archive_entry.position', 'archive_damage.segment'])
      .where('archive_entry.torrent_id', '=', this.#torrentId)
      .limit(DAMAGE_MAX)
      .execute();
    const lacking = new Set<number>();
    for (const { position, segment } of rows) {
      const [start, end] = await this.#bytesOf(position, segment);
      const { pieceLength } = this.plan;
      for (let at = Math.floor(start / pieceLength); at * pieceLength < end; at++) lacking.add(at);
    }
    return lacking;
  }

  /** Of a segment, as the torrent counts; without a map, of the whole file. */
  async #bytesOf(position: number, segment: number): Promise<readonly [number, number]> {
    const from = this.plan.startOf(position) ?? 0;
    const bytes = this.plan.fileBytes[position] ?? 0;
    const file = this.#files.at(position);
    const isWhole = segment < 0 || file === undefined;
    const map = isWhole ? undefined : await this.#mapOf(file).catch(() => undefined);
    if (map === undefined) return [from, from + bytes];
    const start = segment * map.segmentBytes;
    return [from + start, from + Math.min(bytes, start + map.segmentBytes)];
  }

  /** Whether the torrent has such a part. */
  has({ piece, offset, length }: PiecePart): boolean {
    if (piece < 0 || piece >= this.plan.pieceCount || offset < 0 || length < 1) return false;
    return offset + length <= this.plan.filledBytes(piece);
  }

  /** For reading only: it may be a view into shared memory. @throws ArchiveError, StoreError */
  async read(part: PiecePart, signal: AbortSignal): Promise<Uint8Array> {
    const { piece, offset, length } = part;
    const parts: Uint8Array[] = [];
    const beyond = offset + length - Math.max(offset, this.plan.pieceBytes(piece));
    for (const span of this.plan.spansOf(piece)) {
      const start = Math.max(span.start, offset);
      const end = Math.min(span.end, offset + length);
      if (start >= end) continue;
      if (span.position === undefined) parts.push(new Uint8Array(end - start));
      else await this.#readSpan(parts, { ...span, start, end }, piece, signal);
    }
    if (beyond > 0) parts.push(new Uint8Array(beyond));
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(parts));
  }

  /** What a peer asks of a file's tree; undefined when no file has such a part. @throws as `read` */
  async hashes(request: HashRequest, signal: AbortSignal): Promise<Uint8Array | undefined> {
    this.#filesByRoot ??= this.#findRoots();
    const file = this.#files.at(this.#filesByRoot.get(toHex(request.root)) ?? -1);
    if (file === undefined) return undefined;
    const map = await this.#mapOf(file);
    return await answerHashes({ ...this.#store, map }, request, signal);
  }

  /** Files of one root are the same file. */
  #findRoots(): ReadonlyMap<string, number> {
    const byRoot = new Map<string, number>();
    for (const position of this.plan.fileBytes.keys()) {
      const root = this.plan.rootOf(position);
      if (root !== undefined) byRoot.set(toHex(root), position);
    }
    return byRoot;
  }

  async #readSpan(
    parts: Uint8Array[],
    span: PieceSpan,
    piece: number,
    signal: AbortSignal,
  ): Promise<void> {
    const position = span.position ?? -1;
    const file = this.#files.at(position);
    if (file === undefined) throw new ArchiveError('ARCHIVE_FILE_MISSING', 'No such file');
    const map = await this.#mapOf(file);
    const shift = piece * this.plan.pieceLength - (this.plan.startOf(position) ?? 0);
    const range = { start: shift + span.start, end: shift + span.end, signal };
    for await (const bytes of readFileRange(this.#store.segments, map, range)) parts.push(bytes);
  }

  #mapOf(file: KeptFile): Promise<FileMap> {
    const known = this.#maps.get(file.id);
    this.#maps.delete(file.id);
    const map = known ?? this.#readMap(file);
    this.#maps.set(file.id, map);
    for (const oldest of this.#maps.keys()) {
      if (this.#maps.size <= MAPS_MAX) break;
      this.#maps.delete(oldest);
    }
    // One that failed is read anew; whoever asked has the error.
    map.catch(() => this.#maps.delete(file.id));
    return map;
  }

  async #readMap(file: KeptFile): Promise<FileMap> {
    const map = decodeFileMap(await this.#store.segments.get(file.mapRef));
    if (map === undefined || map.bytes !== file.bytes) {
      throw new ArchiveError('ARCHIVE_MAP_INVALID', `${file.mapRef} is no map of that file`);
    }
    return map;
  }
}
