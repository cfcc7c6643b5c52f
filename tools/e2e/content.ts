// Content and .torrent files for end-to-end tests: random bytes from a seed, so that two files of
// one size differ, in a folder of the test's own.

import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SeededRandom } from '#base/random.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { type MetainfoRequest, makeMetainfo } from '#wire/metainfo-maker.ts';

export interface TestContent {
  readonly folder: string;
  readonly name: string;
  /** Path below the content's folder, and size. One file: a torrent of a single file. */
  readonly files: readonly (readonly [path: string, sizeBytes: number])[];
  readonly seed: number;
}

/** Writes `<folder>/<name>` or `<folder>/<name>/<path>`. */
export function writeContent(content: TestContent): void {
  for (const [index, [path, sizeBytes]] of content.files.entries()) {
    const target = pathOf(content, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, randomBytes(sizeBytes, content.seed + index));
  }
}

/** The .torrent of that content, which must be there. Returns its bytes and its announced hash. */
export async function makeTorrent(
  content: TestContent,
  fields: Partial<MetainfoRequest> = {},
): Promise<{ readonly bytes: Uint8Array; readonly infoHash: string }> {
  const made = await makeMetainfo({
    version: 'v1',
    name: content.name,
    singleFile: isSingle(content),
    private: true,
    files: content.files.map(([path, sizeBytes]) => ({
      path: path.split('/'),
      sizeBytes,
      read: () => createReadStream(pathOf(content, path)),
    })),
    ...fields,
  });
  if (!made.ok) throw new Error(made.reason);
  const parsed = parseMetainfo(made.bytes);
  if (!parsed.ok) throw new Error(parsed.reason);
  const { infoHashV1, infoHashV2Truncated } = parsed.metainfo;
  const hash = infoHashV1 ?? infoHashV2Truncated ?? new Uint8Array(0);
  return { bytes: made.bytes, infoHash: Buffer.from(hash).toString('hex') };
}

function isSingle(content: TestContent): boolean {
  return content.files.length === 1 && content.files[0]?.[0] === content.name;
}

function pathOf(content: TestContent, path: string): string {
  return isSingle(content) ? join(content.folder, path) : join(content.folder, content.name, path);
}

function randomBytes(sizeBytes: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let at = 0; at < words.length; at++) words[at] = random.u32();
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** The bytes of a .torrent for a file of 1,000 bytes that nobody has. */
export function smallTorrent(name: string): string {
  const pieces = '0123456789abcdefghij';
  const info = `d6:lengthi1000e4:name${name.length}:${name}12:piece lengthi16384e6:pieces20:${pieces}e`;
  return `d4:info${info}e`;
}

/** What a failing disk does: one byte at this place has other bits. */
export function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0xff;
  writeFileSync(path, bytes);
}
