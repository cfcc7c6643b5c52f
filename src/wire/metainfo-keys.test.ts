import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BencodeInput, encodeBencode } from './bencode-encoder.ts';
import { parseMetainfo } from './metainfo.ts';
import { rewriteTorrent } from './metainfo-rewrite.ts';

type Dict = Map<string, BencodeInput>;

function dict(entries: Readonly<Record<string, BencodeInput>>): Dict {
  return new Map(Object.entries(entries));
}

/** With the dictionaries that say what is in it. */
function torrent(version: 'v1' | 'v2'): { root: Dict; info: Dict; file: Dict } {
  const isV1 = version === 'v1';
  const file = isV1
    ? dict({ length: 5, path: ['a'] })
    : dict({ length: 5, 'pieces root': new Uint8Array(32) });
  const content = isV1
    ? { files: [file], pieces: new Uint8Array(20) }
    : { 'file tree': dict({ a: dict({ '': file }) }), 'meta version': 2 };
  const info = dict({ name: 'n', 'piece length': 16_384, ...content });
  return { root: dict({ info }), info, file };
}

for (const version of ['v1', 'v2'] as const) {
  test(`dictionaries of more than a thousand keys are refused, read or given on (${version})`, () => {
    for (const where of ['root', 'info', 'file'] as const) {
      const parts = torrent(version);
      for (let at = 0; parts[where].size < 1000; at++) parts[where].set(`x${at}`, 1);
      const most = encodeBencode(parts.root);
      const read = parseMetainfo(most);
      assert.ok(read.ok, read.ok ? '' : read.reason);
      assert.ok(rewriteTorrent(most, { announceTiers: [] }).ok);
      parts[where].set('y', 1);
      const more = encodeBencode(parts.root);
      const refused = parseMetainfo(more);
      assert.ok(!refused.ok && /more than 1000 keys/.test(refused.reason), where);
      if (where === 'file') continue;
      const given = rewriteTorrent(more, { announceTiers: [] });
      assert.ok(!given.ok && /more than 1000 keys/.test(given.reason), where);
    }
  });
}
