import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveConfig } from '#archive/config.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { Downloads } from '#archive/downloads/downloads.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import type { BlobRef } from '#base/ids.ts';
import { silentLogger } from '#base/logger.ts';
import { endOfSteps } from '#base/steps.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import { contentTree } from '#site/downloads/content-tree.ts';
import { type ExtractTables, saveExtracts } from '#site/previews/extracts.ts';
import type { PreviewTables } from '#site/previews/previews.ts';
import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { MemoryStore } from '#store/memory.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { skimTorrent } from '#wire/metainfo-skim.ts';
import { letGo } from './share-items.ts';
import { listShares } from './shares.ts';

const FILES = { 'open/a.txt': 300_000, 'open/in/b.txt': 20, 'secret/c.txt': 30, 'd.txt': 40 };

/** As small as pictures are. */
const GIF = Buffer.from('GIF89a\x01\0\x01\0', 'latin1');

const TEXT_REF = `sha256-${'b'.repeat(64)}` as BlobRef;

interface Sharing {
  readonly site: TestSite;
  readonly hash: string;
  readonly mina: TestBrowser;
  /** Position by path. */
  readonly at: (path: string) => string;
}

async function withShares(run: (of: Sharing) => Promise<void>): Promise<void> {
  const store = new MemoryStore();
  const site = await TestSite.open({
    content: ({ sql, clock }) => ({
      downloads: new Downloads({
        ...{ sql, clock, hasher: new InPlaceHasher(), healers: [], logger: silentLogger },
        config: archiveConfig.parse({}),
        store: async () => store,
        tree: contentTree(sql),
        catalogue: {
          torrentByHash: async () => undefined,
          listing: async (id) =>
            endOfSteps(skimTorrent((await torrentFile(sql, id)) ?? new Uint8Array())),
        },
      }),
      isKept: async () => true,
      blob: async () => GIF,
      onTaken: () => undefined,
    }),
  });
  try {
    const member = await site.addMember('mina');
    await site.addMember('olga', 'admin');
    const bytes = await makeTorrent({ name: 'survey', files: FILES });
    const words = { title: 'Survey', category: 'other', tags: [], description: '' };
    const added = await addTorrent(site.world, { ...words, bytes, uploaderId: member.id });
    assert.ok('torrent' in added);
    const files: WrittenFile[] = [];
    const parsed = parseMetainfo(bytes);
    assert.ok(parsed.ok);
    for (const { sizeBytes } of parsed.metainfo.files) {
      const file = { bytes: sizeBytes, segmentBytes: 256 * 1024 };
      const writer = new FileWriter({ store, hasher: new InPlaceHasher() }, file);
      await writer.write(new Uint8Array(sizeBytes).fill(sizeBytes % 251));
      files.push(await writer.finish());
    }
    await keepTorrent(site.sql, { id: added.torrent.id, files, nowMs: 1 });
    const rows = await site.sql
      .read<{ torrent_entry: { position: number; path: string } }>()
      .selectFrom('torrent_entry')
      .select(['position', 'path'])
      .execute();
    const at = (path: string): string =>
      String(rows.find((row) => row.path === path)?.position ?? 'none');
    const mina = await site.signedIn('mina');
    await run({ site, hash: added.torrent.infoHash, mina, at });
  } finally {
    await site.close();
  }
}

interface Wanted {
  readonly entry?: string;
  readonly days?: string;
  readonly downloads?: string;
  readonly password?: string;
}

/** The path of a new share's link. */
async function share({ hash, mina }: Sharing, wanted: Wanted = {}): Promise<string> {
  const path = `/torrents/${hash}/share`;
  assert.equal((await mina.get(path)).status, 200);
  const made = await mina.post(path, { days: '7', ...wanted });
  const link = /class="secret">[^<]*(\/s\/[A-Za-z0-9_-]{43})</.exec(made.text)?.[1];
  assert.ok(link !== undefined, made.text.slice(-3000));
  return link;
}

