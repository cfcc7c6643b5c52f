import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { put } from '#cli/commands/put-command.ts';
import { readContentFolder } from '#cli/content-folder.ts';
import { openOffline } from '#cli/offline.ts';
import { putTorrent, type TorrentPut } from './put-torrent.ts';

test('of a torrent that was there the version is told, whatever was asked for', async () => {
  const root = mkdtempSync(join(tmpdir(), 'swarmkeep-put-'));
  const offline = await openOffline({ data: join(root, 'data'), set: [], json: true }, false);
  try {
    mkdirSync(join(root, 'set'));
    writeFileSync(join(root, 'set', 'a.bin'), 'a'.repeat(100_000));
    const putAs = async (version: 'v1' | 'v2' | 'hybrid'): Promise<TorrentPut> =>
      await putTorrent(offline.rooms, {
        ...{ folder: await readContentFolder(join(root, 'set')), version },
        ...{ category: 'other', tags: [], description: '' },
        ...{ signal: new AbortController().signal, onBytes: () => undefined },
      });
    const first = await putAs('v2');
    assert.deepEqual([first.isNew, first.version], [true, 'v2']);
    const again = await putAs('hybrid');
    assert.deepEqual([again.isNew, again.version], [false, 'v2']);
    assert.equal(again.infoHash, first.infoHash);
    const told = { ...again, new: false, askedVersion: 'hybrid', torrentVersion: again.version };
    assert.match(put.text?.(told) ?? '', /was there already as v2; it is kept now/);
    assert.match(put.text?.({ ...told, askedVersion: 'v2' }) ?? '', /was there already; it is/);
  } finally {
    await offline.close();
    rmSync(root, { recursive: true, force: true });
  }
});
