// The sessions of real clients: they are paused and go on, asked to announce again and again, ended and
// started anew, given another passkey, while the server is restarted in between. After each the ledger
// has what every client shows, to the byte. Some show a sum over all of their life, and some begin again
// at zero: then what the ledger had by then is what they began from. Two minutes, so part of the soak
// only; real-clients.e2e.test.ts drives the same clients in every run.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import { Aria2 } from './aria2.ts';
import type { BitTorrentClient, ClientOptions } from './client.ts';
import { makeTorrent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { pause, TestServer, waitFor } from './server.ts';
import { Transmission } from './transmission.ts';

const SIZE = 2_000_000;
const COMPLETE_MS_MAX = 90_000;
const TOTALS_MS_MAX = 90_000;
/** From asking a client to announce until it has. */
const ANNOUNCE_MS = 2500;

interface Sums {
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
}

interface Member {
  readonly name: string;
  readonly options: ClientOptions;
  readonly begin: (options: ClientOptions) => Promise<BitTorrentClient>;
  /** Whether it knows its torrents again after a start. */
  readonly remembers: boolean;
  client: BitTorrentClient;
  /** Where its content lies. */
  target: string;
  /** What the ledger had when the client began to count what it shows now. */
  from: Sums;
}

const NOTHING: Sums = { uploadedBytes: 0, downloadedBytes: 0 };

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-sessions-'));
  const members: Member[] = [];
  let server: TestServer;
  let infoHash = '';
  let targets = 0;
  /** How often the whole content was transferred. */
  let rounds = 0;

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1)],
      settings: {
        'swarm.announceIntervalMsMin': 1000,
        'tracker.announceIntervalMs': 10_000,
        // Clients that keep their key begin again at zero, and what is no more than their session before
        // had may be a late packet of it for two minutes (docs/decisions/0009). Here it waits less.
        'accounting.resetAfterMs': 1000,
      },
    });
    await server.start();
    await start('libtorrent', { begin: (options) => Libtorrent.start(options), remembers: false });
    await start('transmission', {
      begin: (options) => Transmission.start(options),
      remembers: true,
    });
    await start('qbittorrent', { begin: (options) => QBittorrent.start(options), remembers: true });
    await start('aria2', { begin: (options) => Aria2.start(options), remembers: false });
    const content = {
      folder: join(folder, 'source'),
      name: 'sessions.bin',
      files: [['sessions.bin', SIZE]],
      seed: 7,
    } as const;
    writeContent(content);
    const file = join(folder, 'sessions.torrent');
    writeFileSync(file, (await makeTorrent(content)).bytes);
    infoHash = (await server.json<{ infoHash: string }>(['torrent', 'add', file]))[0]!.infoHash;
    const [seeder, ...leechers] = members;
    seeder!.target = content.folder;
    await seeder!.client.add(await download(seeder!), seeder!.target);
    await completed(seeder!);
    for (const leecher of leechers) await leech(leecher);
    for (const leecher of leechers) await completed(leecher);
  });

  after(async () => {
    await Promise.all(members.map(({ client }) => client.stop()));
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (name: string, kind: Pick<Member, 'begin' | 'remembers'>): Promise<void> => {
    const own = join(folder, name);
    mkdirSync(own);
    const options = { address: address4(members.length + 2), folder: own };
    const client = await kind.begin(options);
    members.push({ name, options, ...kind, client, target: '', from: NOTHING });
    await server.json(['member', 'add', name]);
  };

  /** The member's own .torrent, with its present passkey. */
  const download = async ({ name }: Member): Promise<string> => {
    const file = join(folder, `${name}.torrent`);
    await server.json(['torrent', 'download', infoHash, '--member', name, '-o', file]);
    const [shown] = await server.json<{ passkey: string }>(['member', 'show', name]);
    const url = `http://${address4(1)}:${server.trackerPort}/${shown?.passkey}/announce`;
    const rewritten = rewriteTorrent(readFileSync(file), { announceTiers: [[url]] });
    assert.ok(rewritten.ok && !rewritten.hashChanged);
    writeFileSync(file, rewritten.bytes);
    return file;
  };

  /** From nothing, into a folder of its own. */
  const leech = async (member: Member): Promise<void> => {
    member.target = join(folder, `${member.name}-${++targets}`);
    mkdirSync(member.target);
    await member.client.add(await download(member), member.target);
    rounds++;
  };

  const completed = async (member: Member): Promise<void> => {
    await waitFor(`${member.name} to complete`, COMPLETE_MS_MAX, async () => {
      const status = await member.client.status(infoHash).catch(() => undefined);
      return status?.progress === 1 ? true : undefined;
    });
  };

  const ledgerOf = async ({ name }: Member): Promise<Sums> => {
    const [ledger] = await server.json<{ torrents: (Sums & { infoHash: string })[] }>([
      'ledger',
      'show',
      name,
    ]);
    return ledger?.torrents.find((one) => one.infoHash === infoHash) ?? NOTHING;
  };

  const announceAll = async (): Promise<void> => {
    await Promise.all(members.map(({ client }) => client.announce(infoHash)));
    await pause(ANNOUNCE_MS);
  };

  /** The ledger has what each client shows, and all that was transferred. */
  const settled = async (say: (line: string) => void): Promise<void> => {
    let lines: string[] = [];
    await waitFor('the ledger', TOTALS_MS_MAX, async () => {
      await announceAll();
      lines = [];
      const moved = { up: 0, down: 0 };
      let isSame = true;
      for (const member of members) {
        const { uploaded, downloaded } = await member.client.status(infoHash);
        const sums = await ledgerOf(member);
        const up = sums.uploadedBytes - member.from.uploadedBytes;
        const down = sums.downloadedBytes - member.from.downloadedBytes;
        lines.push(`${member.name} shows ${uploaded}/${downloaded}, the ledger has ${up}/${down}`);
        if (up !== uploaded || down !== downloaded) isSame = false;
        moved.up += sums.uploadedBytes;
        moved.down += sums.downloadedBytes;
      }
      const least = SIZE * rounds;
      return isSame && moved.up >= least && moved.down >= least ? true : undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${lines.join('; ')}`);
    });
    for (const line of lines) say(line);
  };

  /** Runs what may begin a client's counting anew; nothing is transferred meanwhile. */
  const acrossSessions = async (run: () => Promise<void>): Promise<void> => {
    const shown = await Promise.all(
      members.map(async (member) => {
        const { uploaded, downloaded } = await member.client.status(infoHash);
        return { member, bytes: uploaded + downloaded, ledger: await ledgerOf(member) };
      }),
    );
    await run();
    await announceAll();
    for (const { member, bytes, ledger } of shown) {
      const { uploaded, downloaded } = await member.client.status(infoHash);
      if (uploaded + downloaded < bytes) member.from = ledger;
    }
  };

  /** The member forgets what it has and takes it from the others once more. */
  const takeAgain = async (name: string): Promise<void> => {
    const member = members.find((one) => one.name === name)!;
    await member.client.remove(infoHash);
    await pause(ANNOUNCE_MS);
    member.from = await ledgerOf(member);
    await leech(member);
    await completed(member);
  };

  test('clients that are paused and go on, and announce on demand', async (context) => {
    const say = (line: string): void => context.diagnostic(line);
    await settled(say);
    await acrossSessions(async () => {
      for (const { client } of members) await client.pause(infoHash);
      await pause(ANNOUNCE_MS);
      for (const { client } of members) await client.resume(infoHash);
      for (const member of members) await completed(member);
    });
    await settled(say);
    const before = await Promise.all(members.map(ledgerOf));
    for (let times = 0; times < 3; times++) await announceAll();
    assert.deepEqual(await Promise.all(members.map(ledgerOf)), before, 'nothing was moved');
    await takeAgain('libtorrent');
    await settled(say);
  });

  test('clients that are ended and started anew, around a restart of the server', async (context) => {
    const say = (line: string): void => context.diagnostic(line);
    await acrossSessions(async () => {
      for (const member of members) await member.client.stop();
      await server.end('SIGTERM');
      await server.start();
      for (const member of members) {
        member.client = await member.begin(member.options);
        if (!member.remembers) await member.client.add(await download(member), member.target);
        await completed(member);
      }
    });
    await settled(say);
    await takeAgain('transmission');
    await settled(say);
  });

  test('clients whose passkeys are changed go on with the new ones', async (context) => {
    const say = (line: string): void => context.diagnostic(line);
    await acrossSessions(async () => {
      for (const member of members) {
        await member.client.remove(infoHash);
        await pause(500);
        await server.json(['member', 'reset-passkey', member.name]);
        await member.client.add(await download(member), member.target);
        await completed(member);
      }
    });
    await settled(say);
    await takeAgain('qbittorrent');
    await settled(say);
    const [audit] = await server.json<{ differences: string[] }>(['ledger', 'audit']);
    assert.deepEqual(audit?.differences, []);
  });
}