test('a stranger sees what is shared and takes it, and what was given is counted', () =>
  withShares(async (of) => {
    const { site, mina, at } = of;
    const link = await share(of, { entry: at('open/') });
    const stranger = site.browser('10.0.0.9');
    const page = await stranger.get(link);
    assert.equal(page.status, 200);
    assert.match(page.text, /2 files/);
    assert.match(page.text, /a\.txt/);
    assert.doesNotMatch(page.text, /secret|d\.txt|Survey|mina/);
    const below = await stranger.get(`${link}?in=${at('open/in/')}`);
    assert.match(below.text, /b\.txt/);
    const file = await stranger.get(`${link}/${at('open/a.txt')}`);
    assert.deepEqual([file.status, file.bytes.length], [200, 300_000]);
    assert.match(file.headers.get('content-disposition') ?? '', /filename="a.txt"/);
    const part = await stranger.get(`${link}/${at('open/a.txt')}`, { range: 'bytes=5-9' });
    assert.deepEqual([part.status, [...part.bytes]], [206, new Array(5).fill(300_000 % 251)]);
    const tar = await stranger.get(`${link}/all`);
    assert.match(tar.headers.get('content-disposition') ?? '', /filename="open.tar"/);
    assert.ok(tar.text.includes('open/in/b.txt') && !tar.text.includes('secret'));
    assert.equal(Number(tar.headers.get('content-length')), tar.bytes.length);
    assert.match(tar.headers.get('content-security-policy') ?? '', /^sandbox; default-src 'none'/);
    const json = await stranger.get(link, { accept: 'application/json' });
    const told = JSON.parse(json.text) as { entries: { name: string; content: string }[] };
    assert.deepEqual(
      told.entries.map((entry) => entry.name),
      ['in', 'a.txt'],
    );
    const beyond = await stranger.get(`${link}/${at('open/a.txt')}`, { range: 'bytes=300000-' });
    assert.equal(beyond.status, 416, 'and is not counted');
    site.clock.advance(2000);
    // Written down by and by.
    let [listed] = await listShares(site.sql, {});
    while (listed?.sentBytes === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      [listed] = await listShares(site.sql, {});
    }
    assert.equal(listed?.downloads, 3);
    assert.equal(listed?.sentBytes, 300_000 + 5 + tar.bytes.length);
    const own = await mina.get('/me/shares');
    assert.match(own.text, />open</);
    const staff = await (await site.signedIn('olga')).get('/console/shares');
    assert.match(staff.text, /href="\/members\/mina"/);
  }));

test('a stranger sees pictures of what lies in the folder that is shared, and of nothing else', () =>
  withShares(async (of) => {
    const { site, at } = of;
    await site.sql.transaction<PreviewTables, unknown>((transaction) =>
      transaction
        .insertInto('torrent_preview')
        .values(
          ['open/a.txt', 'secret/c.txt'].map((path) => ({
            ...{ torrent_id: 1, position: Number(at(path)), width: 1, height: 1 },
            blob_ref: `sha256-${'a'.repeat(64)}`,
          })),
        )
        .execute(),
    );
    const link = await share(of, { entry: at('open/') });
    const stranger = site.browser('10.0.0.9');
    const page = await stranger.get(link);
    const shown = [...page.text.matchAll(/<img src="([^"]+)"/g)].map((match) => match[1]);
    assert.deepEqual(shown, [`${link}/preview/${at('open/a.txt')}`]);
    const picture = await stranger.get(shown[0] ?? '');
    assert.equal(picture.headers.get('content-type'), 'image/gif');
    await site.sql.transaction<ExtractTables, unknown>((transaction) =>
      saveExtracts(transaction, 1, {
        texts: [{ position: Number(at('open/in/b.txt')), ref: TEXT_REF, kind: 'text' }],
        media: [{ position: Number(at('open/a.txt')), facts: { seconds: 65 } }],
      }),
    );
    assert.match((await stranger.get(link)).text, /a\.txt<\/span><br><span class="[^"]+">1:05</);
    const below = await stranger.get(`${link}?in=${at('open/in/')}`);
    const href = /<a href="([^"]+\/preview\/\d+)">b\.txt/.exec(below.text)?.[1] ?? '';
    assert.match((await stranger.get(href)).text, /<pre tabindex="0">GIF89a/);
    assert.equal((await stranger.get(`${link}/preview/${at('secret/c.txt')}`)).status, 404);
  }));

