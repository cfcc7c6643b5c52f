// A torrent's page goes red when both copies of a store rotted, and green again when one of them is back: the
// other one is healed from it.

import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestServer } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';

const PASSWORD = 'tortoise lamp river';
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-health-'));
const copies = ['one', 'two'].map((name) => join(folder, name));
let server: TestServer;

before(async () => {
  server = await TestServer.prepare({
    settings: { 'store.stack': `replica(${copies.map((path) => `packed(${path})`).join(', ')})` },
  });
  await server.start();
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** At a quarter and at three quarters: in both large segments, in whichever order the pack holds them. */
function rot(copy: string): void {
  for (const name of readdirSync(copy).filter((one) => one.endsWith('.pack'))) {
    const bytes = readFileSync(join(copy, name));
    for (const part of [0.25, 0.75]) {
      const at = Math.floor(bytes.length * part);
      bytes.fill(0xee, at, at + 64);
    }
    writeFileSync(join(copy, name), bytes);
  }
}

test('the page is red while no copy is sound, and green when a replica has it again', async () => {
  const source = join(folder, 'set');
  mkdirSync(source);
  writeFileSync(join(source, 'a.bin'), Buffer.alloc(9_000_000, 'bytes that will rot'));
  const [put] = await server.json<{ infoHash: string }>(['put', source]);
  await server.json(['member', 'add', 'mina', '--password-stdin'], PASSWORD);
  const visitor = await SiteVisitor.signIn(server.siteUrl, 'mina', PASSWORD);
  const page = async (): Promise<string> =>
    await (await visitor.get(`/torrents/${put?.infoHash}`)).text();
  const verify = async (): Promise<number | null> =>
    (await server.command(['archive', 'verify'])).exitCode;
  assert.equal(await verify(), 0);
  assert.match(await page(), /Kept whole/);
  await server.end('SIGTERM');
  const two = copies[1] ?? '';
  cpSync(two, join(folder, 'spare'), { recursive: true });
  for (const copy of copies) rot(copy);
  await server.start();
  assert.equal(await verify(), 1);
  assert.match(await page(), /Damaged/);
  await server.end('SIGTERM');
  rmSync(two, { recursive: true });
  cpSync(join(folder, 'spare'), two, { recursive: true });
  await server.start();
  assert.equal(await verify(), 0);
  assert.match(await page(), /Kept whole/);
  // The first one was healed when it was read: it is enough alone now.
  await server.end('SIGTERM');
  rot(two);
  await server.start();
  assert.equal(await verify(), 0);
});
