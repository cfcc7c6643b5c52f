import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TAR_BLOCK_BYTES, tarEnd, tarHeader, tarPadding } from './tar-header.ts';
import { bodyOf, TORRENT, withDownloads } from './test-downloads.ts';

interface Read {
  readonly path: string;
  readonly type: string;
  readonly bytes: number;
}

/** What another program reads of one entry's headers, checking each sum. */
function read(headers: Uint8Array): Read {
  const records = new Map<string, string>();
  for (let at = 0; at < headers.length; ) {
    const block = Buffer.from(headers.subarray(at, at + TAR_BLOCK_BYTES));
    const field = (start: number, bytes: number): string =>
      block.toString('utf8', start, start + bytes).replace(/\0.*$/s, '');
    const sum = Number.parseInt(field(148, 8), 8);
    block.fill(' ', 148, 156);
    assert.equal(
      block.reduce((total, byte) => total + byte, 0),
      sum,
    );
    assert.equal(block.toString('latin1', 257, 265), 'ustar\x0000');
    const bytes = Number.parseInt(field(124, 12), 8);
    const type = field(156, 1);
    if (type !== 'x') {
      assert.equal(at + TAR_BLOCK_BYTES, headers.length);
      const size = Number(records.get('size') ?? bytes);
      return { path: records.get('path') ?? field(0, 100), type, bytes: size };
    }
    const start = at + TAR_BLOCK_BYTES;
    let text = Buffer.from(headers.subarray(start, start + bytes));
    while (text.length > 0) {
      const length = Number.parseInt(text.toString('latin1', 0, 10), 10);
      assert.equal(text[length - 1], 0x0a, 'a record is as long as it says');
      const [, key = '', value = ''] =
        /^\d+ ([^=]+)=(.*)\n$/s.exec(text.toString('utf8', 0, length)) ?? [];
      records.set(key, value);
      text = text.subarray(length);
    }
    at = start + bytes + tarPadding(bytes);
  }
  throw new Error('no header of an entry');
}

test('a header is these bytes', () => {
  const block = Buffer.from(
    tarHeader({ path: 'a/b.txt', bytes: 1234, changedMs: 1_700_000_000_999 }),
  );
  const expected = Buffer.alloc(512);
  expected.write('a/b.txt', 0);
  expected.write('0000644\x000000000\x000000000\x0000000002322\x0014524770400\x00', 100);
  expected.write('007210\x00 0', 148);
  expected.write('ustar\x0000', 257);
  assert.equal(block.toString('latin1'), expected.toString('latin1'));
  assert.equal(tarEnd().length, 1024);
});

test('any name and any size come through, long ones and those beyond ASCII by extended headers', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 130 });
  const safe = name.map((text) => text.replaceAll(/[/\0\n]/g, '_'));
  fc.assert(
    fc.property(
      fc.array(safe, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      fc.boolean(),
      (names, size, isFolder) => {
        const path = names.join('/') + (isFolder ? '/' : '');
        const bytes = isFolder ? 0 : size;
        const headers = tarHeader({ path, bytes, changedMs: 1_700_000_000_000 });
        assert.equal(headers.length % TAR_BLOCK_BYTES, 0);
        assert.deepEqual(read(headers), { path, type: isFolder ? '5' : '0', bytes });
      },
    ),
    { numRuns: 500 },
  );
  // The digits of a record's length count too: each length around a power of ten.
  for (let length = 80; length <= 120; length++) {
    const path = `${'n'.repeat(length)}é`;
    assert.equal(read(tarHeader({ path, bytes: 1, changedMs: 0 })).path, path);
  }
});

test('a folder is given with all below it, under its own name', () =>
  withDownloads(
    {
      'a/b/1': new Uint8Array([1]),
      'a/2': new Uint8Array(600).fill(2),
      '3.txt': new Uint8Array(0),
    },
    async ({ downloads, grant }) => {
      const of = { torrent: TORRENT, grant };
      const names = async (folder: { position: number; path: string }): Promise<string[]> => {
        const bytes = await bodyOf(await downloads.tar({ isHead: false }, { ...of, folder }));
        assert.deepEqual(bytes.subarray(-1024), new Uint8Array(1024));
        const found: string[] = [];
        for (let at = 0; at < bytes.length - 1024; ) {
          const { path, bytes: size } = read(bytes.subarray(at, at + TAR_BLOCK_BYTES));
          found.push(path);
          at += TAR_BLOCK_BYTES + size + tarPadding(size);
        }
        return found;
      };
      const all = [
        'survey/',
        'survey/a/',
        'survey/a/b/',
        'survey/a/b/1',
        'survey/a/2',
        'survey/3.txt',
      ];
      assert.deepEqual(await names({ position: -1, path: '' }), all);
      assert.deepEqual(await names({ position: 0, path: 'a/' }), ['a/', 'a/b/', 'a/b/1', 'a/2']);
      assert.deepEqual(await names({ position: 1, path: 'a/b/' }), ['b/', 'b/1']);
    },
  ));
