import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOfSteps } from '#base/steps.ts';
import { parseInSteps, parseMetainfo } from './metainfo.ts';
import { makeMetainfo } from './metainfo-maker.ts';
import { skimTorrent } from './metainfo-skim.ts';

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

test('a torrent is skimmed to the files that reading it gives', async () => {
  const folder = ['a/b/ü', 'a/c', 'empty', 'z'];
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    for (const paths of [folder, ['one'], ['a/one']]) {
      const files = paths.map((path) => ({
        path: path.split('/'),
        sizeBytes: path === 'empty' ? 0 : 20_000,
        async *read() {
          yield new Uint8Array(path === 'empty' ? 0 : 20_000);
        },
      }));
      const singleFile = paths[0] === 'one';
      const made = await makeMetainfo({ version, name: 'name ä', singleFile, files });
      assert.ok(made.ok);
      const parsed = parseMetainfo(made.bytes);
      const skimmed = endOfSteps(skimTorrent(made.bytes));
      assert.ok(parsed.ok && skimmed !== undefined);
      const { metainfo } = parsed;
      assert.equal(skimmed.name, metainfo.name);
      assert.equal(skimmed.singleFile, metainfo.singleFile);
      const expected = metainfo.files.map(({ path, sizeBytes, pad }) => ({ path, sizeBytes, pad }));
      assert.deepEqual([...skimmed.files], expected);
      assert.deepEqual([...skimmed.files], expected, 'and again');
    }
  }
  assert.equal(endOfSteps(skimTorrent(Buffer.from('d4:infodee'))), undefined);
});

test('a list or a length of v1 beside a tree alone is skimmed over, as it is read over', async () => {
  const files = ['a', 'b'].map((name) => ({
    path: [name],
    sizeBytes: name === 'a' ? 5 : 7,
    async *read() {
      yield new Uint8Array(name === 'a' ? 5 : 7);
    },
  }));
  const made = await makeMetainfo({ version: 'v2', name: 'x', singleFile: false, files });
  assert.ok(made.ok);
  const text = Buffer.from(made.bytes).toString('latin1');
  for (const stray of [
    '5:filesld6:lengthi7e4:pathl1:beed6:lengthi5e4:pathl1:aeee',
    '6:lengthi5e',
  ]) {
    const bytes = Buffer.from(text.replace('12:meta version', `${stray}12:meta version`), 'latin1');
    const parsed = parseMetainfo(bytes);
    const skimmed = endOfSteps(skimTorrent(bytes));
    assert.ok(parsed.ok && skimmed !== undefined);
    assert.equal(skimmed.singleFile, parsed.metainfo.singleFile);
    const told = Array.from(skimmed.files, ({ path, sizeBytes }) => [path.join('/'), sizeBytes]);
    assert.deepEqual(told, [
      ['a', 5],
      ['b', 7],
    ]);
  }
});
