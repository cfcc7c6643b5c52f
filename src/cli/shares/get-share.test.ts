import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ROOT_HEADER } from '#archive/downloads/downloads.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import type { Output } from '#cli/command.ts';
import { MerkleHasher } from '#wire/merkle.ts';
import { type Got, getShare } from './get-share.ts';

const LINK = `/s/${'t'.repeat(43)}`;
let folder: string;
let server: Server;
let url: string;
/** Of the files, by name; and how many were asked for at once. */
let files: Map<string, Buffer>;
let most = 0;
let first: (() => void) | undefined;
const FIRST_WAITS_MS = 30_000;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'swarmkeep-get-share-'));
  most = 0;
  first = undefined;
  let underWay = 0;
  server = createServer((request, response) => {
    if (request.url === LINK) {
      const entries = [...files].map(([name, { length: sizeBytes }], at) => {
        return { name, kind: 'file', sizeBytes, content: `${LINK}/${at}` };
      });
      response.end(JSON.stringify({ label: 'x', name: 'x', kind: 'folder', entries }));
      return;
    }
    const bytes = [...files.values()][Number(request.url?.split('/').at(-1))];
    assert.ok(bytes !== undefined);
    underWay += 1;
    most = Math.max(most, underWay);
    const hasher = new MerkleHasher(16 * 1024);
    hasher.update(bytes);
    const { root } = hasher.finish();
    const answer = (): void => {
      underWay -= 1;
      if (root !== undefined) response.setHeader(ROOT_HEADER, toHex(root));
      response.end(bytes);
    };
    // The first one waits for a second, which never comes from who asks one by one.
    if (first === undefined) {
      const timer = setTimeout(answer, FIRST_WAITS_MS);
      first = () => {
        clearTimeout(timer);
        answer();
      };
      return;
    }
    if (most === 2 && underWay === 2) first();
    answer();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${LINK}`;
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

async function get(): Promise<Got> {
  const output = { signal: new AbortController().signal, item() {}, progress() {} };
  const clock = new SystemClock();
  return await getShare({ url, folder, password: '', clock, output: output as unknown as Output });
}

test('a name as long as a disk can hold is fetched, and leaves nothing beside it', async () => {
  files = new Map([
    ['n'.repeat(255), Buffer.from('long')],
    ['ü'.repeat(125), Buffer.from('of two bytes each')],
    ['short', Buffer.from('short')],
  ]);
  assert.equal((await get()).files, 3);
  assert.deepEqual(readdirSync(join(folder, 'x')).sort(), [...files.keys()].sort());
  for (const [name, bytes] of files) assert.deepEqual(readFileSync(join(folder, 'x', name)), bytes);
});

test('many small files are fetched several at once, and are the same', async () => {
  files = new Map([...Array(40).keys()].map((at) => [`${at}.txt`, Buffer.from(`number ${at}`)]));
  files.set('empty', Buffer.alloc(0));
  assert.deepEqual(await get(), { files: 41, bytes: 350, present: 0 });
  assert.ok(most > 1, 'one did not wait for another');
  for (const [name, bytes] of files) assert.deepEqual(readFileSync(join(folder, 'x', name)), bytes);
});
