// `archive.credit = free`: what the archive's web seed gives costs no member any credit, whether their client
// announces it as downloaded, as libtorrent's do, or not.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseMetainfo } from '#wire/metainfo.ts';
import { TestServer, waitFor } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';

const BYTES = 6_000_017;
const MS_MAX = 120_000;
const PASSWORD = 'tortoise lamp river';
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-credit-'));
let server: TestServer;
let infoHash = '';

before(async () => {
  server = await TestServer.prepare({ settings: { 'archive.credit': 'free' } });
  await server.start();
  const source = join(folder, 'set');
  mkdirSync(source);
  writeFileSync(join(source, 'a.bin'), Buffer.alloc(BYTES, 'some bytes'));
  infoHash = (await server.json<{ infoHash: string }>(['put', source]))[0]?.infoHash ?? '';
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A client: takes so many bytes from the web seed, and announces so many as downloaded. */
async function take(name: string, bytes: number, announced: number): Promise<void> {
  const [member] = await server.json<{ announceUrls: { http: string } }>(
    ['member', 'add', name, '--password-stdin'],
    PASSWORD,
  );
  const file = join(folder, `${name}.torrent`);
  await server.json(['torrent', 'download', infoHash, '--member', name, '-o', file]);
  const parsed = parseMetainfo(readFileSync(file));
  assert.ok(parsed.ok);
  const range = { range: `bytes=0-${bytes - 1}` };
  const got = await fetch(`${parsed.metainfo.webSeeds[0]}set/a.bin`, { headers: range });
  assert.equal((await got.arrayBuffer()).byteLength, bytes);
  const hash = infoHash.replace(/../g, '%$&');
  const announce = async (words: string): Promise<void> => {
    const query = `info_hash=${hash}&peer_id=-LT2000-${name.padEnd(12, 'x').slice(0, 12)}&port=6881&uploaded=0`;
    const answer = await fetch(`${member?.announceUrls.http}?${query}&compact=1&${words}`);
    assert.doesNotMatch(await answer.text(), /failure/);
  };
  await announce(`downloaded=0&left=${BYTES}&event=started`);
  await announce(`downloaded=${announced}&left=0&event=completed`);
}

const shown = async (name: string, downloaded: number, credited: number): Promise<void> => {
  await waitFor(`the credit of ${name}`, MS_MAX, async () => {
    const [one] = await server.json<{
      downloadedBytes: number;
      creditedDownloadedBytes: number;
    }>(['ledger', 'show', name]);
    const isSo = one?.downloadedBytes === downloaded && one.creditedDownloadedBytes === credited;
    return isSo ? true : undefined;
  });
};

test('bytes from the web seed are taken off the credit of who announces them, and of nobody else', async () => {
  await take('announces', BYTES, BYTES);
  await take('announces-not', BYTES, 0);
  await take('announces-more', 2_000_000, BYTES);
  await shown('announces', BYTES, 0);
  await shown('announces-not', 0, 0);
  await shown('announces-more', BYTES, BYTES - 2_000_000);
  const visitor = await SiteVisitor.signIn(server.siteUrl, 'announces', PASSWORD);
  const profile = await (await visitor.get('/members/announces')).text();
  assert.match(profile, /came from the archive and do not count/);
  const [audit] = await server.json<{ differences: unknown[] | number }>(['ledger', 'audit']);
  assert.deepEqual(
    [audit?.differences].flat().filter((one) => one !== 0),
    [],
  );
});