test('nothing but what is shared is reached, whatever is asked for', () =>
  withShares(async (of) => {
    const { site, at, hash } = of;
    const folder = await share(of, { entry: at('open/') });
    const file = await share(of, { entry: at('open/in/b.txt') });
    const stranger = site.browser();
    const outside = ['secret/', 'secret/c.txt', 'd.txt'].map(at);
    for (const link of [folder, file]) {
      for (const entry of [
        ...outside,
        '99999',
        '-1',
        '1.0',
        'x',
        '%2e%2e',
        '..%2f..%2f',
        '0x1',
        '',
      ]) {
        for (const path of [`${link}/${entry}`, `${link}?in=${entry === '' ? 'none' : entry}`]) {
          const page = await stranger.get(path);
          if (path === `${link}/`) continue;
          assert.equal(page.status, 404, path);
          assert.doesNotMatch(page.text, /c\.txt|d\.txt/);
        }
      }
    }
    assert.equal((await stranger.get(`${file}/${at('open/a.txt')}`)).status, 404);
    assert.equal((await stranger.get(`${file}?in=${at('open/')}`)).status, 404);
    assert.equal((await stranger.get(`${file}/all`)).bytes.length, 20, 'all of a file is the file');
    for (const guess of [
      'A'.repeat(43),
      `${folder.slice(3, -1)}`,
      `${folder.slice(3)}A`,
      '%00',
      '1',
    ]) {
      assert.equal((await stranger.get(`/s/${guess}`)).status, 404, guess);
      assert.equal((await stranger.get(`/s/${guess}/all`)).status, 404, guess);
    }
    assert.equal((await stranger.get(`/torrents/${hash}/share`)).status, 303);
    const rows = await site.sql
      .read<{ share: { token_hash: Uint8Array } }>()
      .selectFrom('share')
      .selectAll()
      .execute();
    const stored =
      JSON.stringify(rows) + Buffer.concat(rows.map((row) => row.token_hash)).toString('base64url');
    assert.ok(!stored.includes(folder.slice(3)), 'the link is not in the database');
  }));

test('a share ends by its time, by its count, when it is revoked, and with its member', () =>
  withShares(async (of) => {
    const { site, mina, at } = of;
    const stranger = site.browser();
    const counted = await share(of, { entry: at('open/a.txt'), downloads: '2' });
    const content = `${counted}/all`;
    const part = await stranger.get(content, { range: 'bytes=1-2' });
    assert.deepEqual([part.status, part.bytes.length], [200, 300_000], 'each is whole, and counts');
    const head = await stranger.send(
      new Request(`http://127.0.0.1:8080${content}`, { method: 'HEAD' }),
    );
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, '300000']);
    const both = await Promise.all([stranger.get(content), stranger.get(content)]);
    assert.deepEqual(both.map((page) => page.status).sort(), [200, 404]);
    assert.match((await stranger.get(counted)).text, /as often as it may be/);

    const revoked = await share(of);
    const other = await site.signedIn('olga');
    const ids = (await listShares(site.sql, {})).map((one) => one.id);
    assert.equal((await other.get('/me/shares')).status, 200);
    await other.post(`/me/shares/${ids[0]}/revoke`);
    assert.equal(
      (await stranger.get(revoked)).status,
      200,
      "another member's is not theirs to end",
    );
    await mina.post(`/me/shares/${ids[0]}/revoke`);
    assert.equal((await stranger.get(revoked)).status, 404);
    assert.equal((await stranger.get(`${revoked}/all`)).status, 404);

    const staff = await share(of);
    const last = (await listShares(site.sql, {}))[0]?.id;
    await other.get('/console/shares');
    await other.post(`/console/shares/${last}/revoke`);
    assert.equal((await stranger.get(staff)).status, 404);

    const banned = await share(of);
    await site.sql.transaction<{ member: { state: string; name: string } }, unknown>(
      (transaction) =>
        transaction
          .updateTable('member')
          .set({ state: 'banned' })
          .where('name', '=', 'mina')
          .execute(),
    );
    assert.equal((await stranger.get(banned)).status, 404);
    await site.sql.transaction<{ member: { state: string; name: string } }, unknown>(
      (transaction) =>
        transaction
          .updateTable('member')
          .set({ state: 'active' })
          .where('name', '=', 'mina')
          .execute(),
    );
    assert.equal((await stranger.get(banned)).status, 200);
    site.clock.advance(7 * 86_400_000);
    assert.equal((await stranger.get(banned)).status, 404);
  }));

test('a password is asked for, and who does not have it learns nothing', () =>
  withShares(async (of) => {
    const { site, at } = of;
    const link = await share(of, { password: 'herring gull', entry: at('open/') });
    const stranger = site.browser('10.0.0.7');
    const page = { accept: 'text/html,*/*' };
    const closed = await stranger.get(link, page);
    assert.match(closed.text, /A password is wanted/);
    assert.doesNotMatch(closed.text, /a\.txt|open|files/);
    assert.equal((await stranger.get(`${link}/all`, page)).location, link);
    const wrong = await stranger.post(link, { password: 'herring' });
    assert.equal(wrong.status, 422);
    assert.equal((await stranger.post(link, { password: 'herring gull' })).location, link);
    assert.match((await stranger.get(link)).text, /a\.txt/);
    assert.equal((await stranger.get(`${link}/all`)).status, 200);
    const another = await share(of, { password: 'another one' });
    assert.match((await stranger.get(another, page)).text, /A password is wanted/);
    // Both stay open: each link has a cookie of its own.
    await stranger.post(another, { password: 'another one' });
    assert.match((await stranger.get(another)).text, /Survey/);
    assert.match((await stranger.get(link)).text, /a\.txt/);
  }));

