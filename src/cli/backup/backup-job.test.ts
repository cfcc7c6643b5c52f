import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { type Offline, openOffline } from '#cli/offline.ts';
import type { Rooms } from '#cli/rooms.ts';
import { lackingIn } from '#store/backup/backup-set.ts';
import { backupConfig } from '#store/backup/config.ts';
import { verifyBackups } from '#store/backup/verify-backups.ts';
import { refOf } from '#store/store.ts';
import { WORK_FOLDER } from './back-up.ts';
import { backupJobs } from './backup-job.ts';
import { withPlace } from './backup-place.ts';
import { readLastBackup } from './last-backup.ts';

let root: string;
let place: string;
const opened: Offline[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-backup-job-'));
  place = join(root, 'place');
});

afterEach(async () => {
  for (const offline of opened.splice(0)) await offline.close();
  rmSync(root, { recursive: true, force: true });
});

async function open(set: readonly string[] = []): Promise<Rooms> {
  const offline = await openOffline({ data: join(root, 'data'), set, json: true }, false);
  opened.push(offline);
  return offline.rooms;
}

/** `stopAt` ends the run when it tells of its progress for the so-manieth time. */
async function run(rooms: Rooms, stopAt = Number.POSITIVE_INFINITY): Promise<void> {
  const [job] = backupJobs(rooms, backupConfig.parse({ place, kept: 2 }));
  const stop = new AbortController();
  let told = 0;
  const context: JobContext = {
    signal: stop.signal,
    clock: rooms.clock,
    logger: silentLogger,
    fence: 1,
    progress: () => {
      if (++told === stopAt) stop.abort(new Error('killed'));
    },
    checkpoint: { load: async () => undefined, save: async () => undefined },
    fenced: async () => undefined,
  };
  await job!.run(context);
}

async function wholeBackups(rooms: Rooms): Promise<number> {
  return await withPlace(rooms.store, `packed(${place})`, async (backups) => {
    const list = await backups.list();
    const { damaged } = await verifyBackups(backups, list);
    assert.deepEqual(damaged, []);
    assert.ok(list.every((one) => lackingIn(one) === 0));
    return list.length;
  });
}

test('backups are made on a timetable where a place is named, and the newest are kept', async () => {
  const rooms = await open();
  assert.deepEqual(backupJobs(rooms, backupConfig.parse({})), [], 'none unless it is asked for');
  mkdirSync(place);
  for (let made = 1; made <= 3; made++) {
    await run(rooms);
    assert.equal(await wholeBackups(rooms), Math.min(made, 2));
  }
  assert.equal(readLastBackup(rooms.dataPath)?.place, `packed(${place})`);
  // The scheduler of a server or of `jobs run` has it.
  await opened.pop()?.close();
  const again = await open([`backup.place=${place}`]);
  await again.jobs.prepare();
  assert.ok((await again.jobs.views()).some(({ name }) => name === 'backup'));
  await again.jobs.runHere('backup', new AbortController().signal);
  const [last] = await again.jobs.runs('backup', 1);
  assert.equal(last?.result, 'done', last?.summary);
});

test('a backup that is killed halfway leaves those before it, and the next run makes it', async () => {
  const rooms = await open();
  mkdirSync(place);
  const { store } = await rooms.store.stack();
  for (const word of ['one', 'two', 'three']) {
    const blob = utf8(word);
    await store.put(blob);
    await rooms.care.pins.pin([refOf(blob)], 'by hand');
  }
  await run(rooms);
  for (const stopAt of [1, 2, 4]) {
    await assert.rejects(run(rooms, stopAt));
    assert.equal(await wholeBackups(rooms), 1, `ended at ${stopAt}`);
    assert.ok(!existsSync(join(rooms.dataPath, WORK_FOLDER)));
  }
  await run(rooms);
  assert.equal(await wholeBackups(rooms), 2);
});

test('a place that is not there, or whose backups are gone, is no place for a backup', async () => {
  const rooms = await open();
  await assert.rejects(run(rooms), /There is no folder/);
  mkdirSync(place);
  await run(rooms);
  // As a disk that is not mounted leaves its folder.
  renameSync(place, `${place}-away`);
  mkdirSync(place);
  await assert.rejects(run(rooms), /the backups that were there are gone.*mounted/);
  rmSync(place, { recursive: true });
  renameSync(`${place}-away`, place);
  await run(rooms);
});

test('a backup that lacks what is needed is no success, and forgets no whole one', async () => {
  const rooms = await open();
  mkdirSync(place);
  await run(rooms);
  await run(rooms);
  await rooms.care.pins.pin([refOf(utf8('gone'))], 'by hand');
  for (let times = 0; times < 2; times++) {
    await assert.rejects(run(rooms), /incomplete: 1 blobs that are needed/);
  }
  await withPlace(rooms.store, `packed(${place})`, async (backups) => {
    const whole = (await backups.list()).filter((one) => lackingIn(one) === 0);
    assert.equal(whole.length, 2);
  });
});

test('a place that cannot be one is refused when the settings are read', () => {
  for (const word of ['backups', './here', 'packed(']) {
    assert.equal(backupConfig.safeParse({ place: word }).success, false, word);
  }
  for (const word of ['', 'current', '/mnt/backup', 'packed(/mnt/backup)']) {
    assert.equal(backupConfig.safeParse({ place: word }).success, true, word);
  }
});
