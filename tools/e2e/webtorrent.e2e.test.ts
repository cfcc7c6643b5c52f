// Two pages in a real browser that run the WebTorrent library and exchange a file by WebRTC. They find
// each other through the WebSocket door of a real server in private mode, each with its own passkey.
// The file arrives byte for byte, the scrape counts both, and the ledger holds what they announced. What
// the archive keeps a page gets from it alone, by its web seed.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { binary, WsClient } from '#sim/ws-client.ts';
import { browserMissing, startBrowser } from './browser.ts';
import { makeTorrent, writeContent } from './content.ts';
import { TestServer, waitFor } from './server.ts';

const SIZE = 3_000_000;
const TEST_MS_MAX = 400_000;
const STEP_MS_MAX = 120_000;
const skip = browserMissing() ?? false;
const NAME = 'meadow.bin';
/** Both pages run on this machine, which WebRTC would leave out, and hide by names of its own. */
const WEBRTC_ARGUMENTS = [
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/** What a page said over WebSocket, read beside it. */
class Announced {
  /** By how much the counters grew since the first announce, which founds them. */
  uploaded = 0;
  downloaded = 0;
  readonly events: string[] = [];
  readonly failures: string[] = [];
  #first: { readonly uploaded: number; readonly downloaded: number } | undefined;

  listen(page: Page): void {
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => this.#sent(String(payload)));
      socket.on('framereceived', ({ payload }) => {
        const failure = JSON.parse(String(payload))['failure reason'];
        if (failure !== undefined) this.failures.push(String(failure));
      });
    });
  }

  #sent(text: string): void {
    const { uploaded, downloaded, event = 'update' } = JSON.parse(text);
    if (typeof uploaded !== 'number') return;
    this.#first ??= { uploaded, downloaded };
    this.events.push(event);
    // The library's goodbye says zero, whatever was moved.
    this.uploaded = Math.max(this.uploaded, uploaded - this.#first.uploaded);
    this.downloaded = Math.max(this.downloaded, downloaded - this.#first.downloaded);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-webtorrent-'));
const torrentPath = join(folder, 'meadow.torrent');
const content = { folder, name: NAME, files: [[NAME, SIZE]] as const, seed: 7 };
let server: TestServer;
let pages: Server;
let browser: Browser;

before(async () => {
  if (skip !== false) return;
  server = await TestServer.prepare({ settings: { 'site.webSocketInTorrents': true } });
  pages = await servePages();
  [browser] = await Promise.all([startBrowser(WEBRTC_ARGUMENTS), server.start()]);
});

after(async () => {
  rmSync(folder, { recursive: true, force: true });
  if (skip !== false) return;
  await browser?.close();
  pages?.close();
  await server?.remove();
});

test('two browser pages exchange a file by WebRTC over a private tracker', {
  skip,
  timeout: TEST_MS_MAX,
}, async () => {
  const [alice] = await server.json<Member>(['member', 'add', 'alice']);
  await server.json(['member', 'add', 'bob']);
  const wsUrl = alice?.announceUrls.ws ?? '';
  assert.match(wsUrl, /^ws:\/\/127\.0\.0\.1:\d+\/[^/]+\/announce$/);
  writeContent(content);
  const bytes = readFileSync(join(folder, NAME));
  writeFileSync(torrentPath, (await makeTorrent(content)).bytes);
  const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', torrentPath]);
  const infoHash = added?.infoHash ?? '';
  const scraper = await WsClient.open(server.trackerPort, new URL(wsUrl).pathname);

  const seeder = await openPage();
  await enter(seeder.page, { file: await torrentOf(infoHash, 'alice'), bytes });
  await counted(scraper, infoHash, { complete: 1, incomplete: 0 });
  const leecher = await openPage();
  await enter(leecher.page, { file: await torrentOf(infoHash, 'bob') });
  await waitFor('the file in the other page', STEP_MS_MAX, async () =>
    (await leecher.page.evaluate('globalThis.torrent.done')) === true ? true : undefined,
  );
  const received = Buffer.from(String(await leecher.page.evaluate('received()')), 'base64');
  assert.ok(received.equals(bytes), 'the file is the same byte for byte');
  await counted(scraper, infoHash, { complete: 2, incomplete: 0 });

  // Before it leaves the seeder says what it gave; its next announce would be in half an hour.
  await waitFor('the seeder to say what it gave', STEP_MS_MAX, async () => {
    await seeder.page.evaluate('globalThis.torrent.discovery.tracker.update()');
    return seeder.announced.uploaded >= SIZE ? true : undefined;
  });
  await leecher.page.evaluate('leave()');
  await seeder.page.evaluate('leave()');
  await counted(scraper, infoHash, { complete: 0, incomplete: 0 });
  assert.deepEqual([...seeder.announced.failures, ...leecher.announced.failures], []);
  assert.ok(leecher.announced.events.includes('completed'));
  assert.equal(leecher.announced.downloaded, SIZE);
  for (const [name, { announced }] of [
    ['alice', seeder],
    ['bob', leecher],
  ] as const) {
    await waitFor(`the ledger of ${name}`, STEP_MS_MAX, async () => {
      const [ledger] = await server.json<Ledger>(['ledger', 'show', name]);
      const isSame =
        ledger?.creditedUploadedBytes === announced.uploaded &&
        ledger.creditedDownloadedBytes === announced.downloaded;
      return isSame ? true : undefined;
    });
  }
  const audit = await server.command(['ledger', 'audit']);
  assert.equal(audit.exitCode, 0, audit.stderr);
  scraper.close();
});

test('a browser page completes from the archive alone, by its web seed', {
  skip,
  timeout: TEST_MS_MAX,
}, async () => {
  await server.json(['member', 'add', 'carol']);
  const kept = { folder, name: 'orchard.bin', files: [['orchard.bin', SIZE]] as const, seed: 8 };
  writeContent(kept);
  const [put] = await server.json<{ infoHash: string }>(['put', join(folder, kept.name)]);
  const { page, announced } = await openPage();
  await enter(page, { file: await torrentOf(put?.infoHash ?? '', 'carol') });
  await waitFor('the file in the page', STEP_MS_MAX, async () =>
    (await page.evaluate('globalThis.torrent.done')) === true ? true : undefined,
  );
  const received = Buffer.from(String(await page.evaluate('received()')), 'base64');
  assert.ok(received.equals(readFileSync(join(folder, kept.name))), 'byte for byte');
  await page.evaluate('leave()');
  assert.deepEqual(announced.failures, []);
});

interface Ledger {
  readonly creditedUploadedBytes: number;
  readonly creditedDownloadedBytes: number;
}

interface Member {
  readonly announceUrls: { readonly ws: string };
}

/** The .torrent as the member downloads it. */
async function torrentOf(infoHash: string, member: string): Promise<Buffer> {
  await server.json(['torrent', 'download', infoHash, '--member', member, '-o', torrentPath]);
  return readFileSync(torrentPath);
}

/** The page takes part in the torrent: with all of its bytes, or with none. */
async function enter(
  page: Page,
  part: { readonly file: Buffer; readonly bytes?: Buffer },
): Promise<void> {
  const base64 = part.file.toString('base64');
  await page.evaluate(`enter('${base64}', '${part.bytes?.toString('base64') ?? ''}')`);
}

async function counted(
  scraper: WsClient,
  infoHash: string,
  expected: { readonly complete: number; readonly incomplete: number },
): Promise<void> {
  const hash = binary(infoHash);
  await waitFor(`a scrape of ${JSON.stringify(expected)}`, STEP_MS_MAX, async () => {
    const answer = await scraper.ask({ action: 'scrape', info_hash: hash });
    const counts = (answer?.['files'] as Record<string, typeof expected> | undefined)?.[hash];
    return counts?.complete === expected.complete && counts.incomplete === expected.incomplete
      ? true
      : undefined;
  });
}

async function openPage(): Promise<{ readonly page: Page; readonly announced: Announced }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const announced = new Announced();
  announced.listen(page);
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
  await page.waitForFunction('globalThis.isReady === true');
  return { page, announced };
}

/** A page of nothing but the library. */
async function servePages(): Promise<Server> {
  const path = createRequire(import.meta.url).resolve('webtorrent/dist/webtorrent.min.js');
  const library = readFileSync(path);
  const html = `<!doctype html><title>web peer</title><script type="module">
    import WebTorrent from './webtorrent.min.js';
    const bytesOf = (base64) => Uint8Array.from(atob(base64), (it) => it.charCodeAt(0));
    const client = new WebTorrent({
      dht: false, lsd: false, utPex: false, tracker: { rtcConfig: { iceServers: [] } },
    });
    const pieces = new Map();
    class Store {
      constructor(chunkLength) { this.chunkLength = chunkLength; }
      put(index, bytes, done) { pieces.set(index, bytes.slice()); done?.(null); }
      get(index, part, done) {
        if (typeof part === 'function') return this.get(index, {}, part);
        const bytes = pieces.get(index);
        if (bytes === undefined) return done(new Error('not there'));
        const from = part?.offset ?? 0;
        done(null, bytes.slice(from, from + (part?.length ?? bytes.length - from)));
      }
      close(done) { done?.(null); }
      destroy(done) { done?.(null); }
    }
    globalThis.enter = (file, content) => new Promise((resolve, reject) => {
      client.on('error', reject);
      const bytes = bytesOf(content);
      class Own extends Store {
        constructor(chunkLength) {
          super(chunkLength);
          for (let at = 0; at < bytes.length; at += chunkLength) {
            pieces.set(at / chunkLength, bytes.slice(at, at + chunkLength));
          }
        }
      }
      globalThis.torrent = client.add(bytesOf(file), { store: Own }, () => resolve(true));
    });
    globalThis.received = () => {
      let text = '';
      for (const index of [...pieces.keys()].sort((a, b) => a - b)) {
        const piece = pieces.get(index);
        for (let at = 0; at < piece.length; at += 8192) {
          text += String.fromCharCode(...piece.subarray(at, at + 8192));
        }
      }
      return btoa(text);
    };
    globalThis.leave = () => new Promise((resolve) => client.destroy(() => resolve(true)));
    globalThis.isReady = true;
  </script>`;
  const served = createServer((request, response) => {
    const isLibrary = request.url === '/webtorrent.min.js';
    response.setHeader('Content-Type', isLibrary ? 'text/javascript' : 'text/html');
    response.end(isLibrary ? library : html);
  });
  await new Promise<void>((resolve) => served.listen(0, '127.0.0.1', resolve));
  return served;
}
