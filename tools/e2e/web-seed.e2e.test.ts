// Real clients that have no peer and no tracker: whatever they get is the archive's, by its web seed.
// Each is cut off in the middle once.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseMetainfo } from '#wire/metainfo.ts';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import { Aria2 } from './aria2.ts';
import type { BitTorrentClient } from './client.ts';
import { writeContent } from './content.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { TestServer, waitFor } from './server.ts';
import { Transmission } from './transmission.ts';

const MIB = 1024 * 1024;
const FILES = [
  ['notes & plans/ä field, 1.bin', 9 * MIB + 17],
  ['readme.txt', 300],
  ['raw/b.bin', 3 * MIB],
] as const;
const CUT_BYTES = 2 * MIB;
const PROXY_PORT = 18_088;
/** A client that was cut off waits up to two minutes before it asks a web seed again. */
const COMPLETE_MS_MAX = 200_000;

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-web-seed-'));
  const clients: BitTorrentClient[] = [];
  let server: TestServer;
  let proxy: CuttingProxy;

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1)],
      settings: { 'site.publicUrl': `http://${address4(1)}:${PROXY_PORT}` },
    });
    await server.start();
    proxy = await CuttingProxy.listen(
      { address: address4(1), port: PROXY_PORT },
      { address: address4(1), port: server.sitePort },
      CUT_BYTES,
    );
    for (const [at, Client] of [Libtorrent, Transmission, QBittorrent, Aria2].entries()) {
      const own = join(folder, `client-${at}`);
      mkdirSync(own);
      clients.push(await Client.start({ address: address4(at + 2), folder: own }));
    }
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await proxy?.close();
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A member's own copy, with a tracker that nobody is at: Transmission takes none without. */
  const seedOnly = async (infoHash: string, member: string): Promise<string> => {
    const file = join(folder, `${member}.torrent`);
    await server.json(['member', 'add', member]);
    await server.json(['torrent', 'download', infoHash, '--member', member, '-o', file]);
    const bytes = readFileSync(file);
    const parsed = parseMetainfo(bytes);
    assert.ok(parsed.ok && parsed.metainfo.webSeeds.length === 1);
    const { webSeeds } = parsed.metainfo;
    const rewritten = rewriteTorrent(bytes, {
      announceTiers: [[`http://${address4(12)}:1/announce`]],
      webSeeds,
    });
    assert.ok(rewritten.ok && !rewritten.hashChanged);
    writeFileSync(file, rewritten.bytes);
    return file;
  };

  test('every client completes from the archive alone, cut off in the middle', async () => {
    const content = { folder: join(folder, 'source'), name: 'survey', files: FILES, seed: 5 };
    writeContent(content);
    const put = async (version: string) => {
      const path = join(content.folder, 'survey');
      const answers = await server.json<{ infoHash: string; newBytes: number }>([
        ...['put', path, '--torrent-version', version],
      ]);
      return answers[0] ?? { infoHash: '', newBytes: 0 };
    };
    const hybrid = await put('hybrid');
    const v1 = await put('v1');
    assert.deepEqual([hybrid.newBytes, v1.newBytes], [12 * MIB + 317, 0]);
    // Transmission 3.00 takes no hybrid torrent, and aria2 1.36 gives it another hash.
    const hashFor = (client: BitTorrentClient): string =>
      client instanceof Transmission || client instanceof Aria2 ? v1.infoHash : hybrid.infoHash;
    for (const [at, client] of clients.entries()) {
      const target = join(folder, `target-${at}`);
      mkdirSync(target);
      await client.add(await seedOnly(hashFor(client), `member${at}`), target);
    }
    for (const client of clients) {
      await waitFor(`${client.name} to complete`, COMPLETE_MS_MAX, async () =>
        (await client.status(hashFor(client))).progress === 1 ? true : undefined,
      );
    }
    for (const [at, client] of clients.entries()) {
      for (const [path] of FILES) {
        const got = readFileSync(join(folder, `target-${at}`, 'survey', path));
        const wanted = readFileSync(join(content.folder, 'survey', path));
        assert.ok(got.equals(wanted), `${client.name} has ${path} as it was`);
      }
    }
    assert.equal(proxy.cut.size, clients.length, 'each was cut off');
  });
}
