import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachDatabase, openTestSqlite } from '#sql/test-databases.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { makeTorrent, type TestTorrent, waitingMessages } from './test-catalogue.ts';
import { openPages, type TestPages, type TestVisitor } from './test-pages.ts';

const WORDS = {
  title: 'Old letters',
  category: 'books',
  tags: 'latin, letters',
  description: 'By *hand*',
};

/** Uploads in the steps a person takes; returns the path of the torrent's page. */
async function upload(
  visitor: TestVisitor,
  asked: TestTorrent = {},
  words = WORDS,
): Promise<string> {
  const sent = await visitor.post('/upload', { file: await makeTorrent(asked) });
  assert.equal(sent.status, 303, await sent.clone().text());
  const draft = sent.headers.get('location') ?? '';
  const saved = await visitor.post(draft, words);
  assert.equal(saved.status, 303, await saved.clone().text());
  return saved.headers.get('location') ?? '';
}

async function textOf(response: Promise<Response>): Promise<string> {
  return await (await response).text();
}

function idOf(pages: TestPages): Promise<{ id: number }> {
  return pages.sql
    .read<{ torrent: { id: number } }>()
    .selectFrom('torrent')
    .select('id')
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow();
}

forEachDatabase((name, open) => {
  test(`${name}: a torrent goes from the file over the preview to its page, the list and a download`, async () => {
    const pages = await openPages(open);
    const alice = await pages.signIn('alice');
    const bob = await pages.signIn('bob');
    const sent = await alice.post('/upload', { file: await makeTorrent({ version: 'hybrid' }) });
    assert.equal(sent.status, 303);
    const draft = sent.headers.get('location') ?? '';
    const preview = await textOf(alice.get(draft));
    assert.match(preview, /a\.txt/);
    assert.match(preview, /private flag was set/);
    assert.match(preview, /value="letters"/);
    assert.deepEqual((await waitingMessages(pages.sql)).filter(isTorrent), []);
    const saved = await alice.post(draft, WORDS);
    assert.equal(saved.status, 303);
    const path = saved.headers.get('location') ?? '';
    assert.equal((await waitingMessages(pages.sql)).filter(isTorrent).length, 1);
    assert.equal((await alice.get(draft)).status, 404);
    const own = await textOf(alice.get(path));
    assert.match(own, /Seed with the new file/);
    assert.match(own, /By <em>hand<\/em>/);
    const others = await textOf(bob.get(path));
    assert.doesNotMatch(others, /Seed with the new file|>Edit<|>Remove</);
    assert.match(others, /href="\/members\/alice"/);
    const list = await textOf(bob.get('/torrents?q=letters&tags=latin&category=books&sort=-size'));
    assert.ok(list.includes(`href="${path}"`));
    const file = await bob.get(`${path}/download`);
    assert.equal(file.headers.get('content-type'), 'application/x-bittorrent');
    assert.match(file.headers.get('content-disposition') ?? '', /filename="Old letters.torrent"/);
    const parsed = parseMetainfo(new Uint8Array(await file.arrayBuffer()));
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.metainfo.announceTiers, [
      [`http://127.0.0.1:6969/${bob.passkey}/announce`],
      [`udp://127.0.0.1:6969/${bob.passkey}/announce`],
    ]);
    await pages.sql.close();
  });

  test(`${name}: an uploader edits and removes their own torrent, staff any, others none`, async () => {
    const pages = await openPages(open);
    const [alice, bob, carol] = [
      await pages.signIn('alice'),
      await pages.signIn('bob'),
      await pages.signIn('carol', 'admin'),
    ];
    const path = await upload(alice);
    for (const step of ['edit', 'remove']) {
      assert.equal((await bob.get(`${path}/${step}`)).status, 403);
      assert.equal(
        (await bob.post(`${path}/${step}`, { ...WORDS, reason: 'mine now' })).status,
        403,
      );
      assert.equal((await alice.get(`${path}/${step}`)).status, 200);
      assert.equal((await carol.get(`${path}/${step}`)).status, 200);
    }
    assert.equal((await alice.post(`${path}/edit`, { ...WORDS, title: '' })).status, 422);
    assert.equal((await alice.post(`${path}/edit`, { ...WORDS, title: 'Newer' })).status, 303);
    assert.match(await textOf(bob.get('/torrents')), /Newer/);
    assert.equal((await carol.post(`${path}/remove`, { reason: '' })).status, 422);
    assert.equal((await carol.post(`${path}/remove`, { reason: 'Not ours to share' })).status, 303);
    assert.match(await textOf(bob.get(path)), /Not ours to share/);
    assert.doesNotMatch(await textOf(bob.get('/torrents')), /Newer/);
    for (const gone of ['download', 'edit', 'remove']) {
      assert.equal((await alice.get(`${path}/${gone}`)).status, 404);
    }
    const again = await alice.post('/upload', { file: await makeTorrent() });
    assert.equal(again.status, 303);
    const refused = await alice.post(again.headers.get('location') ?? '', WORDS);
    assert.equal(refused.status, 422);
    assert.match(await refused.text(), /Not ours to share/);
    await pages.sql.close();
  });
});

