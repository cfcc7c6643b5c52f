// A real client reads a member's RSS feed and downloads what is new by a rule, without being told of it:
// the .torrent by the feed's key, the content from the archive.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeContent } from './content.ts';
import { address4, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { TestServer, waitFor } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';

const PASSWORD = 'tortoise lamp river';
const SIZE = 400_000;
const MS_MAX = 150_000;

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-feeds-'));
  const target = join(folder, 'target');
  let server: TestServer;
  let client: QBittorrent;

  before(async () => {
    mkdirSync(target);
    server = await TestServer.prepare({ addresses: [address4(1)] });
    const own = join(folder, 'client');
    mkdirSync(own);
    const started = QBittorrent.start({ address: address4(2), folder: own });
    await server.start();
    client = await started;
  });

  after(async () => {
    await client?.stop();
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test('an RSS rule of qBittorrent downloads a new torrent by itself', async () => {
    await server.json(['member', 'add', 'mina', '--password-stdin'], `${PASSWORD}\n`);
    const mina = await SiteVisitor.signIn(server.siteUrl, 'mina', PASSWORD);
    const page = await (await mina.get('/me/feeds?category=other')).text();
    const url = /http:\/\/[^<"]+\/rss\?category=other/.exec(page)?.[0] ?? '';
    assert.match(url, /\/feeds\/[\w-]{32}\/rss/);
    await client.follow(url, target);
    await client.readFeed();
    const source = join(folder, 'source');
    const content = {
      folder: source,
      name: 'new.bin',
      files: [['new.bin', SIZE]] as const,
      seed: 4,
    };
    writeContent(content);
    const [put] = await server.json<{ infoHash: string }>(['put', join(source, 'new.bin')]);
    const infoHash = put?.infoHash ?? '';
    assert.equal(await client.has(infoHash), false);
    await waitFor('qbittorrent to find it in its feed', MS_MAX, async () => {
      await client.readFeed();
      return (await client.has(infoHash)) ? true : undefined;
    });
    await waitFor('qbittorrent to have all of it', MS_MAX, async () =>
      (await client.status(infoHash)).progress === 1 ? true : undefined,
    );
    const had = readFileSync(join(target, 'new.bin'));
    assert.ok(had.equals(readFileSync(join(source, 'new.bin'))));
  });
}
