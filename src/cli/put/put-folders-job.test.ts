import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { archiveConfig } from '#archive/config.ts';
import type { JobContext, JobResult } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { type Offline, openOffline } from '#cli/offline.ts';
import { putFoldersJobs } from './put-folders-job.ts';
import type { PutRooms } from './put-torrent.ts';

let root: string;
let source: string;
let offline: Offline;
let checkpoint: unknown;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-put-folders-'));
  source = join(root, 'measurements');
  mkdirSync(source);
  checkpoint = undefined;
  offline = await openOffline({ data: join(root, 'data'), set: [], json: true }, false);
});

afterEach(async () => {
  await offline.close();
  rmSync(root, { recursive: true, force: true });
});

function roomsWith(putFolders: readonly string[]): PutRooms {
  const { rooms } = offline;
  const archive = { ...rooms.config.archive, putFolders: [...putFolders] };
  return { ...rooms, config: { ...rooms.config, archive } };
}

interface Run {
  readonly lines?: readonly string[];
  /** Called when the run tells of its progress. */
  readonly onProgress?: () => void;
  /** Ends the run before it saves how a folder looks. */
  readonly isKilled?: boolean;
}

async function run({
  lines = [`other ${source}`],
  onProgress,
  isKilled,
}: Run = {}): Promise<JobResult> {
  const [job] = putFoldersJobs(roomsWith(lines));
  const context: JobContext = {
    signal: new AbortController().signal,
    clock: offline.rooms.clock,
    logger: silentLogger,
    fence: 1,
    progress: () => onProgress?.(),
    checkpoint: {
      load: async () => checkpoint,
      save: async (value) => {
        if (isKilled === true) throw new Error('killed');
        checkpoint = value;
      },
    },
    fenced: async () => undefined,
  };
  return await job!.run(context);
}

/** A file that was written an hour ago, or `agoMs`. */
function write(name: string, text: string | Uint8Array, agoMs = 3_600_000): void {
  writeFileSync(join(source, name), text);
  // Whole seconds, which a second utimes can say again.
  const at = Math.floor((offline.rooms.clock.nowMs() - agoMs) / 1000);
  utimesSync(join(source, name), at, at);
}

interface Kept {
  readonly title: string;
  readonly sizeBytes: number;
}

async function kept(): Promise<readonly Kept[]> {
  const rows = await offline.rooms.sql
    .read<{
      torrent: { id: number; title: string; size_bytes: number };
      archive_torrent: { torrent_id: number };
    }>()
    .selectFrom('torrent')
    .innerJoin('archive_torrent', 'archive_torrent.torrent_id', 'torrent.id')
    .select(['torrent.title', 'torrent.size_bytes as sizeBytes'])
    .orderBy('torrent.id')
    .execute();
  return rows;
}

test('a folder is put when it has changed, and not sooner', async () => {
  assert.deepEqual(putFoldersJobs(roomsWith([])), [], 'no job unless a folder is named');
  write('one', 'first');
  assert.equal((await run()).counts?.['put'], 1);
  // Its bytes are not looked at while size and time stay: it is not read again.
  const { atimeMs, mtimeMs } = statSync(join(source, 'one'));
  writeFileSync(join(source, 'one'), 'again');
  utimesSync(join(source, 'one'), atimeMs / 1000, mtimeMs / 1000);
  assert.deepEqual((await run()).counts, { put: 0, unchanged: 1, busy: 0, newBytes: 0 });
  write('two', 'second');
  assert.equal((await run()).counts?.['put'], 1);
  const day = new Date(offline.rooms.clock.nowMs()).toISOString().slice(0, 10);
  assert.deepEqual(
    await kept(),
    [5, 11].map((sizeBytes) => ({ title: `measurements, ${day}`, sizeBytes })),
  );
  // Only its time is another: it is read, and is the torrent that is there.
  write('two', 'second', 7_200_000);
  assert.equal((await run()).counts?.['put'], 0);
  assert.equal((await kept()).length, 2);
});

test('what is still being written waits, and what changes while it is read is no torrent', async () => {
  write('one', 'first', 60_000);
  assert.equal((await run()).counts?.['busy'], 1);
  assert.deepEqual(await kept(), []);
  // A clock that went back has files of a time to come.
  write('one', new Uint8Array(70 * 1024 * 1024), -3_600_000);
  await assert.rejects(
    run({ onProgress: () => write('two', 'meanwhile') }),
    /changed while it was read/,
  );
  assert.deepEqual(await kept(), []);
  assert.equal((await run()).counts?.['put'], 1);
});

test('a run that is killed halfway is ended by the next, and makes no second torrent', async () => {
  write('one', 'first');
  await assert.rejects(run({ isKilled: true }), /killed/);
  const { counts } = await run();
  assert.equal(counts?.['newBytes'], 0);
  assert.equal((await kept()).length, 1);
  assert.equal((await run()).counts?.['unchanged'], 1);
});

test('a folder that cannot be put keeps none of the others from it, and is named', async () => {
  write('one', 'first');
  const lines = [`other ${root}/not-mounted`, `no-category ${source}`, `other ${source}`];
  const unread = run({
    lines: [`no-category ${source}`],
    onProgress: () => assert.fail('it is read for nothing'),
  });
  await assert.rejects(unread, /no-category.*category/);
  await assert.rejects(run({ lines }), (error: Error) => {
    assert.match(error.message, /not-mounted.*ENOENT/);
    assert.match(error.message, /no-category.*category/);
    return true;
  });
  assert.equal((await kept()).length, 1);
});

test('a line without a category or with half a path is refused when the settings are read', () => {
  for (const [line, isGood] of [
    ['datasets /srv/survey 2026', true],
    ['/srv/survey', false],
    ['datasets srv/survey', false],
    ['', false],
  ] as const) {
    assert.equal(archiveConfig.safeParse({ putFolders: [line] }).success, isGood, line);
  }
});