function isTorrent(message: unknown): boolean {
  return (message as { kind: string }).kind === 'torrent';
}

test('another member can neither see, save nor discard a draft', async () => {
  const pages = await openPages(openTestSqlite);
  const [alice, bob] = [await pages.signIn('alice'), await pages.signIn('bob', 'admin')];
  const sent = await alice.post('/upload', { file: await makeTorrent() });
  const draft = sent.headers.get('location') ?? '';
  assert.equal((await bob.get(draft)).status, 404);
  assert.equal((await bob.post(draft, WORDS)).status, 404);
  assert.equal((await bob.post(`${draft}/discard`)).status, 303);
  assert.equal((await alice.get(draft)).status, 200);
  assert.equal((await alice.post(`${draft}/discard`)).status, 303);
  assert.equal((await alice.get(draft)).status, 404);
  await pages.sql.close();
});

test('a torrent that is there is refused with a link to it, before and after the preview', async () => {
  const pages = await openPages(openTestSqlite);
  const [alice, bob] = [await pages.signIn('alice'), await pages.signIn('bob')];
  const early = await bob.post('/upload', { file: await makeTorrent() });
  const path = await upload(alice);
  const late = await bob.post('/upload', { file: await makeTorrent() });
  assert.equal(late.status, 409);
  assert.ok((await late.text()).includes(`href="${path}"`));
  const draft = early.headers.get('location') ?? '';
  assert.match(await textOf(bob.get(draft)), /here already/);
  const saved = await bob.post(draft, WORDS);
  assert.equal(saved.status, 409);
  assert.ok((await saved.text()).includes(`href="${path}"`));
  const renamed = await bob.post('/upload', { file: await makeTorrent({ name: 'other' }) });
  assert.match(await renamed.text(), /same content is here already/);
  await pages.sql.close();
});

test('what is no torrent, too large or missing is refused in words', async () => {
  const pages = await openPages(openTestSqlite);
  const alice = await pages.signIn('alice');
  const none = await alice.post('/upload', {});
  assert.equal(none.status, 422);
  assert.match(await none.text(), /Choose a .torrent file/);
  const junk = await alice.post('/upload', { file: new Uint8Array([1, 2, 3]) });
  assert.equal(junk.status, 422);
  assert.match(await junk.text(), /not a torrent file/);
  const large = await alice.post('/upload', { file: new Uint8Array(12 * 1024 * 1024) });
  assert.equal(large.status, 413);
  await pages.sql.close();
});