test('programs say the password with each request; wrong ones count for their address and share alone', () =>
  withShares(async (of) => {
    const { site } = of;
    const link = await share(of, { password: 'herring gull' });
    const basic = (word: string) => ({
      authorization: `Basic ${Buffer.from(`:${word}`).toString('base64')}`,
    });
    const program = site.browser('10.0.0.8');
    for (const path of [link, `${link}/all`]) {
      const asked = await program.get(path);
      assert.equal(asked.status, 401);
      assert.match(asked.headers.get('www-authenticate') ?? '', /^Basic realm=/);
      assert.match(asked.headers.get('content-type') ?? '', /json/);
    }
    const many = Array.from({ length: 30 }, () => program.get(link, basic('herring gull')));
    for (const answer of await Promise.all(many)) assert.equal(answer.status, 200);
    for (let at = 0; at < 10; at++) {
      assert.equal((await program.get(link, basic(`guess ${at}`))).status, 401);
    }
    const late = await program.get(link, basic('another guess'));
    assert.deepEqual([late.status, late.headers.get('retry-after')], [429, '600']);
    const guesser = site.browser('10.0.0.10');
    const guesses = Array.from({ length: 25 }, (_, at) => guesser.get(link, basic(`no ${at}`)));
    const tried = (await Promise.all(guesses)).filter(({ status }) => status === 401);
    assert.equal(tried.length, 10, 'also of guesses that come at once');
    const other = site.browser('10.0.0.9');
    assert.equal(
      (await other.get(link, basic('herring gull'))).status,
      200,
      'nobody is locked out',
    );
    const second = await share(of, { password: 'herring gull' });
    assert.equal((await guesser.get(second, basic('herring gull'))).status, 200);
    site.clock.advance(600_000);
    assert.equal((await guesser.get(link, basic('herring gull'))).status, 200);
  }));

test('what is there already and what is asked for its head are not counted, and the head says what is left', () =>
  withShares(async (of) => {
    const { site, at } = of;
    const entry = at('open/a.txt');
    const link = await share(of, { entry, downloads: '1' });
    const program = site.browser('10.0.0.8');
    const head = await program.send(
      new Request(`http://127.0.0.1:8080${link}/${entry}`, { method: 'HEAD' }),
    );
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, '300000']);
    const etag = head.headers.get('etag') ?? '';
    const known = await program.get(`${link}/${entry}`, { 'if-none-match': etag });
    assert.equal(known.status, 304);
    assert.equal((await program.get(`${link}/${entry}`)).status, 200);
    assert.equal((await program.get(`${link}/${entry}`)).status, 404);
    const used = await program.send(
      new Request(`http://127.0.0.1:8080${link}/${entry}`, { method: 'HEAD' }),
    );
    assert.equal(used.status, 404, 'as it is to whoever asks for all of it');
  }));

test('what the archive let go stays unshared when it is kept again', () =>
  withShares(async (of) => {
    const { site, mina, at } = of;
    const link = await share(of, { entry: at('open/') });
    const stranger = site.browser('10.0.0.7');
    const kept = await site.sql
      .read<{ archive_torrent: { torrent_id: number } }>()
      .selectFrom('archive_torrent')
      .selectAll()
      .executeTakeFirstOrThrow();
    const id = kept.torrent_id;
    assert.equal(await letGo(site.sql, id, 5), true);
    assert.equal((await stranger.get(link)).status, 404);
    await keepTorrent(site.sql, { id, files: [], nowMs: 6 });
    assert.equal((await stranger.get(link)).status, 404);
    const own = await mina.get('/me/shares');
    assert.match(own.text, /Let go/);
    assert.match(own.text, /the archive let it go/);
  }));

