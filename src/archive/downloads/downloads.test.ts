import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContentEntry, ContentTree } from './content-tree.ts';
import { IDLE_MS_MAX } from './granted-body.ts';
import { measureTar } from './tar-stream.ts';
import { bodyOf, TORRENT, withDownloads } from './test-downloads.ts';

const large = Uint8Array.from({ length: 900_000 }, (_, at) => (at * 2_654_435_761) >>> 24);
const FILES = {
  'a/large.bin': large,
  'a/empty': new Uint8Array(0),
  'readme.txt': large.slice(0, 9),
};
const TAR_FILES = {
  ...FILES,
  [`a/${'é'.repeat(60)}/of a long name.txt`]: large.slice(0, 1025),
  'a/even': large.slice(0, 1024),
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
    const other = await downloads.file({ ...GET, ifMatch: '"other"' }, { ...of, grant });
    assert.deepEqual([other?.status, other?.body], [412, undefined]);
    const empty = await downloads.file(GET, { ...of, path: 'a/empty', grant });
    assert.deepEqual([empty?.status, empty?.headers['content-length']], [200, '0']);
    for (const path of ['a', 'a/', '', 'a/other', '../readme.txt', 'a/../readme.txt']) {
      assert.equal(await downloads.file(GET, { ...of, path, grant }), undefined, path);
    }
  }));

test('a tar has its length, goes on where it was cut, and is the same each time', () =>
  withDownloads(TAR_FILES, async ({ downloads, grant, right }) => {
    for (const depth of [undefined, 0]) {
      const tar = { torrent: TORRENT, folder: { position: -1, path: '' }, depth, grant };
      const first = await downloads.tar(GET, tar);
      const whole = await bodyOf(first);
      assert.equal(Number(first.headers['content-length']), whole.length);
      const head = await downloads.tar({ isHead: true }, tar);
      assert.deepEqual([head.headers, head.body], [first.headers, undefined]);
      for (let at = 0; at < whole.length; at += 20_011) {
        right.sent = 0;
        const rest = await downloads.tar({ ...GET, range: `bytes=${at}-${at + 30_000}` }, tar);
        assert.equal(rest.status, 206);
        const expected = whole.slice(at, at + 30_001);
        assert.deepEqual(await bodyOf(rest), expected, `from ${at}`);
        assert.equal(right.sent, expected.length);
      }
      const etag = String(first.headers['etag']);
      const last = await downloads.tar({ ...GET, range: 'bytes=-1024', ifRange: etag }, tar);
      assert.deepEqual(await bodyOf(last), new Uint8Array(1024));
      const other = await downloads.tar({ ...GET, range: 'bytes=5-', ifRange: '"other"' }, tar);
      assert.deepEqual([other.status, (await bodyOf(other)).length], [200, whole.length]);
    }
    const part = { torrent: TORRENT, folder: { position: 0, path: 'a/' }, grant };
    const etags = [part, { ...part, depth: 0 }, { ...part, folder: { position: -1, path: '' } }];
    const told = await Promise.all(etags.map((one) => downloads.tar({ isHead: true }, one)));
    assert.equal(new Set(told.map(({ headers }) => headers['etag'])).size, 3);
  }));

test('a tar of very many entries is not measured before it begins', async () => {
  const entry = (position: number): ContentEntry => ({
    ...{ position, path: `${position}`, name: `${position}`, isFolder: false, sizeBytes: 1 },
  });
  const treeWith = (count: number): Pick<ContentTree, 'below'> => ({
    below: async ({ after }, limit) =>
      Array.from({ length: Math.min(limit, count - after - 1) }, (_, at) => entry(after + 1 + at)),
  });
  const measured = async (count: number): Promise<number | undefined> => {
    const { signal } = new AbortController();
    const folder = { position: -1, path: '' };
    const asked = { torrent: TORRENT, folder, signal };
    return (await measureTar({ tree: treeWith(count) }, asked))?.bytes;
  };
  assert.equal(await measured(19_999), 512 + 19_999 * 1024 + 1024);
  assert.equal(await measured(20_000), undefined);
});

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

test('an answer of which nobody takes anything for long gives its place back', () =>
  withDownloads(FILES, async ({ downloads, grant, clock }) => {
    const answer = await downloads.file(GET, { ...of, grant });
    await answer?.body?.next();
    await clock.run(IDLE_MS_MAX - 1000);
    assert.equal(answer?.ended?.aborted, false);
    await answer?.body?.next();
    await clock.run(IDLE_MS_MAX - 1000);
    assert.equal(answer?.ended?.aborted, false, 'who takes a part now and then is waited for');
    await clock.run(3000);
    assert.equal(answer?.ended?.aborted, true);
  }));

test('an answer that ends by itself, or that nobody begins to read, gives its place back', () =>
  withDownloads(
    FILES,
    async ({ downloads, grant, right, clock }) => {
      const first = await downloads.file(GET, { ...of, grant });
      const second = await downloads.file(GET, { ...of, grant });
      const refused = await downloads.file(GET, { ...of, grant });
      assert.deepEqual(
        [refused?.status, refused?.words],
        [503, 'Too many downloads run at once. Try again when one of them is done.'],
      );
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
    const refused = await downloads.file(GET, { ...of, grant });
    assert.equal(refused?.status, 503);
    assert.match(refused.words ?? '', /damaged or missing/);
    const tar = await downloads.tar(GET, { ...of, folder: { position: -1, path: '' }, grant });
    assert.equal(tar.status, 503);
  }));
