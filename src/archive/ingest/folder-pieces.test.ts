import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { below, SeededRandom } from '#base/random.ts';
import { folderPieces } from './folder-pieces.ts';
import { PiecePlan } from './piece-plan.ts';

const PIECE = 16_384;
const signal = new AbortController().signal;

/** A v1 torrent as others make it: files end to end, without pads between them unless `pads` says so. */
function foreign(files: readonly Uint8Array[], pads: readonly number[] = []): PiecePlan {
  let offset = 0;
  const entries: { path: string[]; sizeBytes: number; offset: number; pad: boolean }[] = [];
  const parts: Uint8Array[] = [];
  const add = (bytes: Uint8Array, pad: boolean): void => {
    entries.push({ path: [`${entries.length}`], sizeBytes: bytes.length, offset, pad });
    parts.push(bytes);
    offset += bytes.length;
  };
  for (const [at, bytes] of files.entries()) {
    add(bytes, false);
    if (pads[at] !== undefined) add(new Uint8Array(pads[at]), true);
  }
  const stream = Buffer.concat(parts);
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += PIECE) {
    hashes.push(
      createHash('sha1')
        .update(stream.subarray(at, at + PIECE))
        .digest(),
    );
  }
  return new PiecePlan({ files: entries, pieceLength: PIECE, pieces: Buffer.concat(hashes) });
}

const reading =
  (files: readonly Uint8Array[]) => async (position: number, from: number, to: number) =>
    (files[position] ?? new Uint8Array()).slice(from, to);

/** The files again, put together from the pieces. */
async function takenFrom(plan: PiecePlan, files: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const parts: Uint8Array[][] = plan.fileBytes.map(() => []);
  const needed = [...plan.piecesOf(() => true)];
  for await (const { piece, bytes } of folderPieces(
    { plan, read: reading(files) },
    needed,
    signal,
  )) {
    for (const { position, start, end } of plan.spansOf(piece)) {
      if (position !== undefined) parts[position]?.push(bytes.slice(start, end));
    }
  }
  return parts.map((some) => new Uint8Array(Buffer.concat(some)));
}

test('v1 pieces that go over the borders of files are those files, whatever their sizes', async () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 60; round++) {
    const files = Array.from({ length: 1 + below(random, 6) }, () =>
      random.bytes(below(random, 3) === 0 ? below(random, 50) : below(random, 60_000)),
    );
    const pads = round % 2 === 0 ? [] : files.map(() => below(random, PIECE));
    const taken = await takenFrom(foreign(files, pads), files);
    const same = taken.map((bytes, at) => Buffer.compare(bytes, files[at] ?? new Uint8Array()));
    assert.deepEqual(
      same,
      files.map(() => 0),
      `round ${round}`,
    );
  }
});

test('a file that was changed, cut or swapped is found at its first wrong piece', async () => {
  const random = new SeededRandom(8);
  const files = [random.bytes(20_000), random.bytes(5000), random.bytes(40_000)];
  const plan = foreign(files);
  const flipped = files.map((bytes) => bytes.slice());
  flipped[1]![4000] = (flipped[1]![4000] ?? 0) ^ 1;
  const cases: [Uint8Array[], RegExp][] = [
    [flipped, /^Piece 1, of files 1 to 3 of the torrent/],
    [[files[0]!, files[1]!, files[2]!.slice(0, -1)], /^Piece 3, of file 3/],
    [[files[0]!, files[1]!.slice(0, 10), files[2]!], /^Piece 1,/],
    [[files[2]!, files[1]!, files[0]!], /^Piece 0, of file 1/],
  ];
  for (const [wrong, words] of cases) {
    await assert.rejects(takenFrom(plan, wrong), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ARCHIVE_CONTENT_WRONG');
      assert.match(error.message, words);
      return true;
    });
  }
});