test('a collection leads to several things, each as deep as was said', () =>
  withShares(async (of) => {
    const { site, mina, at, hash } = of;
    const link = await share(of, { entry: at('d.txt') });
    const id = (await listShares(site.sql, {}))[0]?.id;
    const path = `/torrents/${hash}/share`;
    assert.match((await mina.get(`${path}?entry=${at('open/')}`)).text, /link that you have/);
    const added = { entry: at('open/'), into: String(id) };
    assert.equal((await mina.post(path, added)).location, '/me/shares');
    await mina.post(path, { into: String(id), 'added-depth': 'deep' });
    const stranger = site.browser('10.0.0.7');
    const page = await stranger.get(link);
    assert.match(page.text, /3 things/);
    assert.match(page.text, />open<.*>Folder</s);
    const json = { accept: 'application/json' };
    const told = JSON.parse((await stranger.get(link, json)).text);
    assert.deepEqual(
      told.entries.map((one: Record<string, unknown>) => [one['name'], one['kind']]),
      [
        ['d.txt', 'file'],
        ['open', 'folder'],
        ['survey', 'torrent'],
      ],
    );
    const folder = JSON.parse((await stranger.get(`${link}?in=1-all`, json)).text);
    assert.deepEqual(
      folder.entries.map((one: Record<string, unknown>) => [one['name'], one['shared'] ?? true]),
      [
        ['in', false],
        ['a.txt', true],
      ],
    );
    assert.match((await stranger.get(`${link}?in=1-all`)).text, /not shared/);
    for (const deeper of [`${link}?in=1-${at('open/in/')}`, `${link}/1-${at('open/in/b.txt')}`]) {
      assert.equal((await stranger.get(deeper)).status, 404, deeper);
    }
    const tar = await stranger.get(`${link}/1-all`);
    assert.ok(tar.text.includes('open/a.txt') && !tar.text.includes('b.txt'));
    assert.equal((await stranger.get(`${link}/2-${at('open/in/b.txt')}`)).status, 200);
    const whole = await stranger.get(`${link}/2-all`);
    assert.ok(whole.text.includes('survey/open/in/b.txt'));
    assert.equal((await stranger.get(`${link}/3-all`)).status, 404);
    const own = await mina.get('/me/shares');
    assert.match(own.text, /Folder open\/ of .*, 2 files, .*, only the files right in it/);
    const other = await site.signedIn('olga');
    await other.get(path);
    assert.equal((await other.post(path, added)).status, 422, "another member's is not theirs");
  }));

test('a torrent is its .torrent for who asks so, and completes from the share by it', () =>
  withShares(async (of) => {
    const { site, at } = of;
    const link = await share(of);
    const stranger = site.browser('10.0.0.7');
    const accept = { accept: 'application/json;q=0.5, application/x-bittorrent' };
    const answer = await stranger.get(link, accept);
    assert.equal(answer.headers.get('content-type'), 'application/x-bittorrent');
    assert.equal(answer.headers.get('vary'), 'accept');
    assert.match(answer.text, /8:url-list/);
    assert.doesNotMatch(answer.text, /8:announce/);
    const seed = /http:\/\/127\.0\.0\.1:8080(\/s\/[^/]+\/seed\/all\/)/.exec(answer.text)?.[1];
    const part = { range: 'bytes=1-2' };
    const file = await stranger.get(`${seed}survey/open/a.txt`, part);
    assert.deepEqual([file.status, file.bytes.length], [206, 2]);
    for (const none of ['survey/open', 'survey/none', 'other/d.txt', 'survey/%ff', '']) {
      assert.equal((await stranger.get(seed + none)).status, 404, none);
    }
    const folder = await share(of, { entry: at('open/') });
    assert.equal((await stranger.get(folder, accept)).status, 406);
    const locked = await share(of, { downloads: '3' });
    assert.doesNotMatch((await stranger.get(locked, accept)).text, /url-list/);
  }));

test('what a share may be is said beside its field', () =>
  withShares(async ({ mina, hash, site }) => {
    const path = `/torrents/${hash}/share`;
    await mina.get(path);
    for (const [wrong, words] of [
      [{ days: '0' }, /lasts 1 to 90 days/],
      [{ days: '91' }, /lasts 1 to 90 days/],
      [{ days: '7', downloads: '0' }, /say how many/],
      [{ days: '7', downloads: '1e3' }, /say how many/],
      [{ days: '7', password: 'short' }, /8 to 200 characters/],
    ] as const) {
      const page = await mina.post(path, wrong);
      assert.equal(page.status, 422);
      assert.match(page.text, words);
    }
    for (const entry of ['99999', 'x', '-1']) {
      assert.equal((await mina.post(path, { days: '7', entry })).status, 404, entry);
    }
    assert.equal((await listShares(site.sql, {})).length, 0);
  }));
