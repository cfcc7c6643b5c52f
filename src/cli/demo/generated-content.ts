// The demo's files: bytes that follow from a torrent's key, so that any part of them can be made when
// somebody asks for it and nothing lies in memory or on disk. Every peer of the demo serves the real
// bytes, and checks what it receives against the torrent's piece hashes.

import { createHash } from 'node:crypto';
import { assert } from '#base/assert.ts';
import { type Metainfo, parseMetainfo } from '#wire/metainfo.ts';
import { makeMetainfo } from '#wire/metainfo-maker.ts';

export interface ContentPlan {
  /** The folder, or the file when there is only one without a folder. */
  readonly name: string;
  readonly version: 'v1' | 'v2' | 'hybrid';
  /** Path and size; the sizes of a torrent are a few MiB together. */
  readonly files: Readonly<Record<string, number>>;
}

const CHUNK_BYTES = 65_536;
const PIECE_BYTES = 65_536;

/** The .torrent file of a plan. */
export async function makeTorrentFile(plan: ContentPlan, createdMs: number): Promise<Uint8Array> {
  const files = Object.entries(plan.files);
  const chunk = new Uint8Array(CHUNK_BYTES);
  const made = await makeMetainfo({
    version: plan.version,
    name: plan.name,
    singleFile: files.length === 1 && files[0]?.[0] === plan.name,
    pieceLength: PIECE_BYTES,
    createdBy: 'Swarmkeep demo',
    creationDate: Math.floor(createdMs / 1000),
    files: files.map(([path, sizeBytes]) => {
      const key = fileKey(plan.name, path);
      return {
        path: path.split('/'),
        sizeBytes,
        async *read() {
          // One buffer for all of it: the maker has hashed a chunk when it asks for the next.
          for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
            const part = chunk.subarray(0, Math.min(CHUNK_BYTES, sizeBytes - at));
            fill(part, key, at);
            yield part;
          }
        },
      };
    }),
  });
  assert(made.ok, 'the demo plans torrents that can be made');
  return made.bytes;
}

/** The stream of bytes that a torrent's v1 pieces are cut from. */
export class GeneratedContent {
  readonly metainfo: Metainfo;
  readonly streamBytes: number;
  readonly pieceCount: number;
  readonly #keys: readonly number[];

  /** `bytes` is a .torrent file of `makeTorrentFile`, whatever was set in it since; v1 or hybrid. */
  constructor(bytes: Uint8Array) {
    const parsed = parseMetainfo(bytes);
    assert(parsed.ok && parsed.metainfo.pieces !== undefined, 'a torrent with v1 pieces');
    this.metainfo = parsed.metainfo;
    const { files, name } = parsed.metainfo;
    const last = files.at(-1);
    this.streamBytes = (last?.offset ?? 0) + (last?.sizeBytes ?? 0);
    this.pieceCount = Math.ceil(this.streamBytes / parsed.metainfo.pieceLength);
    this.#keys = files.map((file) => fileKey(name, file.path.join('/')));
  }

  pieceBytes(piece: number): number {
    const { pieceLength } = this.metainfo;
    return Math.min(pieceLength, this.streamBytes - piece * pieceLength);
  }

  /** A part of a piece, as a new buffer. */
  read(piece: number, offset: number, length: number): Uint8Array {
    const start = piece * this.metainfo.pieceLength + offset;
    const bytes = new Uint8Array(length);
    for (const [at, file] of this.metainfo.files.entries()) {
      const fileStart = file.offset ?? 0;
      const from = Math.max(start, fileStart);
      const to = Math.min(start + length, fileStart + file.sizeBytes);
      // Pad files are zeros, as the buffer is.
      if (from >= to || file.pad) continue;
      fill(bytes.subarray(from - start, to - start), this.#keys[at] ?? 0, from - fileStart);
    }
    return bytes;
  }

  /** Whether these bytes are the piece. */
  isPiece(piece: number, bytes: Uint8Array): boolean {
    const expected = this.metainfo.pieces?.subarray(piece * 20, piece * 20 + 20);
    const digest = createHash('sha1').update(bytes).digest();
    return expected !== undefined && digest.equals(expected);
  }
}

/** A number that the bytes of one file follow from. */
function fileKey(name: string, path: string): number {
  return createHash('sha256').update(`${name}/${path}`).digest().readUInt32BE();
}

/** Writes the file's bytes from `offset` on: words of a hash of their number (murmur3's finalizer). */
function fill(into: Uint8Array, key: number, offset: number): void {
  let word = 0;
  for (let at = 0; at < into.length; at++) {
    const place = offset + at;
    if (at === 0 || (place & 3) === 0) word = mix((key + Math.imul(place >>> 2, 0x9e3779b9)) | 0);
    into[at] = word >>> ((place & 3) * 8);
  }
}

function mix(seed: number): number {
  let word = seed ^ (seed >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return word ^ (word >>> 16);
}
