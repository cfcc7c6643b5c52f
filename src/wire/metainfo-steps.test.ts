import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInSteps, parseMetainfo } from './metainfo.ts';
import { makeMetainfo } from './metainfo-maker.ts';

test('a torrent of many files is read by many steps, each of a part of it', async () => {
  const files = Array.from({ length: 2500 }, (_, at) => ({
    path: [`folder ${at % 7}`, `file ${at}`],
    sizeBytes: 5,
    async *read() {
      yield Buffer.from('12345');
    },
  }));
  for (const version of ['v1', 'v2'] as const) {
    const made = await makeMetainfo({ version, name: 'many', singleFile: false, files });
    assert.ok(made.ok);
    const steps = parseInSteps(made.bytes);
    let count = 1;
    let last = steps.next();
    for (; last.done !== true; count++) last = steps.next();
    assert.ok(count >= 6, `${version}: ${count} steps`);
    assert.deepEqual(last.value, parseMetainfo(made.bytes));
    const parsed = parseMetainfo(made.bytes);
    assert.ok(parsed.ok && parsed.metainfo.files.length === 2500);
  }
});

test('folders in folders are written in the order of BEP 52, whatever order they come in', async () => {
  const paths = ['b/a/x', 'b/a/y', 'b/c', 'a.txt', 'a/z', 'a/b/c/d', 'ab/q', 'b/ab/x', 'ä/1', 'z'];
  const files = paths.map((path) => ({
    path: path.split('/'),
    sizeBytes: path.length,
    async *read() {
      yield Buffer.from(path, 'latin1');
    },
  }));
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    const made = await makeMetainfo({ version, name: 'tree', singleFile: false, files });
    assert.ok(made.ok);
    const parsed = parseMetainfo(made.bytes);
    assert.ok(parsed.ok, parsed.ok ? '' : `${version}: ${parsed.reason}`);
    const own = parsed.metainfo.files.filter(({ pad }) => !pad);
    const inOrder = 'a/b/c/d a/z a.txt ab/q b/a/x b/a/y b/ab/x b/c z ä/1'.split(' ');
    assert.deepEqual(
      own.map(({ path }) => path.join('/')),
      inOrder,
    );
    assert.deepEqual(
      made.files.map(({ path }) => path.join('/')),
      inOrder,
    );
  }
});
