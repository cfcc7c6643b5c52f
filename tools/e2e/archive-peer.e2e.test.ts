// Real clients that find nobody in the swarm but the archive, and no web seed in their torrent: whatever
// they get is what its own peer gives them. And one that cannot be dialled, from which the archive takes
// what it wants: that one dials the archive.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseMetainfo } from '#wire/metainfo.ts';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import { Aria2 } from './aria2.ts';
import type { BitTorrentClient } from './client.ts';
import { makeTorrent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, address6, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { TestServer, waitFor } from './server.ts';
import { Transmission } from './transmission.ts';

const MIB = 1024 * 1024;
const FILES = [
  ['field, 1.bin', 9 * MIB + 17],
  ['readme.txt', 300],
  ['raw/b.bin', 3 * MIB],
] as const;
const COMPLETE_MS_MAX = 200_000;

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-peer-'));
  const clients: BitTorrentClient[] = [];
  let server: TestServer;

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1), address6(1)],
      settings: {
        'swarm.announceIntervalMsMin': 1000,
        'tracker.announceIntervalMs': 10_000,
        'archive.peerAddresses': `${address4(1)},${address6(1)}`,
      },
    });
    await server.start();
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const folderFor = (name: string): string => {
    const own = join(folder, name);
    mkdirSync(own);
    return own;
  };

  /** A member's own copy, with the tracker and without the web seed. */
  const trackerOnly = async (infoHash: string, member: string): Promise<string> => {
    const file = join(folder, `${member}.torrent`);
    const [added] = await server.json<{ announceUrls: { http: string } }>([
      'member',
      'add',
      member,
    ]);
    await server.json(['torrent', 'download', infoHash, '--member', member, '-o', file]);
    const announceTiers = [[added?.announceUrls.http ?? '']];
    const rewritten = rewriteTorrent(readFileSync(file), { announceTiers, webSeeds: [] });
    assert.ok(rewritten.ok && !rewritten.hashChanged);
    writeFileSync(file, rewritten.bytes);
    return file;
  };

  /** A file by its map and its stream, with the right of a member's web seed. */
  const streamed = async (infoHash: string, path: string): Promise<void> => {
    const file = join(folder, 'reader.torrent');
    await server.json(['member', 'add', 'reader']);
    await server.json(['torrent', 'download', infoHash, '--member', 'reader', '-o', file]);
    const parsed = parseMetainfo(readFileSync(file));
    assert.ok(parsed.ok);
    const [, token] = /\/seed\/([^/]+)\//.exec(parsed.metainfo.webSeeds[0] ?? '') ?? [];
    const wanted = readFileSync(path);
    const entry = parsed.metainfo.files.find(({ sizeBytes }) => sizeBytes === wanted.length);
    const base = `${server.siteUrl}/archive/files/${Buffer.from(entry?.rootHash ?? []).toString('hex')}`;
    assert.equal((await fetch(`${base}/map`)).status, 401);
    const headers = { authorization: `Bearer ${token}.${infoHash}` };
    const map = (await (await fetch(`${base}/map`, { headers })).json()) as { bytes: number };
    assert.equal(map.bytes, wanted.length);
    const socket = new WebSocket(`${base.replace('http', 'ws')}/stream?key=${token}.${infoHash}`);
    socket.binaryType = 'arraybuffer';
    const parts: Buffer[] = [];
    const texts: unknown[] = [];
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') texts.push(JSON.parse(data));
      else parts.push(Buffer.from(data as ArrayBuffer).subarray(12));
    };
    socket.onopen = () => socket.send('{"do":"send","id":1}');
    await waitFor('the stream to end', COMPLETE_MS_MAX, () =>
      texts.length === 2 ? true : undefined,
    );
    socket.close();
    assert.deepEqual(texts, [
      { id: 1, map },
      { id: 1, done: true },
    ]);
    assert.ok(Buffer.concat(parts).equals(wanted));
  };

  test('every client completes from the archive’s own peer alone, of v1, v2 and hybrid torrents, also encrypted', async () => {
    const content = { folder: folderFor('source'), name: 'survey', files: FILES, seed: 5 };
    writeContent(content);
    const put = async (version: string): Promise<string> => {
      const path = join(content.folder, 'survey');
      const [answer] = await server.json<{ infoHash: string }>([
        ...['put', path, '--torrent-version', version],
      ]);
      return answer?.infoHash ?? '';
    };
    const hashes = { v1: await put('v1'), v2: await put('v2'), hybrid: await put('hybrid') };
    const startClient = async (n: number): Promise<[BitTorrentClient, string]> => {
      const options = { address: address4(n), folder: folderFor(`client-${n}`) };
      if (n === 2) return [await Libtorrent.start(options), hashes.hybrid];
      if (n === 3) return [await Transmission.start(options), hashes.v1];
      if (n === 4) return [await QBittorrent.start(options), hashes.v2];
      if (n === 5) return [await Aria2.start(options), hashes.v1];
      const more = { address6: address6(n), isEncrypted: true };
      return [await Libtorrent.start({ ...options, ...more }), hashes.v2];
    };
    const all = await Promise.all([2, 3, 4, 5, 6].map(startClient));
    clients.push(...all.map(([client]) => client));
    for (const [at, [client, infoHash]] of all.entries()) {
      await client.add(await trackerOnly(infoHash, `member${at}`), folderFor(`target-${at}`));
    }
    for (const [at, [client, infoHash]] of all.entries()) {
      await waitFor(`${client.name} (${at}) to complete`, COMPLETE_MS_MAX, async () =>
        (await client.status(infoHash)).progress === 1 ? true : undefined,
      );
      for (const [path] of FILES) {
        const got = readFileSync(join(folder, `target-${at}`, 'survey', path));
        const wanted = readFileSync(join(content.folder, 'survey', path));
        assert.ok(got.equals(wanted), `${client.name} has ${path} as it was`);
      }
    }
    await streamed(hashes.v2, join(content.folder, 'survey', FILES[0][0]));
    const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
    assert.doesNotMatch(metrics, /peer_sent_bytes_total 0$/m);
  });

  test('a torrent of v2 only is taken from a client that seeds it', async () => {
    const content = { folder: folderFor('seeded'), name: 'ledger', files: FILES, seed: 50 };
    writeContent(content);
    const path = join(folder, 'ledger.torrent');
    writeFileSync(path, (await makeTorrent(content, { version: 'v2' })).bytes);
    const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
    const infoHash = added?.infoHash ?? '';
    const options = { address: address4(7), folder: folderFor('client-7') };
    const seeder = await Libtorrent.start(options);
    clients.push(seeder);
    await seeder.add(await trackerOnly(infoHash, 'seeder'), content.folder);
    // Nobody is at that web seed; what it does not give comes from the client.
    const webSeed = `http://${address4(12)}:1/`;
    await server.json(['torrent', 'keep', infoHash, '--web-seed', webSeed]);
    await waitFor('the archive to have it', COMPLETE_MS_MAX, async () => {
      const [shown] = await server.json<{ keeping: string }>(['torrent', 'show', infoHash]);
      return shown?.keeping === 'kept' ? true : undefined;
    });
    const wrong = await server.command(['torrent', 'keep', infoHash, '--web-seed', 'ftp://x/']);
    assert.equal(wrong.exitCode, 2, wrong.stderr);
  });
}
