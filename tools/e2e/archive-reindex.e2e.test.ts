// The night on which the database is lost: what the archive kept is found again from the log and the blobs
// alone, by one command, while the server runs.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeTorrent, writeContent } from './content.ts';
import { TestServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-reindex-'));
let server: TestServer;

before(async () => {
  server = await TestServer.prepare();
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Shown {
  readonly infoHash: string;
  readonly id: number;
  readonly title: string;
  readonly category: string;
  readonly tags: readonly string[];
  readonly keeping: string;
}

interface Reindexed {
  readonly kept: number;
  readonly wanted: number;
  readonly differences: number;
  readonly restored: number;
  readonly problems: number;
}

const show = async (infoHash: string): Promise<Shown | undefined> =>
  (await server.json<Shown>(['torrent', 'show', infoHash]))[0];

async function putFolder(name: string, words: readonly string[] = []): Promise<string> {
  const path = join(folder, name);
  mkdirSync(join(path, 'more'), { recursive: true });
  writeFileSync(join(path, 'a.bin'), Buffer.alloc(700_000, name));
  writeFileSync(join(path, 'more', 'same.txt'), 'the same in all of them');
  writeFileSync(join(path, 'more', 'empty'), '');
  const [put] = await server.json<{ infoHash: string }>(['put', path, ...words]);
  return put?.infoHash ?? '';
}

async function addWanted(): Promise<string> {
  const content = { folder, name: 'wanted', files: [['w.bin', 1000]] as const, seed: 1 };
  writeContent(content);
  const path = join(folder, 'wanted.torrent');
  writeFileSync(path, (await makeTorrent(content, { version: 'v1' })).bytes);
  const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
  await server.json(['torrent', 'keep', added?.infoHash ?? '']);
  return added?.infoHash ?? '';
}

test('a lost database: one command finds again what was kept, and says that it is the same', async () => {
  // Without a server, and with one.
  const first = await putFolder('first', ['--title', 'The first', '--category', 'datasets']);
  await server.start();
  const [second, other] = await Promise.all(
    // Twice the same at the same moment is one piece of work, and has one answer.
    [1, 2].map(() => putFolder('second', ['--tag', 'survey', '--torrent-version', 'v2'])),
  );
  assert.ok(second !== undefined && second === other);
  const [dropped, removed] = [await putFolder('dropped'), await putFolder('removed')];
  await server.json(['torrent', 'unkeep', dropped]);
  await server.json(['torrent', 'rm', removed, '--reason', 'not ours to give']);
  const wanted = await addWanted();
  const before = await Promise.all([first, second, wanted].map(show));
  const [same] = await server.json<Reindexed>(['reindex', '--check']);
  assert.deepEqual([same?.kept, same?.wanted, same?.differences], [3, 1, 0]);
  await server.end('SIGKILL');
  rmSync(join(server.dataFolder, 'sql'), { recursive: true });
  await server.start();
  assert.deepEqual(await server.json(['torrent', 'list']), []);
  const check = await server.command(['reindex', '--check', '--json']);
  assert.equal(check.exitCode, 1, check.stdout);
  const [made] = await server.json<Reindexed>(['archive', 'reindex']);
  assert.deepEqual([made?.restored, made?.differences, made?.problems], [4, 4, 0]);
  const found = await Promise.all([first, second, wanted].map(show));
  const worth = (one: Shown | undefined): unknown =>
    one && [one.infoHash, one.id, one.title, one.category, one.tags, one.keeping];
  assert.deepEqual(found.map(worth), before.map(worth));
  // What the site had removed is known again, and is removed.
  assert.equal((await server.json(['torrent', 'list'])).length, 3);
  const [gone] = await server.json<{ removedReason: string }>(['torrent', 'show', removed]);
  assert.equal(gone?.removedReason, 'not ours to give');
  const [proven] = await server.json<{ files: number }>(['archive', 'verify']);
  assert.equal(proven?.files, 4);
});

test('a torrent that somebody else made is kept from its files, each piece compared', async () => {
  const files = [
    ['one.bin', 300_001],
    ['two.bin', 17],
    ['three.bin', 200_000],
  ] as const;
  const content = { folder, name: 'foreign', files, seed: 2 };
  writeContent(content);
  const path = join(folder, 'foreign.torrent');
  writeFileSync(path, (await makeTorrent(content, { version: 'v1' })).bytes);
  const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
  const keep = ['torrent', 'keep', added?.infoHash ?? '', '--from', join(folder, 'foreign')];
  const two = join(folder, 'foreign', 'two.bin');
  const bytes = readFileSync(two);
  writeFileSync(two, Buffer.alloc(17, 'wrong'));
  const wrong = await server.command([...keep, '--json']);
  assert.equal(wrong.exitCode, 1);
  assert.match(wrong.stdout, /ARCHIVE_CONTENT_WRONG/);
  assert.equal((await show(added?.infoHash ?? ''))?.keeping, 'no');
  writeFileSync(two, bytes);
  assert.equal((await server.json<Shown>(keep))[0]?.keeping, 'kept');
});

test('events are listed, their key is changed, and one that is damaged is named and left out', async () => {
  const kinds = async (): Promise<unknown[]> =>
    (await server.json<{ kind: string }>(['archive', 'events'])).map(({ kind }) => kind);
  const told = await kinds();
  assert.deepEqual(told.slice(0, 3), ['key', 'keep', 'keep']);
  const [rotated] = await server.json<{ key: string }>(['archive', 'rotate-key']);
  assert.match(rotated?.key ?? '', /^[0-9a-f]{64}$/);
  const third = await putFolder('third');
  assert.deepEqual(await kinds(), [...told, 'key', 'keep']);
  await server.end('SIGTERM');
  const topic = join(server.dataFolder, 'log', 'archive-events');
  const segment = readdirSync(topic).find((name) => name.endsWith('.log')) ?? '';
  const bytes = readFileSync(join(topic, segment));
  const at = bytes.indexOf('"title":"The first"');
  bytes[at + 10] = 0x58;
  writeFileSync(join(topic, segment), bytes);
  await server.start();
  const refused = await server.command(['reindex', '--json']);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stdout, /Event 1 cannot be read/);
  assert.match(refused.stdout, /ARCHIVE_EVENT_INVALID/);
  assert.equal((await server.command(['archive', 'events'])).exitCode, 1);
  // The torrent of that event is here still, and told again.
  const again = await server.json<Reindexed>(['reindex', '--skip-damaged']);
  assert.equal(again.at(-1)?.differences, 1);
  assert.equal((await show(third))?.keeping, 'kept');
});
