import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { utf8 } from '#base/bytes.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import { type Offline, openOffline } from '#cli/offline.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { StoreRoom } from '#cli/store-room.ts';
import { StoreError } from '#store/errors.ts';
import { MemoryStore } from '#store/memory.ts';
import { type Store, walkStore } from '#store/store.ts';
import { refuseAbsent, withPlace, withReadPlace } from './backup-place.ts';
import { copiedContent, newSums } from './content.ts';
import { readLastBackup } from './last-backup.ts';
import { makeBackup } from './make-backup.ts';
import { restore } from './restore.ts';

const YEAR_MS = 365 * 86_400_000;
const { signal } = new AbortController();
const quiet = { signal, progress: () => {} };
let root: string;
let place: string;
let offline: Offline;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-backup-mishaps-'));
  place = `packed(${join(root, 'place')})`;
  offline = await openOffline({ data: join(root, 'data'), set: [], json: true }, false);
});

afterEach(async () => {
  await offline.close();
  rmSync(root, { recursive: true, force: true });
});

/** The system's clock, so much ahead. */
function ahead(ms: number): Clock {
  const clock = new SystemClock();
  return new Proxy(clock, {
    get(target, key) {
      if (key === 'nowMs') return () => target.nowMs() + ms;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function backedUp(clock: Clock): Promise<string> {
  const rooms: Rooms = { ...offline.rooms, clock };
  const wanted = { place, keep: 1, makesPlace: true, ...quiet };
  return (await makeBackup(rooms, wanted)).made.backup.ref;
}

test('a backup is the newest also when the clock was ahead before it', async () => {
  await backedUp(ahead(YEAR_MS));
  const second = await backedUp(new SystemClock());
  const third = await backedUp(ahead(-YEAR_MS));
  assert.notEqual(third, second);
  const kept = await withPlace(offline.rooms.store, place, (backups) => backups.list());
  assert.deepEqual(
    kept.map(({ ref }) => ref),
    [third],
  );
  const saysMs = readLastBackup(offline.rooms.dataPath)?.madeMs ?? 0;
  assert.ok(saysMs < new SystemClock().nowMs(), 'when it was made is told by the clock');
});

test('a place in the data folder, around it, or by a link in it is refused in words', async () => {
  const data = join(root, 'data');
  mkdirSync(join(data, 'kept'));
  symlinkSync(data, join(root, 'link'));
  const back = async (stack: string): Promise<unknown> =>
    await makeBackup(offline.rooms, { ...quiet, place: stack, keep: 1, makesPlace: true });
  for (const [stack, reason] of [
    [`packed(${join(data, 'kept')})`, /lies in the data folder .* Name a folder elsewhere/],
    [`packed(${join(data, 'not', 'yet')})`, /lies in the data folder/],
    [`packed(${data})`, /lies in the data folder/],
    [`packed(${join(root, 'link', 'kept')})`, /lies in the data folder/],
    ['packed(beside)', /lies in the data folder/],
    [`replica(packed(${join(root, 'a')}), packed(${join(data, 'b')}))`, /lies in the data folder/],
    [`packed(${root})`, /the data folder .* lies in it/],
  ] as const) {
    await assert.rejects(back(stack), reason, stack);
  }
  assert.ok(!existsSync(join(root, 'a')) && !existsSync(join(data, 'not')), 'nothing is made');
  await back(`packed(${join(root, 'data-2')})`);
});

test('backups are read from the members of a replica that are there, and what is away is told, not made', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(root, name));
  const line = `replica(packed(${a}), shard(packed(${b}), packed(${c})))`;
  const made = await makeBackup(offline.rooms, {
    ...quiet,
    place: line,
    keep: 2,
    makesPlace: true,
  });
  const { store } = offline.rooms;
  const warned: string[] = [];
  const spied = Object.create(store, {
    world: {
      value: {
        ...store.world,
        logger: {
          ...store.world.logger,
          warn: (_: string, { folder }: { folder: string }) => warned.push(folder),
        },
      },
    },
  }) as StoreRoom;
  // Its private parts are the room's own.
  spied.withOtherBackups = (text, run) => store.withOtherBackups(text, run);
  const listed = async (text: string): Promise<string[]> =>
    await withReadPlace(spied, text, async (backups) =>
      (await backups.list()).map(({ ref }) => ref),
    );
  assert.deepEqual(await listed(line), [made.made.backup.ref]);
  assert.deepEqual(warned, []);
  // Half of a shard is no copy of anything.
  rmSync(join(root, 'b'), { recursive: true });
  assert.deepEqual(await listed(line), [made.made.backup.ref]);
  assert.deepEqual(warned.splice(0), [b, c]);
  await assert.rejects(listed(`shard(packed(${a}), packed(${b}))`), { code: 'CLI_NOT_FOUND' });
  // Who writes is not led to believe that both have it.
  const again = { ...quiet, place: line, keep: 2, makesPlace: false };
  await assert.rejects(makeBackup(offline.rooms, again), { code: 'CLI_NOT_FOUND' });
  rmSync(join(root, 'a'), { recursive: true });
  await assert.rejects(listed(line), { code: 'CLI_NOT_FOUND' });
  assert.ok(!existsSync(join(root, 'a')) && !existsSync(join(root, 'b')), 'nothing is made');
});

const tryMount = ['-m', 'mount', '--bind', tmpdir(), tmpdir()];
const UNSHARE = 'unshare';
const cannotMount = spawnSync(UNSHARE, tryMount).status !== 0;

for (const kind of ['directory', 'packed']) {
  const name = `a backup in a ${kind} on a medium that can only be read is listed`;
  test(name, { skip: cannotMount }, () => listedReadOnly(kind));
}

async function listedReadOnly(kind: string): Promise<void> {
  const medium = join(root, 'medium');
  const line = `${kind}(${medium})`;
  const wanted = { ...quiet, place: line, keep: 1, makesPlace: true };
  const made = await makeBackup(offline.rooms, wanted);
  rmSync(join(medium, 'backup.lock'), { force: true });
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const node = [process.execPath, '-C', 'swarmkeep-src', main];
  const words = ['backup', 'list', line, '--json', '--data', join(root, 'none')];
  const script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"';
  const run = ['-m', 'sh', '-c', script, medium, ...node, ...words];
  const { stdout, stderr, status } = spawnSync(UNSHARE, run, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(JSON.parse(stdout).id, made.made.backup.ref.slice(7, 19));
}

test('a folder that a restore cannot give its name to is refused before anything is done', async () => {
  await backedUp(new SystemClock());
  mkdirSync(join(root, 'folder'));
  symlinkSync('folder', join(root, 'link'));
  await withPlace(offline.rooms.store, place, async (backups) => {
    const [backup] = await backups.list();
    for (const [data, reason] of [
      [join(root, 'link'), /is a link/],
      ['/proc', /a disk of its own: name a folder on it, as "\/proc\/data"/],
    ] as const) {
      const options = { data, set: [], json: true };
      await assert.rejects(restore({ ...quiet, options, backups, backup: backup! }), reason);
      assert.ok(!existsSync(`${data}.restoring`));
    }
  });
});

test('a place that takes no more ends the copying in its own words', async () => {
  const [from, disk] = [new MemoryStore(), new MemoryStore()];
  await from.put(utf8('small'));
  await from.put(utf8('larger'));
  const full: Store = new Proxy(disk, {
    get(target, key) {
      if (key === 'put') {
        return async (bytes: Uint8Array) => {
          if (bytes.length < 6) return await target.put(bytes);
          throw new StoreError('STORE_WRITE_FAILED', 'ENOSPC: no space left on device');
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const sums = newSums();
  const work = { from, to: full, signal, clock: new SystemClock() };
  const copy = async () => {
    for await (const _ of copiedContent(walkStore(from), work, sums));
  };
  await assert.rejects(copy, /no space left/);
  assert.equal(sums.failedCount, 0);
});

test('a store to copy from whose folder is not there is refused', () => {
  mkdirSync(join(root, 'there'));
  refuseAbsent(`directory(${root}/there)`);
  refuseAbsent('s3(copies/)');
  assert.throws(
    () => refuseAbsent(`replica(directory(${root}/there), packed(${root}/away))`),
    /away/,
  );
});
