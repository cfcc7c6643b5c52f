import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf, readUploadPack } from './upload-pack.ts';

function packOf(list: unknown, content: string): Uint8Array {
  const text = Buffer.from(typeof list === 'string' ? list : JSON.stringify(list));
  const head = Buffer.alloc(12);
  head.write('SKUPLD1\n');
  head.writeUInt32LE(text.length, 8);
  return Buffer.concat([head, text, Buffer.from(content)]);
}

const sourceOf = (bytes: Uint8Array) => ({
  bytes: bytes.length,
  async *read({ start, end }: { start: number; end: number }) {
    for (let at = start; at < end; at += 3) yield bytes.subarray(at, Math.min(end, at + 3));
  },
});

test('a pack gives its files as they were, below the folder they lie in', async () => {
  const list = [
    ['survey/a.txt', 5],
    ['survey/in/ä.txt', 0],
    ['survey/b', 3],
  ];
  const content = await readUploadPack(sourceOf(packOf(list, 'helloxyz')));
  assert.ok(typeof content !== 'string');
  assert.deepEqual([content.name, content.singleFile], ['survey', false]);
  const read: string[] = [];
  for (const file of content.files) {
    const parts: Uint8Array[] = [];
    for await (const part of file.read(0)) parts.push(part);
    read.push(`${file.path.join('/')} ${Buffer.concat(parts).toString()}`);
  }
  assert.deepEqual(read, ['a.txt hello', 'in/ä.txt ', 'b xyz']);
});

test('one file is itself, several without a folder have no name of their own', () => {
  const file = (path: string) => ({ path: path.split('/'), sizeBytes: 1, async *read() {} });
  assert.deepEqual(contentOf([file('a.txt')]).singleFile, true);
  assert.equal(contentOf([file('a.txt')]).name, 'a.txt');
  assert.equal(contentOf([file('a.txt'), file('b/c')]).name, undefined);
  assert.equal(contentOf([file('a/b'), file('c/d')]).name, undefined);
  assert.equal(contentOf([file('a/b')]).name, 'a');
});

test('what is no pack, or not all of one, is refused in words', async () => {
  const good = packOf([['a', 2]], 'xy');
  assert.ok(typeof (await readUploadPack(sourceOf(good))) !== 'string');
  for (const bytes of [
    ...[new Uint8Array(0), good.subarray(0, 11), good.subarray(0, -1), Buffer.concat([good, good])],
    ...[
      packOf([], ''),
      packOf('{', ''),
      packOf('null', ''),
      packOf([['a']], ''),
      packOf([['a', -1]], ''),
    ],
    ...[
      packOf([['a', 1.5]], 'x'),
      packOf([[1, 1]], 'x'),
      packOf([['a', 1e300]], ''),
      packOf(['a'], ''),
    ],
    Buffer.from(good).fill(0xff, 8, 12),
    Buffer.from(good).fill(0, 0, 1),
  ]) {
    assert.equal(typeof (await readUploadPack(sourceOf(bytes))), 'string');
  }
});