test('names, titles, tags and descriptions from outside stay text on every page', async () => {
  const pages = await openPages(openTestSqlite);
  const alice = await pages.signIn('alice');
  const evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>';
  const inPath = '\'"><svg onload=alert(1)>&lt;';
  const words = {
    title: evil,
    category: 'books',
    tags: evil,
    description: `${evil}\n\n[a](javascript:alert(1)) **${evil}**`,
  };
  const sent = await alice.post('/upload', {
    file: await makeTorrent({
      name: inPath,
      files: { [`${inPath}_${inPath}.txt`]: 20_000 },
      source: evil,
    }),
  });
  const draft = sent.headers.get('location') ?? '';
  const refused = await alice.post(draft, { ...words, category: evil });
  assert.equal(refused.status, 422);
  const saved = await alice.post(draft, words);
  const path = saved.headers.get('location') ?? '';
  const shown = [await refused.text()];
  const query = `q=${encodeURIComponent(evil)}&tags=${encodeURIComponent(evil)}&category=${encodeURIComponent(evil)}&sort=${encodeURIComponent(evil)}&at=${encodeURIComponent(evil)}`;
  for (const page of [
    path,
    `${path}/edit`,
    `${path}/remove`,
    '/torrents',
    `/torrents?${query}`,
    '/upload',
    draft,
  ]) {
    shown.push(await textOf(alice.get(page)));
  }
  for (const html of shown) {
    assert.doesNotMatch(
      html,
      /<script(?! src="\/assets\/)|<img|<svg onload|onerror=alert\(1\)>(?!&)/,
    );
    assert.doesNotMatch(html, /href="javascript:/);
  }
  await pages.sql.close();
});

test('the list says what is mine, who is there, and how it is sorted', async () => {
  const pages = await openPages(openTestSqlite);
  const [alice, bob] = [await pages.signIn('alice'), await pages.signIn('bob')];
  assert.match(await textOf(alice.get('/torrents')), /No torrents yet/);
  const path = await upload(alice);
  const { id } = await idOf(pages);
  const peerId = Buffer.from('-TR4050-abcdefghijkl');
  const here = {
    torrentId: id,
    peerId,
    uploaded: 4096,
    downloaded: 0,
    ipv4: new Uint8Array(6),
    ipv6: undefined,
    lastSeenSeconds: 1,
  };
  pages.swarms.peers = [
    { ...here, memberId: alice.memberId, left: 0, state: 'seeder' },
    { ...here, memberId: bob.memberId, left: 15_000, state: 'leecher', ipv6: new Uint8Array(18) },
  ];
  pages.swarms.counted.set(id, { seeders: 1, leechers: 1, completed: 3 });
  assert.match(await textOf(alice.get('/torrents')), /badge-good">Seeding/);
  assert.match(await textOf(bob.get('/torrents')), /Leeching 25 %/);
  const page = await textOf(bob.get(path));
  assert.match(page, /One client alone keeps it alive/);
  assert.match(page, /Transmission 4\.0\.5/);
  assert.match(page, /IPv4 and IPv6/);
  assert.doesNotMatch(page, /0\.0\.0\.0/);
  const archive = {
    memberId: 0,
    peerId: pages.swarms.archivePeerId,
    left: 0,
    state: 'seeder',
  } as const;
  pages.swarms.peers.push({ ...here, ...archive });
  pages.swarms.counted.set(id, { seeders: 2, leechers: 1, completed: 3 });
  const kept = await textOf(bob.get(path));
  assert.match(kept, /The archive/);
  assert.match(kept, /One client alone keeps it alive/);
  const sorted = await textOf(bob.get('/torrents?sort=title'));
  assert.match(sorted, /aria-sort="ascending"><a href="\/torrents\?sort=-title"/);
  assert.match(await textOf(bob.get('/torrents?q=nothing')), /Nothing fits/);
  await pages.sql.close();
});

test('unknown torrents and drafts are not found, whatever is asked of them', async () => {
  const pages = await openPages(openTestSqlite);
  const alice = await pages.signIn('alice', 'admin');
  for (const hash of ['x', '0', 'a'.repeat(40), 'a'.repeat(64), "'or 1=1", '%00', '..%2f']) {
    for (const step of ['', '/download', '/edit', '/remove']) {
      assert.equal((await alice.get(`/torrents/${hash}${step}`)).status, 404, hash + step);
    }
    assert.equal((await alice.get(`/upload/${hash}`)).status, 404);
    assert.equal((await alice.post(`/upload/${hash}`, WORDS)).status, 404);
  }
  await pages.sql.close();
});
