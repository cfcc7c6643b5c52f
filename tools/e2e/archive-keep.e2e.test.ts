// A torrent that only its uploader has is kept by the archive: taken from the swarm, proven, and given on
// when the uploader has gone. What rots on the disk meanwhile is found and never given.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BitTorrentClient } from './client.ts';
import { makeTorrent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, inNamespace } from './namespace.ts';
import { TestServer, waitFor } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';
import { Transmission } from './transmission.ts';

const MIB = 1024 * 1024;
const FILES = [
  ['a.bin', 9 * MIB + 5],
  ['notes/b.txt', 1000],
] as const;
const MS_MAX = 120_000;
const PASSWORD = 'tortoise lamp river';

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-keep-'));
  const clients: BitTorrentClient[] = [];
  let server: TestServer;

  const start = async (Client: typeof Libtorrent | typeof Transmission, n: number) => {
    const own = join(folder, `client-${n}`);
    mkdirSync(own);
    const client = await Client.start({ address: address4(n), folder: own });
    clients.push(client);
    return client;
  };

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1)],
      settings: { 'swarm.announceIntervalMsMin': 1000, 'tracker.announceIntervalMs': 10_000 },
    });
    await server.start();
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Bytes change on the disk; the health goes red, and green again when the swarm is back. */
  const damageAndHeal = async (uploader: BitTorrentClient, infoHash: string): Promise<void> => {
    await server.end('SIGTERM');
    const packs = join(server.dataFolder, 'store', 'packed');
    for (const name of readdirSync(packs).filter((one) => one.endsWith('.pack'))) {
      const bytes = readFileSync(join(packs, name));
      const middle = Math.floor(bytes.length / 2);
      bytes.fill(0xee, middle, middle + 64);
      writeFileSync(join(packs, name), bytes);
    }
    const red = await server.command(['archive', 'verify', '--json']);
    assert.equal(red.exitCode, 1, red.stdout);
    assert.match(red.stdout, /"damagedSegments":1/);
    await server.start();
    const visitor = await SiteVisitor.signIn(server.siteUrl, 'reader-of-pages', PASSWORD);
    const page = async (): Promise<string> =>
      await (await visitor.get(`/torrents/${infoHash}`)).text();
    assert.match(await page(), /Damaged/);
    await waitFor('the swarm to heal it', MS_MAX, async () => {
      // A client whose tracker was away takes its time to come back by itself.
      await uploader.announce(infoHash);
      const green = await server.command(['archive', 'verify', '--json']);
      return green.exitCode === 0 && /"healed":1/.test(green.stdout) ? true : undefined;
    });
    assert.match(await page(), /Kept whole/);
  };

  test('a torrent that one client has is kept over a kill, healed from it, and given when it has gone', async () => {
    const content = { folder: join(folder, 'source'), name: 'set', files: FILES, seed: 3 };
    writeContent(content);
    const path = join(folder, 'set.torrent');
    writeFileSync(path, (await makeTorrent(content, { version: 'v1' })).bytes);
    const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
    const infoHash = added?.infoHash ?? '';
    const copyFor = async (member: string): Promise<string> => {
      await server.json(['member', 'add', member]);
      const file = join(folder, `${member}.torrent`);
      await server.json(['torrent', 'download', infoHash, '--member', member, '-o', file]);
      return file;
    };
    await server.json(['member', 'add', 'reader-of-pages', '--password-stdin'], PASSWORD);
    const [wanted] = await server.json<{ keeping: string }>(['torrent', 'keep', infoHash]);
    assert.equal(wanted?.keeping, 'wanted');
    // It stays wanted over the end of the server.
    await server.end('SIGKILL');
    await server.start();
    const uploader = await start(Libtorrent, 2);
    await uploader.add(await copyFor('uploader'), content.folder);
    await waitFor('the archive to have it', MS_MAX, async () => {
      const [shown] = await server.json<{ keeping: string }>(['torrent', 'show', infoHash]);
      return shown?.keeping === 'kept' ? true : undefined;
    });
    const [proven] = await server.json<{ bytes: number }>(['archive', 'verify']);
    assert.equal(proven?.bytes, 9 * MIB + 1005);
    await damageAndHeal(uploader, infoHash);
    await uploader.remove(infoHash);
    const reader = await start(Transmission, 3);
    const target = join(folder, 'target');
    mkdirSync(target);
    await reader.add(await copyFor('reader'), target);
    await waitFor('the reader to complete', MS_MAX, async () =>
      (await reader.status(infoHash)).progress === 1 ? true : undefined,
    );
    for (const [name] of FILES) {
      const got = readFileSync(join(target, 'set', name));
      assert.ok(got.equals(readFileSync(join(content.folder, 'set', name))), name);
    }
  });
}
