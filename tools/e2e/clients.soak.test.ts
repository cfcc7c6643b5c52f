// Proves the drivers themselves, against a tracker that is not ours: each client seeds 5 MB that
// all others complete, and says what it moved. About 80 seconds, so it is part of the soak only: the
// tests of our own tracker drive the same clients.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Aria2 } from './aria2.ts';
import { Child } from './child.ts';
import type { BitTorrentClient, ClientOptions } from './client.ts';
import { makeTorrent, type TestContent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, hasOtherUsers, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { pause, waitFor } from './server.ts';
import { Transmission } from './transmission.ts';

const SIZE = 5_000_000;
const COMPLETE_MS_MAX = 40_000;
const TOTALS_MS_MAX = 10_000;
const TRACKER = '/usr/bin/opentracker';

const STARTERS = [
  (options: ClientOptions) => Libtorrent.start(options),
  (options: ClientOptions) => Transmission.start(options),
  (options: ClientOptions) => QBittorrent.start(options),
  (options: ClientOptions) => Aria2.start(options),
];

interface Case {
  readonly scheme: 'http' | 'udp';
  readonly content: TestContent;
  readonly file: string;
  readonly infoHash: string;
}

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-clients-'));
  const clients: BitTorrentClient[] = [];
  const cases: Case[] = [];
  let tracker: Child;
  // Debian's opentracker changes to another user, which a namespace of one user has not, and knows
  // only the torrents of a list.
  const skip = !hasOtherUsers() || !existsSync(TRACKER) ? 'needs root and opentracker' : false;

  before(async () => {
    if (skip !== false) return;
    for (const index of STARTERS.keys()) cases.push(await makeCase(folder, index));
    const trackerFolder = join(folder, 'tracker');
    mkdirSync(trackerFolder);
    // Read after it made the folder its root.
    const list = join(trackerFolder, 'list');
    writeFileSync(list, cases.map(({ infoHash }) => `${infoHash}\n`).join(''));
    const ports = ['-i', address4(1), '-p', '6969', '-P', '6969'];
    tracker = new Child('opentracker', [
      TRACKER,
      ...ports,
      ...['-d', trackerFolder, '-w', '/list', '-u', 'nobody'],
    ]);
    for (const [index, start] of STARTERS.entries()) {
      const own = join(folder, `client-${index}`);
      mkdirSync(own);
      clients.push(await start({ address: address4(index + 2), folder: own }));
    }
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await tracker?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const index of STARTERS.keys()) {
    test(`client ${index} seeds what the others complete`, { skip }, async (context) => {
      const { scheme, content, file, infoHash } = cases[index] as Case;
      const seeder = clients[index] as BitTorrentClient;
      const started = performance.now();
      await seeder.add(file, content.folder);
      await completed(seeder, infoHash);
      await pause(1000);
      for (const leecher of clients) {
        if (leecher === seeder) continue;
        mkdirSync(targetOf(folder, leecher, index));
        await leecher.add(file, targetOf(folder, leecher, index));
      }
      for (const leecher of clients) {
        if (leecher === seeder) continue;
        await completed(leecher, infoHash);
        const ms = Math.round(performance.now() - started);
        context.diagnostic(`${seeder.name} -> ${leecher.name} by ${scheme} after ${ms} ms`);
        const got = readFileSync(join(targetOf(folder, leecher, index), content.name));
        assert.ok(got.equals(readFileSync(join(content.folder, content.name))));
      }
      await totalsAgree(clients, infoHash, (line) => context.diagnostic(line));
      for (const client of clients) await client.remove(infoHash);
    });
  }
}

async function makeCase(folder: string, index: number): Promise<Case> {
  const source = join(folder, `source-${index}`);
  const files = [['five.bin', SIZE]] as const;
  const content: TestContent = { folder: source, name: 'five.bin', files, seed: index };
  writeContent(content);
  const scheme = index % 2 === 0 ? 'http' : 'udp';
  const url = `${scheme}://${address4(1)}:6969/${scheme === 'http' ? 'announce' : ''}`;
  const { bytes, infoHash } = await makeTorrent(content, { announceTiers: [[url]] });
  const file = join(folder, `${index}.torrent`);
  writeFileSync(file, bytes);
  return { scheme, content, file, infoHash };
}

function targetOf(folder: string, client: BitTorrentClient, index: number): string {
  return join(folder, `${client.name}-${index}`);
}

async function completed(client: BitTorrentClient, infoHash: string): Promise<void> {
  let last = '';
  await waitFor(`${client.name} to complete`, COMPLETE_MS_MAX, async () => {
    const status = await client.status(infoHash);
    last = JSON.stringify(status);
    return status.progress === 1 ? true : undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; its status is ${last}`);
  });
}

/** What was received was sent by someone: the drivers read the right numbers. */
async function totalsAgree(
  clients: readonly BitTorrentClient[],
  infoHash: string,
  say: (line: string) => void,
): Promise<void> {
  for (const client of clients) await client.announce(infoHash);
  // Clients count what they sent a second or so after they sent it.
  await waitFor('the totals to agree', TOTALS_MS_MAX, async () => {
    let uploaded = 0;
    let downloaded = 0;
    const lines: string[] = [];
    for (const client of clients) {
      const status = await client.status(infoHash);
      lines.push(`${client.name} ${JSON.stringify(status)}`);
      uploaded += status.uploaded;
      downloaded += status.downloaded;
    }
    if (downloaded < 3 * SIZE || uploaded < 3 * SIZE) return undefined;
    for (const line of lines) say(line);
    return true;
  });
}
