// The clients of one file, each by its example, and the generated TypeScript client, against the real
// server. A language that is not installed here is skipped, and says so.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { blobRef, pages, Swarmkeep, SwarmkeepProblem } from '#clients/typescript/swarmkeep.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { ROOT } from '#tools/child-process.ts';
import { TestServer } from './server.ts';

/** The Go toolchain may have to make its standard library first. */
const PROGRAM_MS_MAX = 300_000;
const CLIENTS = join(ROOT, 'clients');
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-clients-'));
const torrent = join(folder, 'survey.torrent');

let server: TestServer;
let token = '';
let keptHash = '';

interface Language {
  readonly name: string;
  /** How to ask whether it is there. */
  readonly asked: readonly [program: string, word: string];
  readonly example: readonly string[];
}

const LANGUAGES: readonly Language[] = [
  { name: 'Python', asked: ['python3', '--version'], example: ['python3', 'python/example.py'] },
  { name: 'Perl', asked: ['perl', '--version'], example: ['perl', 'perl/example.pl'] },
  { name: 'Ruby', asked: ['ruby', '--version'], example: ['ruby', 'ruby/example.rb'] },
  { name: 'PHP', asked: ['php', '--version'], example: ['php', 'php/example.php'] },
  { name: 'Go', asked: ['go', 'version'], example: ['go', '-C', 'go', 'run', './example'] },
];

before(async () => {
  server = await TestServer.prepare();
  await server.start();
  await server.json(
    ['member', 'add', 'olga', '--role', 'admin', '--password-stdin'],
    'tortoise lamp river',
  );
  const scopes = ['account', 'browse', 'download', 'upload', 'share', 'store'];
  const words = ['store-token', 'add', 'olga', ...scopes.flatMap((one) => ['--scope', one])];
  const [made] = await server.json<{ token: string }>(words);
  token = made?.token ?? '';
  writeFileSync(torrent, await makeTorrent({ name: 'survey by example', seed: 5 }));
  writeFileSync(join(folder, 'kept.txt'), 'kept by the archive');
  const [kept] = await server.json<{ infoHash: string }>(['put', join(folder, 'kept.txt')]);
  keptHash = kept?.infoHash ?? '';
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

for (const { name, asked, example } of LANGUAGES) {
  const isThere = spawnSync(asked[0], [asked[1]]).status === 0;
  const skip = isThere ? false : `${asked[0]} is not installed`;
  test(`the client for ${name} does what its example shows`, {
    skip,
    timeout: PROGRAM_MS_MAX,
  }, async () => {
    const [program = '', ...args] = example;
    const { stdout } = await run(program, [...args, torrent, keptHash], {
      cwd: CLIENTS,
      timeout: PROGRAM_MS_MAX,
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        CGO_ENABLED: '0',
        SWARMKEEP_URL: server.siteUrl,
        SWARMKEEP_TOKEN: token,
      },
    });
    const ref = await blobRef(Buffer.from('hello'));
    assert.deepEqual(stdout.trim().split('\n'), [
      'name olga',
      'added Survey by example',
      'found Survey by example',
      'file True',
      `blob ${ref} hello`,
      'share True True',
      'refused 404 not-found',
    ]);
  });
}

test('the TypeScript client has a typed method for each route', async () => {
  const swarmkeep = new Swarmkeep({ url: server.siteUrl, token });
  assert.equal((await swarmkeep.getMe()).name, 'olga');
  const bytes = await makeTorrent({ name: 'typed', seed: 6 });
  const { torrent: added } = await swarmkeep.addTorrent(bytes, { title: 'Typed', tags: 'example' });
  const titles: string[] = [];
  for await (const one of pages((cursor) => swarmkeep.listTorrents({ limit: 1, ...cursor }))) {
    titles.push(one.title);
  }
  assert.deepEqual(titles.toSorted(), ['Typed', 'kept'].toSorted());
  const edited = await swarmkeep.editTorrent(added.infoHash, { title: 'Typed well' });
  assert.equal(edited.title, 'Typed well');
  const file = await swarmkeep.getTorrentFile(added.infoHash);
  assert.equal(file.headers.get('content-type'), 'application/x-bittorrent');
  const ref = await blobRef(bytes);
  assert.equal((await swarmkeep.putBlob(ref, bytes)).new, true);
  const back = await swarmkeep.getBlob(ref);
  assert.deepEqual(new Uint8Array(await back.arrayBuffer()), new Uint8Array(bytes));
  const content = await swarmkeep.getTorrentContent(keptHash, 'all');
  assert.match(await content.text(), /kept by the archive/);
  const share = await swarmkeep.makeShare({ items: [{ infoHash: keptHash }], days: 1 });
  await swarmkeep.revokeShare(share.id);
  await assert.rejects(swarmkeep.getStatus(), (error: SwarmkeepProblem) => {
    assert.ok(error instanceof SwarmkeepProblem);
    assert.equal(error.code, 'scope-missing');
    return true;
  });
  const wrong = blobRef(Buffer.from('other')).then((other) => swarmkeep.putBlob(other, bytes));
  await assert.rejects(wrong, { code: 'STORE_WRONG_HASH' });
});
