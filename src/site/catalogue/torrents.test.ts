import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#site/refusal.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { fileTree } from './file-page.ts';
import { findTorrent, findTorrentByHash, type Torrent } from './find-torrent.ts';
import {
  makeTorrent,
  openCatalogue,
  type TestCatalogue,
  type TestTorrent,
  waitingMessages,
} from './test-catalogue.ts';
import { torrentFile, torrentFileFor } from './torrent-file.ts';
import { listTorrents } from './torrent-list.ts';
import {
  type AddTorrentResult,
  addTorrent,
  enqueueAllTorrents,
  removeTorrent,
  updateTorrent,
} from './torrents.ts';

async function add(
  world: TestCatalogue,
  asked: TestTorrent = {},
  uploaderId = 1,
): Promise<AddTorrentResult> {
  const bytes = await makeTorrent(asked);
  const words = { category: 'books', tags: ['letters'], description: 'Old **letters**.' };
  return await addTorrent(world, { bytes, uploaderId, ...words });
}

async function added(
  world: TestCatalogue,
  asked: TestTorrent = {},
  uploaderId = 1,
): Promise<Torrent> {
  const result = await add(world, asked, uploaderId);
  assert.ok(!(result instanceof Refusal) && result.kind === 'added', JSON.stringify(result));
  return result.torrent;
}

async function found(world: TestCatalogue, words: string): Promise<string[]> {
  const { rows } = await listTorrents(world.sql, { words, tags: [], rowsMax: 50 });
  return rows.map((row) => row.title);
}

