import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { below, SeededRandom } from '#base/random.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { makeMetainfo } from '#wire/metainfo-maker.ts';
import { PiecePlan } from './piece-plan.ts';

const PIECE = 100;

function planOf(files: readonly (readonly [bytes: number, pad?: boolean])[]): PiecePlan {
  let offset = 0;
  const list = files.map(([sizeBytes, pad = false]) => {
    const file = { path: ['x'], sizeBytes, offset, pad };
    offset += sizeBytes;
    return file;
  });
  const count = Math.ceil(offset / PIECE);
  const plan = new PiecePlan({
    files: list,
    pieces: Buffer.concat(
      Array.from({ length: count }, (_, at) =>
        createHash('sha1')
          .update(new Uint8Array(Math.min(PIECE, offset - at * PIECE)).fill(at))
          .digest(),
      ),
    ),
    pieceLength: PIECE,
  });
  return plan;
}

test('a piece is cut at the ends of files, and pads belong to none', () => {
  const plan = planOf([[50], [0], [30], [20, true], [150]]);
  assert.equal(plan.pieceCount, 3);
  assert.deepEqual(plan.fileBytes, [50, 0, 30, 150]);
  assert.deepEqual(plan.spansOf(0), [
    { position: 0, start: 0, end: 50 },
    { position: 2, start: 50, end: 80 },
    { position: undefined, start: 80, end: 100 },
  ]);
  assert.deepEqual(plan.spansOf(1), [{ position: 3, start: 0, end: 100 }]);
  assert.deepEqual(plan.spansOf(2), [{ position: 3, start: 0, end: 50 }]);
  assert.deepEqual([...plan.piecesOf((position) => position === 2)], [0]);
  assert.deepEqual([...plan.piecesOf((position) => position === 3)], [1, 2]);
  assert.deepEqual([...plan.piecesOf(() => true)], [0, 1, 2]);
  assert.deepEqual([...plan.piecesOf(() => false)], []);
});

test('behind the last piece is nothing, also where empty files took no place', () => {
  const plan = planOf([[50], [0], [30], [0]]);
  assert.deepEqual(plan.spansOf(1), []);
  const file = { path: ['x'], sizeBytes: 150, offset: 0, pad: false, rootHash: new Uint8Array(32) };
  const empty = { ...file, sizeBytes: 0 };
  const ofV2 = new PiecePlan({ files: [file, empty], pieceLength: 100 });
  assert.deepEqual([ofV2.pieceBytes(1), ofV2.pieceBytes(2)], [50, 0]);
});

test('a piece is only its own bytes, all of them', () => {
  const plan = planOf([[250]]);
  assert.equal(plan.isPiece(1, new Uint8Array(100).fill(1)), true);
  assert.equal(plan.isPiece(1, new Uint8Array(100).fill(2)), false);
  assert.equal(plan.isPiece(2, new Uint8Array(50).fill(2)), true);
  assert.equal(plan.isPiece(2, new Uint8Array(100).fill(2)), false);
});

test('the spans of all pieces are all files, whatever their sizes', () => {
  const random = new SeededRandom(3);
  for (let round = 0; round < 200; round++) {
    const files = Array.from({ length: 1 + below(random, 12) }, () => {
      const isPad = below(random, 4) === 0;
      return [below(random, 3) === 0 ? 0 : below(random, 260), isPad] as const;
    });
    const plan = planOf([[1], ...files]);
    const read = plan.fileBytes.map(() => 0);
    for (let piece = 0; piece < plan.pieceCount; piece++) {
      let at = 0;
      for (const { position, start, end } of plan.spansOf(piece)) {
        assert.equal(start, at);
        at = end;
        if (position !== undefined) read[position] = (read[position] ?? 0) + end - start;
      }
      assert.equal(at, plan.pieceBytes(piece));
    }
    assert.deepEqual(read, plan.fileBytes);
  }
});

test('in v2 each file begins a piece, is proven by its layer or its root, and ends with its own bytes', async () => {
  const length = 32_768;
  const random = new SeededRandom(4);
  const files = [70_000, 0, 5, 32_768, 32_769].map((bytes) =>
    Buffer.concat([random.bytes(60_000), random.bytes(60_000)]).subarray(0, bytes),
  );
  const made = await makeMetainfo({
    ...{ version: 'v2', name: 'set', singleFile: false, pieceLength: length },
    files: files.map((content, at) => ({
      path: [`${at}`],
      sizeBytes: content.length,
      async *read() {
        yield content;
      },
    })),
  });
  assert.ok(made.ok);
  const parsed = parseMetainfo(made.bytes);
  assert.ok(parsed.ok);
  const plan = new PiecePlan(parsed.metainfo);
  assert.deepEqual(
    Array.from({ length: plan.pieceCount }, (_, piece) => plan.pieceBytes(piece)),
    [length, length, 70_000 - 2 * length, 5, length, length, 1],
  );
  assert.equal(plan.streamBytes, 70_000 + 5 + length + length + 1);
  const read = files.map(() => 0);
  for (let piece = 0; piece < plan.pieceCount; piece++) {
    const [span, ...others] = plan.spansOf(piece);
    assert.ok(span?.position !== undefined && others.length === 0 && span.start === 0);
    const from = read[span.position] ?? 0;
    const bytes = new Uint8Array(files[span.position]?.subarray(from, from + span.end) ?? []);
    read[span.position] = from + span.end;
    assert.equal(plan.isPiece(piece, bytes), true, `piece ${piece}`);
    bytes[bytes.length - 1]! ^= 1;
    assert.equal(plan.isPiece(piece, bytes), false);
    assert.equal(plan.isPiece(piece, bytes.subarray(1)), false);
  }
  assert.deepEqual(read, plan.fileBytes);
  assert.deepEqual([...plan.piecesOf((position) => position === 4)], [5, 6]);
  assert.equal(plan.startOf(2), 3 * length);
  assert.equal(plan.rootOf(1), undefined);
});
