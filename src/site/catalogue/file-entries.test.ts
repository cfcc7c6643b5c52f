import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileEntries } from './file-entries.ts';

/** Each at the end of a chain of folders of its own. */
function chains(files: number, depth: number, pad = false) {
  return Array.from({ length: files }, (_, at) => ({
    path: [...Array.from({ length: depth }, () => `d${at}`), 'x'],
    ...{ sizeBytes: 1, pad },
  }));
}

test('as many folders are taken as are bounded, or as there are files', () => {
  assert.equal(fileEntries({ files: chains(4, 5) }, 20)?.length, 24);
  assert.equal(fileEntries({ files: chains(4, 5) }, 19)?.length, undefined);
  assert.equal(fileEntries({ files: chains(40, 1) }, 19)?.length, 80);
  const files = [...chains(21, 1), ...chains(1, 2, true), ...chains(1, 2)];
  assert.equal(fileEntries({ files }, 19)?.length, 44, 'd0 is there twice');
  assert.equal(
    fileEntries({ files: [...chains(4, 5), ...chains(40, 1, true)] }, 19)?.length,
    undefined,
  );
});

test('few files in many chains of folders are refused by the bound that holds', () => {
  assert.equal(fileEntries({ files: chains(8065, 62) })?.length, undefined);
  assert.equal(fileEntries({ files: chains(8064, 62) })?.length, 8064 * 63);
});
