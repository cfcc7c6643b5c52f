// HTTPS for tracker and site from certificate files: curl reads both, a web client's handshake goes
// through, the plain door beside it serves the same swarm, and a renewed certificate needs no restart.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { smallTorrent } from './content.ts';
import { freePort, TestServer, waitFor } from './server.ts';

const RENEWED_MS_MAX = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-tls-e2e-'));
const certificate = join(folder, 'swarm.crt');
const key = join(folder, 'swarm.key');
let tlsPort = 0;
let server: TestServer;

function makeCertificate(days: number): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', certificate, '-days', String(days)];
  execFileSync('openssl', ['req', '-x509', ...curve, ...names, ...files], { stdio: 'ignore' });
}

function curl(...words: string[]): string {
  return execFileSync('curl', ['-sS', '--max-time', '10', '--cacert', certificate, ...words], {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

before(async () => {
  makeCertificate(2);
  tlsPort = await freePort();
  server = await TestServer.prepare({
    settings: {
      'tracker.tlsPort': tlsPort,
      'tracker.tlsCertificateFile': certificate,
      'tracker.tlsKeyFile': key,
      'site.tlsCertificateFile': certificate,
      'site.tlsKeyFile': key,
      'tracker.workers': 2,
    },
  });
  await server.start(() => curl(`https://127.0.0.1:${server.sitePort}/`));
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('the site speaks HTTPS and nothing else on its port', () => {
  const page = curl('-i', `https://127.0.0.1:${server.sitePort}/`);
  assert.match(page, /^HTTP\/1\.1 200/);
  assert.match(page, /strict-transport-security/i);
  assert.throws(() => curl(`http://127.0.0.1:${server.sitePort}/`));
});

test('peers by HTTPS and by plain HTTP are in one swarm', async () => {
  const [member] = await server.json<{ passkey: string }>(['member', 'add', 'alice']);
  const [other] = await server.json<{ passkey: string }>(['member', 'add', 'ben']);
  const file = join(folder, 'small.torrent');
  writeFileSync(file, smallTorrent('small.bin'));
  const [torrent] = await server.json<{ infoHash: string }>(['torrent', 'add', file]);
  const hash = (torrent?.infoHash ?? '').replace(/../g, '%$&');
  const query = (peer: string, port: number, left: number): string =>
    `info_hash=${hash}&peer_id=-TR4050-${peer}&port=${port}&uploaded=0&downloaded=0&left=${left}&event=started`;
  const secure = `https://127.0.0.1:${tlsPort}/${member?.passkey}/announce?${query('abcdefghijkl', 7001, 0)}`;
  await waitFor('the torrent at the tracker', 60_000, () =>
    curl(secure).includes('8:interval') ? true : undefined,
  );
  const plain = `http://127.0.0.1:${server.trackerPort}/${other?.passkey}/announce?${query('mnopqrstuvwx', 7002, 10)}`;
  const answer = curl(plain);
  assert.match(answer, /8:completei1e/);
  assert.ok(answer.includes(`5:peers6:\x7f\0\0\x01${String.fromCharCode(7001 >> 8, 7001 & 255)}`));
});

test('a secure WebSocket is upgraded on the same port', async () => {
  const [member] = await server.json<{ passkey: string }>(['member', 'show', 'alice']);
  let head = '';
  try {
    // curl waits for frames after the upgrade, so its time ends it.
    const words = ['-i', '-N', '--http1.1', '--max-time', '2'];
    const upgrade = ['-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket'];
    const keys = [
      '-H',
      'Sec-WebSocket-Version: 13',
      '-H',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ];
    const url = `https://127.0.0.1:${tlsPort}/${member?.passkey}/announce`;
    head = curl(...words, ...upgrade, ...keys, url);
  } catch (error) {
    head = String((error as { stdout?: string }).stdout);
  }
  assert.match(head, /^HTTP\/1\.1 101/);
});

test('a renewed certificate is in force without a restart, for tracker and site', async () => {
  makeCertificate(3);
  for (const port of [tlsPort, server.sitePort]) {
    // curl trusts the file as it is now, so it succeeds only with the renewed one.
    await waitFor(`the renewed certificate at ${port}`, RENEWED_MS_MAX, () => {
      try {
        return curl(`https://127.0.0.1:${port}/`) === undefined ? undefined : true;
      } catch {
        return undefined;
      }
    });
  }
});
