import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#site/refusal.ts';
import { forEachDatabase, openTestSqlite } from '#sql/test-databases.ts';
import { findTorrent } from './find-torrent.ts';
import { replacementsOf } from './replacements.ts';
import { makeTorrent, openCatalogue, waitingMessages } from './test-catalogue.ts';
import { openPages } from './test-pages.ts';
import { listTorrents } from './torrent-list.ts';
import { addTorrent } from './torrents.ts';

const WORDS = { category: 'other', tags: ['letters'], description: '' };

forEachDatabase((name, open) => {
  test(`S9: a torrent takes the place of another: trackers refuse the old hash and name the new one (${name})`, async () => {
    const world = await openCatalogue(open);
    const add = async (torrent: Parameters<typeof makeTorrent>[0], replacesId?: number) =>
      await addTorrent(world, {
        ...{ bytes: await makeTorrent(torrent), uploaderId: 1, ...WORDS },
        ...(replacesId === undefined ? {} : { replacesId }),
      });
    const old = await add({ name: 'letters' });
    assert.ok(!(old instanceof Refusal) && old.kind === 'added');
    // The same content under another name: refused by itself, taken in the old one's place.
    const refused = await add({ name: 'letters-better' });
    assert.ok(!(refused instanceof Refusal) && refused.kind === 'duplicate');
    const made = await add({ name: 'letters-better' }, old.torrent.id);
    assert.ok(!(made instanceof Refusal) && made.kind === 'added');
    const hash = made.torrent.infoHash;
    const messages = await waitingMessages(world.sql);
    const reason = `replaced by “letters-better”, ${hash}`;
    assert.deepEqual(
      messages.slice(-2).map((one) => {
        const { torrentId, state, reason: why } = one as Record<string, unknown>;
        return { torrentId, state, why };
      }),
      [
        { torrentId: made.torrent.id, state: 'active', why: '' },
        { torrentId: old.torrent.id, state: 'removed', why: reason },
      ],
    );
    const before = await findTorrent(world.sql, old.torrent.id);
    assert.ok(before?.replacedById === made.torrent.id && before.removedReason === reason);
    assert.deepEqual(await replacementsOf(world.sql, before), {
      replacedBy: { infoHash: hash, title: 'letters-better' },
      replaces: [],
    });
    const other = { infoHash: old.torrent.infoHash, title: 'letters' };
    const after = await replacementsOf(world.sql, made.torrent);
    assert.deepEqual(after, { replacedBy: undefined, replaces: [other] });
    const { rows } = await listTorrents(world.sql, { words: '', tags: ['letters'], rowsMax: 9 });
    assert.deepEqual(
      rows.map((row) => row.title),
      ['letters-better'],
    );
    await world.sql.close();
  });
});

test('S9: a torrent is replaced on the upload page by its uploader, and by no other member', async () => {
  const pages = await openPages(openTestSqlite);
  const anna = await pages.signIn('anna');
  const bert = await pages.signIn('bert');
  const upload = async (who: typeof anna, torrent: Parameters<typeof makeTorrent>[0]) => {
    const sent = await who.post('/upload', { file: await makeTorrent(torrent) });
    return { status: sent.status, draft: sent.headers.get('location') ?? '' };
  };
  const save = async (who: typeof anna, draft: string, replaces = '') =>
    await who.post(draft, {
      title: 'Letters',
      category: 'other',
      tags: '',
      description: '',
      replaces,
    });
  const first = await upload(anna, { name: 'letters' });
  const saved = await save(anna, first.draft);
  const old = saved.headers.get('location') ?? '';
  const hash = old.split('/').at(-1) ?? '';
  // The same content by somebody else stays a duplicate, also when they say that it replaces.
  assert.equal((await upload(bert, { name: 'letters-2' })).status, 409);
  const others = await upload(bert, { name: 'other', seed: 5 });
  const refused = await save(bert, others.draft, hash);
  assert.equal(refused.status, 422);
  assert.match(await refused.text(), /Only its uploader and the staff can replace it/);
  assert.equal((await save(bert, others.draft, 'f'.repeat(40))).status, 422);
  // Its uploader is shown the older one, and saves in its place.
  const second = await upload(anna, { name: 'letters-2' });
  const preview = await (await anna.get(second.draft)).text();
  assert.match(preview, new RegExp(`name="replaces"[^>]*value="${hash}"`));
  const done = await save(anna, second.draft, `http://127.0.0.1:8080${old}`);
  assert.equal(done.status, 303);
  const next = done.headers.get('location') ?? '';
  const page = await (await bert.get(old)).text();
  assert.match(page, /This torrent was removed/);
  assert.ok(page.includes(`The new one is <a href="${next}">Letters</a>`));
  assert.ok((await (await bert.get(next)).text()).includes(`<a href="${old}">Letters</a>`));
  await pages.sql.close();
});
