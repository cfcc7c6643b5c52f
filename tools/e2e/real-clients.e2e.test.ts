// Real clients through our tracker, each a member of its own: they find each other over IPv4 and
// IPv6, by HTTP and by UDP, and the ledger has what each says it moved, byte for byte.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import { Aria2 } from './aria2.ts';
import type { BitTorrentClient, ClientOptions } from './client.ts';
import { makeTorrent, type TestContent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, address6, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { pause, TestServer, waitFor } from './server.ts';
import { Transmission } from './transmission.ts';

const SIZE = 5_000_000;
const COMPLETE_MS_MAX = 180_000;
const TOTALS_MS_MAX = 120_000;
const REFUSED_MS_MAX = 90_000;
/** From asking a client to announce until it has. */
const ANNOUNCE_MS = 3000;

interface Member {
  readonly name: string;
  readonly client: BitTorrentClient;
}

interface LedgerEntry {
  readonly infoHash: string;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
}

interface Shared {
  readonly content: TestContent;
  readonly infoHash: string;
  /** 2 when it is downloaded again, into folders of its own. */
  readonly round?: number;
}

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-real-'));
  const members: Member[] = [];
  let server: TestServer;
  /** Every client has it, with its present passkey. */
  let latest: Shared | undefined;

  const start = async (
    name: string,
    n: number,
    begin: (options: ClientOptions) => Promise<BitTorrentClient>,
  ): Promise<void> => {
    const own = join(folder, name);
    mkdirSync(own);
    const client = await begin({ address: address4(n), address6: address6(n), folder: own });
    members.push({ name, client });
    await server.json(['member', 'add', name]);
  };

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1), address6(1)],
      settings: {
        'swarm.announceIntervalMsMin': 1000,
        'tracker.announceIntervalMs': 10_000,
      },
    });
    await server.start();
    await start('libtorrent', 2, Libtorrent.start);
    await start('transmission', 3, Transmission.start);
    await start('qbittorrent', 4, QBittorrent.start);
    await start('aria2', 5, Aria2.start);
  });

  after(async () => {
    await Promise.all(members.map(({ client }) => client.stop()));
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Uploads new content as an operator would; nobody has it yet but the test. */
  const share = async (name: string, version: 'v1' | 'hybrid'): Promise<Shared> => {
    const files = [[`${name}.bin`, SIZE]] as const;
    const content = {
      folder: join(folder, `source-${name}`),
      name: `${name}.bin`,
      files,
      seed: Buffer.from(name).reduce((sum, byte) => sum * 31 + byte, 7),
    };
    writeContent(content);
    const { bytes } = await makeTorrent(content, { version });
    writeFileSync(join(folder, `${name}.torrent`), bytes);
    const [added] = await server.json<{ infoHash: string }>([
      'torrent',
      'add',
      join(folder, `${name}.torrent`),
    ]);
    return { content, infoHash: added?.infoHash ?? '' };
  };

  /** The member's own copy, with only the announce URL that begins with `door`. */
  const download = async (member: Member, shared: Shared, door: string): Promise<string> => {
    const file = join(folder, `${member.name}-${shared.content.name}.torrent`);
    await server.json([
      'torrent',
      'download',
      shared.infoHash,
      '--member',
      member.name,
      '-o',
      file,
    ]);
    const [shown] = await server.json<{ passkey: string }>(['member', 'show', member.name]);
    const url = `${door}/${shown?.passkey}/announce`;
    const rewritten = rewriteTorrent(readFileSync(file), { announceTiers: [[url]] });
    assert.ok(rewritten.ok && !rewritten.hashChanged);
    writeFileSync(file, rewritten.bytes);
    return file;
  };

  const transfer = async (
    shared: Shared,
    door: string,
    seeder: Member,
    leechers: readonly Member[],
  ): Promise<void> => {
    await seeder.client.add(await download(seeder, shared, door), shared.content.folder);
    await completed(seeder, shared);
    for (const leecher of leechers) {
      const target = join(folder, `${leecher.name}-${shared.content.name}-${shared.round ?? 1}`);
      mkdirSync(target);
      await leecher.client.add(await download(leecher, shared, door), target);
    }
    for (const leecher of leechers) await completed(leecher, shared);
  };

  const completed = async (member: Member, shared: Shared): Promise<void> => {
    let last = '';
    await waitFor(
      `${member.name} to complete ${shared.content.name}`,
      COMPLETE_MS_MAX,
      async () => {
        const status = await member.client.status(shared.infoHash);
        last = JSON.stringify(status);
        return status.progress === 1 ? true : undefined;
      },
    ).catch((error: Error) => {
      throw new Error(`${error.message}; its status is ${last}`);
    });
  };

  /**
   * The ledger has for each member what its client says, and nothing that was moved is missing. A client
   * that keeps its key and ends at exactly the counters of its session `before` is taken for a late packet
   * of that one, until its counters move (docs/decisions/0009): aria2 does when it moved no block twice.
   */
  const totalsMatch = async (
    shared: Shared,
    several: readonly Member[],
    say: (line: string) => void,
    before: ReadonlyMap<string, LedgerEntry> = new Map(),
  ): Promise<void> => {
    const moved = SIZE * (several.length - 1);
    let lines: string[] = [];
    await waitFor(`the ledger of ${shared.content.name}`, TOTALS_MS_MAX, async () => {
      lines = [];
      let [uploaded, downloaded, differ] = [0, 0, false];
      // Clients count what they sent a second or so late, so the next announce has the rest.
      for (const { client } of several) await client.announce(shared.infoHash);
      await pause(ANNOUNCE_MS);
      for (const { name, client } of several) {
        const entry = await ledgerEntry(name, shared);
        const status = await client.status(shared.infoHash);
        const ledger = ledgerSince(before.get(name), entry);
        lines.push(`${name} says ${status.uploaded}/${status.downloaded}, the ledger ${ledger}`);
        const says = `${status.uploaded}/${status.downloaded}`;
        const isTakenForLast =
          ledger === '0/0' && says === ledgerSince(undefined, before.get(name));
        if (says !== ledger && !isTakenForLast) differ = true;
        uploaded += status.uploaded;
        downloaded += status.downloaded;
      }
      return differ || uploaded < moved || downloaded < moved ? undefined : true;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${lines.join('; ')}`);
    });
    for (const line of lines) say(line);
  };

  /** What was added to the ledger after `before`, as the clients' own totals are written. */
  const ledgerSince = (before: LedgerEntry | undefined, now: LedgerEntry | undefined): string => {
    const uploaded = (now?.uploadedBytes ?? 0) - (before?.uploadedBytes ?? 0);
    const downloaded = (now?.downloadedBytes ?? 0) - (before?.downloadedBytes ?? 0);
    return `${uploaded}/${downloaded}`;
  };

  const ledgerEntry = async (name: string, shared: Shared): Promise<LedgerEntry | undefined> => {
    const words = ['ledger', 'show', name];
    const [ledger] = await server.json<{ torrents: LedgerEntry[] }>(words);
    return ledger?.torrents.find((torrent) => torrent.infoHash === shared.infoHash);
  };

  const byName = (name: string): Member => {
    const member = members.find((candidate) => candidate.name === name);
    assert.ok(member !== undefined);
    return member;
  };

  for (const [family, host] of [
    ['IPv4', address4(1)],
    ['IPv6', `[${address6(1)}]`],
  ] as const) {
    test(`all clients exchange a torrent by HTTP over ${family}`, async (context) => {
      const shared = await share(`http-${family}`, 'v1');
      const [seeder, ...leechers] = members;
      assert.ok(seeder !== undefined);
      await transfer(shared, `http://${host}:${server.trackerPort}`, seeder, leechers);
      await totalsMatch(shared, members, (line) => context.diagnostic(line));
    });
  }

  test('private UDP serves those that send BEP 41 data and refuses the others in words', async (context) => {
    const shared = await share('udp', 'v1');
    const door = `udp://${address4(1)}:${server.trackerPort}`;
    await transfer(shared, door, byName('libtorrent'), [byName('qbittorrent')]);
    const several = [byName('libtorrent'), byName('qbittorrent')];
    await totalsMatch(shared, several, (line) => context.diagnostic(line));
    for (const name of ['transmission', 'aria2']) {
      const { client } = byName(name);
      const target = join(folder, `${name}-${shared.content.name}`);
      mkdirSync(target);
      await client.add(await download(byName(name), shared, door), target);
      const words = await waitFor(`${name} to be refused`, REFUSED_MS_MAX, async () => {
        const { trackerMessage } = await client.status(shared.infoHash);
        return trackerMessage === '' ? undefined : trackerMessage;
      });
      context.diagnostic(`${name}: ${words}`);
    }
  });

  test('a hybrid torrent is one torrent for clients with two addresses', async (context) => {
    const shared = await share('hybrid', 'hybrid');
    const door = `http://${address4(1)}:${server.trackerPort}`;
    await transfer(shared, door, byName('qbittorrent'), [byName('libtorrent')]);
    const several = [byName('libtorrent'), byName('qbittorrent')];
    await totalsMatch(shared, several, (line) => context.diagnostic(line));
  });

  test('a reset passkey stops every client in words, and all go on with the new one', async (context) => {
    const shared = await share('reset', 'v1');
    const door = `http://${address4(1)}:${server.trackerPort}`;
    const [seeder, ...leechers] = members;
    assert.ok(seeder !== undefined);
    await transfer(shared, door, seeder, leechers);
    await totalsMatch(shared, members, (line) => context.diagnostic(line));
    const before = new Map<string, LedgerEntry>();
    for (const { name, client } of members) {
      await server.json(['member', 'reset-passkey', name]);
      await client.announce(shared.infoHash);
      const words = await waitFor(`${name} to be refused`, REFUSED_MS_MAX, async () => {
        const { trackerMessage } = await client.status(shared.infoHash);
        return trackerMessage.includes('passkey') ? trackerMessage : undefined;
      });
      context.diagnostic(`${name}: ${words}`);
      const entry = await ledgerEntry(name, shared);
      assert.ok(entry !== undefined);
      before.set(name, entry);
      await client.remove(shared.infoHash);
    }
    // A session of its own with the new key: the leechers begin with nothing and count from zero.
    const again = { ...shared, round: 2 };
    await transfer(again, door, seeder, leechers);
    latest = again;
    await totalsMatch(again, members, (line) => context.diagnostic(line), before);
  });

  test('a banned member reads the reason in the client', async (context) => {
    const shared = latest;
    assert.ok(shared !== undefined);
    for (const { name, client } of members) {
      await server.json(['member', 'ban', name, '--reason', 'sold an invite']);
      await client.announce(shared.infoHash);
      const words = await waitFor(`${name} to show the reason`, REFUSED_MS_MAX, async () => {
        const { trackerMessage } = await client.status(shared.infoHash);
        return trackerMessage.includes('sold an invite') ? trackerMessage : undefined;
      });
      context.diagnostic(`${name}: ${words}`);
    }
  });
}