forEachDatabase((name, open) => {
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    test(`${name}: addTorrent() saves a ${version} torrent, made private, and tells the trackers`, async () => {
      const world = await openCatalogue(open);
      const uploaded = await makeTorrent({ version });
      const result = await addTorrent(world, {
        bytes: uploaded,
        uploaderId: 7,
        category: 'books',
        tags: ['Old Letters', 'old letters', 'latin'],
        description: 'Line\r\nline',
      });
      assert.ok(!(result instanceof Refusal) && result.kind === 'added');
      const { torrent, hashChanged, notes } = result;
      assert.equal(hashChanged, true);
      assert.equal(notes.length, 3);
      assert.deepEqual(torrent.tags, ['latin', 'old-letters']);
      assert.equal(torrent.description, 'Line\nline');
      assert.equal(torrent.title, 'letters');
      assert.equal(torrent.uploaderId, 7);
      const stored = await torrentFile(world.sql, torrent.id);
      assert.ok(stored !== undefined);
      const parsed = parseMetainfo(stored);
      assert.ok(parsed.ok);
      assert.equal(parsed.metainfo.private, true);
      assert.equal(parsed.metainfo.source, 'Swarmkeep');
      const hashes = {
        ...(torrent.infoHashV1 === undefined ? {} : { infoHashV1: torrent.infoHashV1 }),
        ...(torrent.infoHashV2 === undefined
          ? {}
          : { infoHashV2: torrent.infoHashV2.slice(0, 40) }),
      };
      assert.equal(torrent.infoHashV1 !== undefined, version !== 'v2');
      assert.equal(torrent.infoHashV2 !== undefined, version !== 'v1');
      assert.deepEqual(await waitingMessages(world.sql), [
        {
          kind: 'torrent',
          torrentId: torrent.id,
          ...hashes,
          state: 'active',
          reason: '',
          uploadCreditPercent: 100,
          downloadCreditPercent: 100,
        },
      ]);
      assert.equal(world.changes.count, 1);
      for (const hex of Object.values(hashes)) {
        assert.equal((await findTorrentByHash(world.sql, hex))?.id, torrent.id);
      }
      if (torrent.infoHashV2 !== undefined) {
        const whole = await findTorrentByHash(world.sql, torrent.infoHashV2.toUpperCase());
        assert.equal(whole?.id, torrent.id);
      }
      await world.sql.close();
    });
  }

  test(`${name}: a torrent that is private and has a source keeps its hash, and loses its trackers`, async () => {
    const world = await openCatalogue(open);
    const bytes = await makeTorrent({
      private: true,
      source: 'elsewhere',
      announceTiers: [['http://elsewhere.example/secret/announce']],
    });
    const words = { category: 'books', tags: [], description: '' };
    const result = await addTorrent(world, { bytes, uploaderId: 1, ...words });
    assert.ok(!(result instanceof Refusal) && result.kind === 'added');
    assert.equal(result.hashChanged, false);
    assert.deepEqual(result.torrent.uploadNotes, []);
    const before = parseMetainfo(bytes);
    assert.ok(before.ok && before.metainfo.infoHashV1 !== undefined);
    assert.equal(result.torrent.infoHash, Buffer.from(before.metainfo.infoHashV1).toString('hex'));
    const stored = Buffer.from((await torrentFile(world.sql, result.torrent.id)) ?? []);
    assert.ok(!stored.toString('latin1').includes('elsewhere.example'));
    await world.sql.close();
  });

  test(`${name}: the same torrent or the same content again is refused and named`, async () => {
    const world = await openCatalogue(open);
    const first = await added(world, { version: 'hybrid' });
    const existing = { id: first.id, title: first.title };
    const again = await add(world, { version: 'hybrid' }, 2);
    assert.deepEqual(again, { kind: 'duplicate', existing, by: 'hash' });
    const renamed = await add(world, { version: 'hybrid', name: 'briefe' }, 2);
    assert.deepEqual(renamed, { kind: 'duplicate', existing, by: 'content' });
    const otherHalf = await add(world, { version: 'v2', source: 'x', name: 'lettres' }, 2);
    assert.deepEqual(otherHalf, { kind: 'duplicate', existing, by: 'content' });
    assert.equal((await waitingMessages(world.sql)).length, 1);
    assert.equal(world.changes.count, 1);
    await added(world, { version: 'hybrid', seed: 2, name: 'more' });
    await world.sql.close();
  });

  test(`${name}: of many uploads of one file at once, one is saved and the others name it`, async () => {
    const world = await openCatalogue(open);
    const results = await Promise.all(Array.from({ length: 6 }, (_, at) => add(world, {}, at + 1)));
    const kinds = results.map((one) => (one instanceof Refusal ? 'refused' : one.kind)).sort();
    assert.deepEqual(kinds, ['added', ...Array.from({ length: 5 }, () => 'duplicate')]);
    await world.sql.close();
  });

  test(`${name}: what is wrong is refused with the field it is about, and nothing is saved`, async () => {
    const world = await openCatalogue(open);
    const bytes = await makeTorrent();
    const good = { bytes, uploaderId: 1, category: 'books', tags: [], description: '' };
    const cases = [
      ['file', { ...good, bytes: new Uint8Array([1, 2, 3]) }],
      ['file', { ...good, bytes: new Uint8Array(world.config.torrentBytesMax + 1) }],
      ['title', { ...good, title: ' \u0007 ' }],
      ['title', { ...good, title: 'x'.repeat(201) }],
      ['category', { ...good, category: 'nonsense' }],
      ['tags', { ...good, tags: Array.from({ length: 21 }, (_, at) => `t${at}`) }],
      ['tags', { ...good, tags: ['x'.repeat(41)] }],
      ['description', { ...good, description: 'x'.repeat(40_001) }],
    ] as const;
    for (const [field, request] of cases) {
      const result = await addTorrent(world, request);
      assert.ok(result instanceof Refusal, field);
      assert.equal(result.field, field);
    }
    assert.deepEqual(await waitingMessages(world.sql), []);
    assert.deepEqual(await found(world, ''), []);
    await world.sql.close();
  });

  test(`${name}: removeTorrent() tells the trackers why, and leaves the page`, async () => {
    const world = await openCatalogue(open);
    const torrent = await added(world);
    const unknown = await removeTorrent(world, { torrentId: 999, removedBy: 1, reason: 'x' });
    assert.ok(unknown instanceof Refusal && unknown.code === 'torrent-unknown');
    const silent = await removeTorrent(world, { torrentId: torrent.id, removedBy: 1, reason: ' ' });
    assert.ok(silent instanceof Refusal && silent.field === 'reason');
    const removed = await removeTorrent(world, {
      torrentId: torrent.id,
      removedBy: 1,
      reason: 'Wrong scans',
    });
    assert.ok(!(removed instanceof Refusal));
    const messages = (await waitingMessages(world.sql)) as { state: string; reason: string }[];
    assert.deepEqual(
      messages.map(({ state, reason }) => [state, reason]),
      [
        ['active', ''],
        ['removed', 'Wrong scans'],
      ],
    );
    assert.deepEqual(await found(world, 'letters'), []);
    assert.deepEqual(await found(world, ''), []);
    assert.equal((await findTorrent(world.sql, torrent.id))?.removedReason, 'Wrong scans');
    const twice = await removeTorrent(world, { torrentId: torrent.id, removedBy: 1, reason: 'x' });
    assert.ok(twice instanceof Refusal);
    await world.sql.close();
  });

  test(`${name}: a removed torrent may come back by its uploader, one that staff removed only by staff`, async () => {
    const world = await openCatalogue(open);
    const own = await added(world, {}, 5);
    await removeTorrent(world, { torrentId: own.id, removedBy: 5, reason: 'mistake' });
    const again = await added(world, {}, 5);
    assert.ok(again.id > own.id);
    await removeTorrent(world, { torrentId: again.id, removedBy: 1, reason: 'not for here' });
    const refused = await add(world, {}, 5);
    assert.ok(refused instanceof Refusal);
    assert.match(refused.message, /not for here/);
    const bytes = await makeTorrent();
    const words = { category: 'books', tags: [], description: '' };
    const staff = await addTorrent(world, { bytes, uploaderId: 1, isStaff: true, ...words });
    assert.ok(!(staff instanceof Refusal) && staff.kind === 'added');
    assert.equal((await findTorrentByHash(world.sql, own.infoHash))?.id, staff.torrent.id);
    await world.sql.close();
  });

  test(`${name}: enqueueAllTorrents() says again what every torrent is, removed ones before new ones`, async () => {
    const world = await openCatalogue(open);
    const first = await added(world, { version: 'hybrid' });
    await removeTorrent(world, { torrentId: first.id, removedBy: 1, reason: 'once' });
    await added(world, { version: 'hybrid' });
    await added(world, { version: 'v2', seed: 2, name: 'two' });
    const before = await waitingMessages(world.sql);
    assert.equal(await enqueueAllTorrents(world.sql), 3);
    const again = (await waitingMessages(world.sql)).slice(before.length);
    assert.deepEqual(again, before.slice(1));
    await world.sql.close();
  });

  test(`${name}: updateTorrent() changes words, tags and what the search finds`, async () => {
    const world = await openCatalogue(open);
    const torrent = await added(world);
    const changed = await updateTorrent(world, torrent.id, {
      title: 'Epistulae',
      category: 'datasets',
      tags: ['rome'],
      description: 'By Cicero',
      changedBy: 1,
    });
    assert.ok(!(changed instanceof Refusal));
    assert.deepEqual(
      [changed.title, changed.category, changed.tags],
      ['Epistulae', 'datasets', ['rome']],
    );
    for (const words of ['epistulae', 'cicero', 'rome', 'a.txt', 'letters']) {
      assert.deepEqual(await found(world, words), ['Epistulae'], words);
    }
    assert.deepEqual(await found(world, 'old'), []);
    const unknown = await updateTorrent(world, 12345, { ...changed, title: 'x', changedBy: 1 });
    assert.ok(unknown instanceof Refusal);
    await world.sql.close();
  });

  test(`${name}: torrentFileFor() differs from the stored file in nothing but the announce URLs`, async () => {
    const world = await openCatalogue(open);
    for (const version of ['v1', 'v2', 'hybrid'] as const) {
      const seed = { v1: 1, v2: 2, hybrid: 3 }[version];
      const torrent = await added(world, { version, seed, name: version });
      const urls = {
        http: 'http://[2001:db8::1]:6969/key/announce',
        udp: 'udp://t.example:6969/key/announce',
        ws: 'ws://t.example/key/announce',
      };
      const bytes = await torrentFileFor(world.sql, torrent.id, { urls });
      const stored = await torrentFile(world.sql, torrent.id);
      assert.ok(bytes !== undefined && stored !== undefined);
      const parsed = parseMetainfo(bytes);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.metainfo.announceTiers, [[urls.http], [urls.udp], [urls.ws]]);
      const text = Buffer.from(bytes).toString('latin1');
      const tiers = [urls.http, urls.udp, urls.ws].map((url) => `l${url.length}:${url}e`).join('');
      const without = text
        .replace(`8:announce${urls.http.length}:${urls.http}`, '')
        .replace(`13:announce-listl${tiers}e`, '');
      assert.equal(without, Buffer.from(stored).toString('latin1'));
    }
    assert.equal(
      await torrentFileFor(world.sql, 999, { urls: { http: 'http://x', udp: 'udp://x' } }),
      undefined,
    );
    await world.sql.close();
  });

  test(`${name}: a stored torrent that would be refused now is refused in words, not given out`, async () => {
    const world = await openCatalogue(open);
    const { id } = await added(world);
    const bytes = (await torrentFile(world.sql, id)) ?? new Uint8Array();
    const junk = Array.from({ length: 1001 }, (_, at) => `5:z${String(at).padStart(4, '0')}i1e`);
    await world.sql.transaction<CatalogueTables, void>(async (transaction) => {
      await transaction
        .updateTable('torrent_file')
        .set({ bytes: Buffer.concat([bytes.subarray(0, -1), Buffer.from(`${junk.join('')}e`)]) })
        .where('torrent_id', '=', id)
        .execute();
    });
    await assert.rejects(torrentFileFor(world.sql, id, { urls: {} }), {
      code: 'SITE_TORRENT_UNFIT',
      message: /more than 1000 keys/,
    });
    await world.sql.close();
  });

  test(`${name}: the files of a torrent are a tree with sizes of folders, up to what a page can show`, async () => {
    const world = await openCatalogue(open);
    const files: Record<string, number> = { 'readme.txt': 3 };
    for (let at = 0; at < 90; at++) files[`scans/box ${at % 3}/page ${at}.png`] = 10;
    const torrent = await added(world, { files });
    const tree = await fileTree(world.sql, torrent.id);
    const scans = tree?.[0];
    assert.deepEqual([scans?.name, scans?.fileCount, scans?.sizeBytes], ['scans', 90, 900]);
    assert.equal(scans?.children?.[0]?.name, 'box 0');
    assert.equal(scans?.children?.[0]?.children?.[0]?.name, 'page 0.png');
    assert.equal(scans?.children?.[0]?.children?.[1]?.name, 'page 3.png');
    assert.equal(tree?.at(-1)?.name, 'readme.txt');
    for (let at = 90; at < 110; at++) files[`scans/box ${at % 3}/page ${at}.png`] = 10;
    const large = await added(world, { files, seed: 2 });
    assert.equal(await fileTree(world.sql, large.id), undefined);
    await world.sql.close();
  });
});
