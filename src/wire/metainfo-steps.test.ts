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
