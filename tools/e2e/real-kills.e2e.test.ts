// Real clients while the server is killed with SIGKILL twenty times, in the middle of their transfers
// and at random moments. After the last restart every client announces once more: then the ledger has
// for each what its client says it moved, byte for byte, and the audit finds nothing. The clients are
// those that can be made to announce at once: Transmission 3.00 stays away for minutes from a tracker
// that was down.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import { type BitTorrentClient, PEER_PORTS } from './client.ts';
import { makeTorrent, writeContent } from './content.ts';
import { Libtorrent } from './libtorrent.ts';
import { address4, inNamespace } from './namespace.ts';
import { QBittorrent } from './qbittorrent.ts';
import { pause, TestServer, waitFor } from './server.ts';
import { Draw } from './simulated-clients.ts';

const SEED = Number(process.env['SEED'] ?? 20_261_121);
const KILLS = 20;
const TORRENTS = 3;
const SIZE = 24_000_000;
const COMPLETE_MS_MAX = 150_000;
/** Polls of a client's status between two pushes. */
const POLLS_A_PUSH = 50;
const TOTALS_MS_MAX = 150_000;
/** From asking a client to announce until it has. */
const ANNOUNCE_MS = 3_000;

interface Member {
  readonly name: keyof typeof PEER_PORTS;
  readonly address: string;
  readonly client: BitTorrentClient;
}

interface LedgerShown {
  readonly torrents: readonly {
    readonly infoHash: string;
    readonly uploadedBytes: number;
    readonly downloadedBytes: number;
  }[];
}

if (inNamespace(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-kills-'));
  const members: Member[] = [];
  let server: TestServer;

  before(async () => {
    server = await TestServer.prepare({
      addresses: [address4(1)],
      settings: { 'swarm.announceIntervalMsMin': 1000, 'tracker.announceIntervalMs': 10_000 },
    });
    await server.start();
    const kinds = [
      ['libtorrent', Libtorrent],
      ['qbittorrent', QBittorrent],
    ] as const;
    for (const [at, [name, Client]] of kinds.entries()) {
      const own = join(folder, name);
      mkdirSync(own);
      const address = address4(at + 2);
      members.push({ name, address, client: await Client.start({ address, folder: own }) });
      await server.json(['member', 'add', name]);
    }
  });

  after(async () => {
    await Promise.all(members.map(({ client }) => client.stop()));
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test(`kill -9 twenty times in the middle of real transfers (SEED=${SEED})`, async (context) => {
    const draw = new Draw(SEED);
    const infoHashes: string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      if (kill < TORRENTS) infoHashes.push(await startSwarm(`killed-${kill}`));
      await pause(draw.below(1_500));
      await server.end('SIGKILL');
      await server.start();
      for (const hash of infoHashes) await announceAll(hash);
    }
    for (const hash of infoHashes) await allComplete(hash);
    let lines: string[] = [];
    await waitFor('the ledger to have what the clients say', TOTALS_MS_MAX, async () => {
      for (const hash of infoHashes) await announceAll(hash);
      await pause(ANNOUNCE_MS);
      lines = await differences(infoHashes);
      return lines.length === 0 ? true : undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${lines.join('; ')}`);
    });
    const audit = await server.command(['ledger', 'audit', '--json']);
    assert.equal(audit.exitCode, 0, audit.stdout);
    context.diagnostic(audit.stdout.trim());
  });

  /** New content: one client has it, the others want it. */
  const startSwarm = async (name: string): Promise<string> => {
    const content = {
      folder: join(folder, `source-${name}`),
      name: `${name}.bin`,
      files: [[`${name}.bin`, SIZE]] as const,
      seed: 1 + name.length + name.charCodeAt(name.length - 1),
    };
    writeContent(content);
    const { bytes } = await makeTorrent(content, { version: 'v1' });
    const path = join(folder, `${name}.torrent`);
    writeFileSync(path, bytes);
    const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
    const infoHash = added?.infoHash ?? '';
    // Who has the content comes last: a client's first announce founds its baseline and credits
    // nothing, so all of them must have been seen before the first byte moves.
    for (const { name: member, client } of members.toReversed()) {
      const target =
        client === members[0]?.client ? content.folder : join(folder, `${member}-${name}`);
      mkdirSync(target, { recursive: true });
      await client.add(await memberFile(member, infoHash), target);
      await waitFor(`${member} to be seen`, COMPLETE_MS_MAX, async () => {
        const [ledger] = await server.json<LedgerShown>(['ledger', 'show', member]);
        return ledger?.torrents.find((torrent) => torrent.infoHash === infoHash);
      });
    }
    return infoHash;
  };

  /** The member's own .torrent with the HTTP door alone, so that a client has one tracker. */
  const memberFile = async (member: string, infoHash: string): Promise<string> => {
    const file = join(folder, `${member}-${infoHash}.torrent`);
    await server.json(['torrent', 'download', infoHash, '--member', member, '-o', file]);
    const [shown] = await server.json<{ announceUrls: { http: string } }>([
      'member',
      'show',
      member,
    ]);
    const tiers = [[shown?.announceUrls.http ?? '']];
    const rewritten = rewriteTorrent(readFileSync(file), { announceTiers: tiers });
    assert.ok(rewritten.ok && !rewritten.hashChanged);
    writeFileSync(file, rewritten.bytes);
    return file;
  };

  const announceAll = async (infoHash: string): Promise<void> => {
    for (const { client } of members) await client.announce(infoHash);
  };

  const allComplete = async (infoHash: string): Promise<void> => {
    for (const { name, address, client } of members) {
      let polls = 0;
      await waitFor(`${name} to complete ${infoHash}`, COMPLETE_MS_MAX, async () => {
        if (polls++ % POLLS_A_PUSH === 0) {
          await announceAll(infoHash);
          // Some clients stay away for minutes from a peer that they could not reach once.
          if (polls > 1) await members[0]?.client.connect(infoHash, address, PEER_PORTS[name]);
        }
        return (await client.status(infoHash)).progress === 1 ? true : undefined;
      });
    }
  };

  const differences = async (infoHashes: readonly string[]): Promise<string[]> => {
    const lines: string[] = [];
    for (const { name, client } of members) {
      const [ledger] = await server.json<LedgerShown>(['ledger', 'show', name]);
      for (const infoHash of infoHashes) {
        const row = ledger?.torrents.find((torrent) => torrent.infoHash === infoHash);
        const { uploaded, downloaded } = await client.status(infoHash);
        const said = `${uploaded}/${downloaded}`;
        const counted = `${row?.uploadedBytes}/${row?.downloadedBytes}`;
        if (said !== counted) lines.push(`${name} says ${said}, the ledger ${counted}`);
      }
    }
    return lines;
  };
}
