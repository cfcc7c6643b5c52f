// All four real clients by UDP in `listed` mode: without BEP 41 data they have no name to give, and
// on registered torrents they need none. The scrape shows who is there and who completed.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import { Aria2 } from './aria2.ts';
import type { BitTorrentClient } from './client.ts';
import { makeTorrent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { TestServer, waitFor } from './server.ts';
import { Transmission } from './transmission.ts';

const SIZE = 2_000_000;
const COMPLETE_MS_MAX = 200_000;

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-listed-'));
  const clients: BitTorrentClient[] = [];
  let server: TestServer;

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1)],
      settings: {
        'tracker.mode': 'listed',
        'swarm.announceIntervalMsMin': 1000,
        'tracker.announceIntervalMs': 10_000,
      },
    });
    await server.start();
    for (const [at, Client] of [Libtorrent, Transmission, QBittorrent, Aria2].entries()) {
      const own = join(folder, `client-${at}`);
      mkdirSync(own);
      clients.push(await Client.start({ address: address4(at + 2), folder: own }));
    }
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test('every client exchanges a registered torrent by UDP in listed mode', async () => {
    const source = join(folder, 'source');
    const content = {
      folder: source,
      name: 'listed.bin',
      files: [['listed.bin', SIZE]] as const,
      seed: 9,
    };
    writeContent(content);
    const { bytes } = await makeTorrent(content, { version: 'v1' });
    const path = join(folder, 'listed.torrent');
    writeFileSync(path, bytes);
    const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
    const infoHash = added?.infoHash ?? '';
    await server.json(['member', 'add', 'anyone']);
    await server.json(['torrent', 'download', infoHash, '--member', 'anyone', '-o', path]);
    const url = `udp://${address4(1)}:${server.trackerPort}/announce`;
    // The address for web clients, in a tier of its own, keeps nobody from downloading.
    const webUrl = url.replace('udp:', 'ws:');
    const announceTiers = [[url], [webUrl]];
    const rewritten = rewriteTorrent(readFileSync(path), { announceTiers });
    assert.ok(rewritten.ok && !rewritten.hashChanged);
    writeFileSync(path, rewritten.bytes);
    for (const [at, client] of clients.entries()) {
      const target = at === 0 ? source : join(folder, `target-${at}`);
      mkdirSync(target, { recursive: true });
      await client.add(path, target);
    }
    for (const client of clients) {
      await waitFor(`${client.name} to complete`, COMPLETE_MS_MAX, async () =>
        (await client.status(infoHash)).progress === 1 ? true : undefined,
      );
    }
    const hash = infoHash.replace(/../g, '%$&');
    const scrape = `http://${address4(1)}:${server.trackerPort}/scrape?info_hash=${hash}`;
    await waitFor('the scrape to count four seeders', COMPLETE_MS_MAX, async () => {
      for (const client of clients) await client.announce(infoHash);
      const body = Buffer.from(await (await fetch(scrape)).arrayBuffer()).toString('latin1');
      return body.includes('8:completei4e') ? true : undefined;
    });
  });
}
