import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyOf, TORRENT, withDownloads } from './test-downloads.ts';

const large = Uint8Array.from({ length: 900_000 }, (_, at) => (at * 2_654_435_761) >>> 24);
const FILES = {
  'a/large.bin': large,
  'a/empty': new Uint8Array(0),
  'readme.txt': large.slice(0, 9),
};
const GET = { isHead: false };
const of = { torrent: TORRENT, path: 'a/large.bin' };

test('a file is given whole and in any range, and what was given is told', () =>
  withDownloads(FILES, async ({ downloads, grant, right }) => {
    const whole = await downloads.file(GET, { ...of, grant });
    assert.deepEqual(await bodyOf(whole ?? {}), large);
    assert.equal(right.sent, large.length);
    const part = await downloads.file({ ...GET, range: 'bytes=262143-262144' }, { ...of, grant });
    assert.equal(part?.status, 206);
    assert.equal(part.headers['content-range'], 'bytes 262143-262144/900000');
    assert.deepEqual(await bodyOf(part), large.slice(262_143, 262_145));
    const beyond = await downloads.file({ ...GET, range: 'bytes=900000-' }, { ...of, grant });
    assert.equal(beyond?.status, 416);
    const etag = String(whole?.headers['etag']);
    const known = await downloads.file({ ...GET, ifNoneMatch: `W/${etag}` }, { ...of, grant });
    assert.equal(known?.status, 304);
    const empty = await downloads.file(GET, { ...of, path: 'a/empty', grant });
    assert.deepEqual([empty?.status, empty?.headers['content-length']], [200, '0']);
    for (const path of ['a', 'a/', '', 'a/other', '../readme.txt', 'a/../readme.txt']) {
      assert.equal(await downloads.file(GET, { ...of, path, grant }), undefined, path);
    }
  }));

test('a right that is taken back ends an answer within a second, also one that nobody reads', () =>
  withDownloads(FILES, async ({ downloads, grant, right, clock }) => {
    const reading = await downloads.file(GET, { ...of, grant });
    const still = await downloads.file(GET, { ...of, grant });
    assert.ok(reading?.body !== undefined && still?.ended !== undefined);
    await reading.body.next();
    right.ends = true;
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(still.ended.aborted, true, 'whoever sends it is told');
    await assert.rejects(bodyOf(reading), { code: 'ARCHIVE_RIGHT_ENDED' });
    await assert.rejects(bodyOf(still), { code: 'ARCHIVE_RIGHT_ENDED' });
    assert.ok(right.sent <= 256 * 1024);
  }));

test('an answer that ends by itself, or that nobody begins to read, gives its place back', () =>
  withDownloads(
    FILES,
    async ({ downloads, grant, right, clock }) => {
      const first = await downloads.file(GET, { ...of, grant });
      const second = await downloads.file(GET, { ...of, grant });
      assert.equal((await downloads.file(GET, { ...of, grant }))?.status, 503);
      const other = { ...grant, holder: 'member 8' };
      const third = await downloads.file(GET, { ...of, grant: other });
      assert.equal(third?.status, 200);
      const full = await downloads.file(GET, { ...of, grant: { ...grant, holder: 'member 9' } });
      assert.equal(full?.status, 503, 'all together have so many');
      await first?.body?.return?.();
      await bodyOf(second ?? {});
      await bodyOf(third);
      assert.equal(first?.ended?.aborted, false, 'only a right that ended tells so');
      right.ends = true;
      clock.advance(5000);
      for (const one of [first, second, third]) assert.equal(one?.ended?.aborted, false);
      right.ends = false;
      const again = await downloads.file(GET, { ...of, grant });
      assert.equal(again?.status, 200);
      await bodyOf(again);
    },
    { downloadsMax: 3, downloadsPerHolderMax: 2 },
  ));

test('what cannot be read is refused before the head, or the answer ends early', () =>
  withDownloads(FILES, async ({ downloads, grant, store }) => {
    const blobs = await store.list();
    const answer = await downloads.file(GET, { ...of, grant });
    const last = blobs.filter((blob) => blob.bytes > 100_000).map((blob) => blob.ref);
    await store.remove(last);
    await assert.rejects(bodyOf(answer ?? {}));
    assert.equal((await downloads.file(GET, { ...of, grant }))?.status, 503);
    const tar = await downloads.tar(GET, { ...of, folder: { position: -1, path: '' }, grant });
    assert.equal(tar.status, 503);
  }));
