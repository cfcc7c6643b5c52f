import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { type Offline, openOffline } from '#cli/offline.ts';
import type { Rooms } from '#cli/rooms.ts';
import { Registry } from '#metrics/registry.ts';
import { CONTROL_TOPIC, enqueue, OutboxRelay } from '#sql/outbox.ts';
import { postgresTestUrl } from '#sql/test-databases.ts';
import { type BackupSet, lackingIn } from '#store/backup/backup-set.ts';
import { verifyBackups } from '#store/backup/verify-backups.ts';
import { refOf } from '#store/store.ts';
import { type BackUpOptions, backUp } from './back-up.ts';
import { withPlace } from './backup-place.ts';
import { restore } from './restore.ts';

let root: string;
const opened: Offline[] = [];
const { signal } = new AbortController();
const quiet = { signal, progress: () => {} };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-back-up-'));
});

afterEach(async () => {
  for (const offline of opened.splice(0)) await offline.close();
  rmSync(root, { recursive: true, force: true });
});

const optionsOf = (name: string, set: readonly string[] = []) => {
  return { data: join(root, name), set, json: true };
};

async function open(name: string, set: readonly string[] = []): Promise<Rooms> {
  const offline = await openOffline(optionsOf(name, set), false);
  opened.push(offline);
  return offline.rooms;
}

function relayOf(rooms: Rooms, diverged: string[] = []): OutboxRelay {
  const { sql, log, clock, logger, config } = rooms;
  const world = { sql, log, clock, logger, metrics: new Registry(), config: config.sql };
  return new OutboxRelay({ ...world, onDiverged: (reason) => diverged.push(reason) });
}

async function tell(rooms: Rooms, relay: OutboxRelay, id: number): Promise<void> {
  const message = {
    kind: 'download-key',
    ...{ key: `key-${id}`, memberId: id, torrentId: 1 },
    state: 'revoked',
  } as const;
  await rooms.sql.transaction((transaction) => enqueue(transaction, message));
  assert.equal(await relay.relayOnce(), 1);
}

/** The same rooms, whose log is first asked for its topics after `run`: the database is copied then. */
function afterSql(rooms: Rooms, run: () => Promise<void>): Rooms {
  const log = new Proxy(rooms.log, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (key === 'topics') {
        return async () => {
          await run();
          return await target.topics();
        };
      }
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { ...rooms, log };
}

const inPlace = <Result>(rooms: Rooms, run: (backups: BackupSet) => Promise<Result>) =>
  withPlace(rooms.store, `packed(${join(root, 'place')})`, run, true);

test('what is relayed to the trackers after the database was copied is not in the backup', async () => {
  const rooms = await open('data');
  const relay = relayOf(rooms);
  await tell(rooms, relay, 1);
  const options = (backups: BackupSet): BackUpOptions => ({ ...quiet, backups, isCurrent: false });
  const late = afterSql(rooms, () => tell(rooms, relay, 2));
  await inPlace(rooms, async (backups) => {
    const { backup } = await backUp(late, options(backups));
    await restore({ ...quiet, options: optionsOf('copy'), backups, backup });
  });
  assert.equal((await rooms.log.stats(CONTROL_TOPIC)).nextOffset, 2);
  const copy = await open('copy');
  assert.equal((await copy.log.stats(CONTROL_TOPIC)).nextOffset, 1);
  const diverged: string[] = [];
  assert.equal(await relayOf(copy, diverged).relayOnce(), 0);
  assert.deepEqual(diverged, [], 'database and log tell the same');
});

test('in its own store a backup names what is referred to, and garbage goes all the same', async () => {
  const rooms = await open('data');
  const { store } = await rooms.store.stack();
  const [kept, garbage] = [utf8('pinned'), utf8('garbage')];
  for (const blob of [kept, garbage]) await store.put(blob);
  await rooms.care.pins.pin([refOf(kept)], 'by hand');
  const backups = await rooms.store.backups();
  const make = () => backUp(rooms, { ...quiet, backups, isCurrent: true });
  const first = await make();
  assert.equal(first.backup.manifest.content.blobs, 1);
  const second = await make();
  assert.equal(second.backup.manifest.content.blobs, 1, 'nor what earlier backups are made of');
  const refs = new Set<string>();
  for await (const ref of backups.refs(signal)) refs.add(ref);
  assert.ok(refs.has(refOf(kept)) && !refs.has(refOf(garbage)));
  // A blob that is referred to and gone is told, not passed over.
  await store.remove([refOf(kept)]);
  const third = await make();
  assert.deepEqual(third.failed, [{ ref: refOf(kept), code: 'STORE_BLOB_MISSING' }]);
});

test('a backup of a store whose disk is not there is marked as incomplete, and names what it lacks', async () => {
  const first = await open('data');
  const [kept, loose] = [utf8('pinned'), utf8('loose')];
  const stack = await first.store.stack();
  for (const blob of [kept, loose]) await stack.store.put(blob);
  await first.care.pins.pin([refOf(kept)], 'by hand');
  const make = (rooms: Rooms, backups: BackupSet) =>
    backUp(rooms, { ...quiet, backups, isCurrent: false });
  const whole = await inPlace(first, (backups) => make(first, backups));
  assert.equal(lackingIn(whole.backup), 0);
  await opened.pop()?.close();
  rmSync(join(root, 'data/store/packed'), { recursive: true });
  const rooms = await open('data');
  await inPlace(rooms, async (backups) => {
    const made = await make(rooms, backups);
    assert.deepEqual(made.failed, [{ ref: refOf(kept), code: 'STORE_BLOB_MISSING' }]);
    assert.equal(lackingIn(made.backup), 1);
    const [newest, before] = await backups.list();
    assert.deepEqual(
      [newest, before].map((one) => lackingIn(one!)),
      [1, 0],
    );
    const { damaged } = await verifyBackups(backups, await backups.list());
    assert.match(damaged.map(({ why }) => why).join(), /^incomplete since it was made: 1 blobs/);
  });
});

test('a backup that is cancelled is none, and a restore that is leaves no folder', async () => {
  const rooms = await open('data');
  await inPlace(rooms, async (backups) => {
    const cancelled = AbortSignal.abort(new Error('enough'));
    const options = { ...quiet, backups, isCurrent: false };
    await assert.rejects(backUp(rooms, { ...options, signal: cancelled }));
    assert.deepEqual(await backups.list(), []);
    const { backup } = await backUp(rooms, options);
    const half = new AbortController();
    const work = { ...quiet, options: optionsOf('copy'), backups, backup };
    const progress = () => half.abort(new Error('enough'));
    await assert.rejects(restore({ ...work, progress, signal: half.signal }));
    assert.deepEqual(readdirSync(root).sort(), ['data', 'place']);
    await restore(work);
  });
  assert.ok((await open('copy')).config);
});

test('a community on PostgreSQL is restored to an empty database, and only there', async (t) => {
  const [from, to] = [await postgresTestUrl(), await postgresTestUrl()];
  if (from === undefined || to === undefined) {
    t.skip('no PostgreSQL');
    return;
  }
  const rooms = await open('data', [`sql.url=${from}`]);
  await tell(rooms, relayOf(rooms), 1);
  await inPlace(rooms, async (backups) => {
    const { backup } = await backUp(rooms, { ...quiet, backups, isCurrent: false });
    const work = { ...quiet, backups, backup };
    await assert.rejects(restore({ ...work, options: optionsOf('copy') }), /name an empty one/);
    const onto = (url: string) => optionsOf('copy', [`sql.url=${url}`]);
    await assert.rejects(restore({ ...work, options: onto(from) }), /not empty/);
    const restored = await restore({ ...work, options: onto(to) });
    assert.deepEqual(restored.findings, []);
  });
  const copy = await open('copy', [`sql.url=${to}`]);
  const diverged: string[] = [];
  await tell(copy, relayOf(copy, diverged), 2);
  assert.deepEqual(diverged, []);
  assert.equal((await copy.log.stats(CONTROL_TOPIC)).nextOffset, 2);
});
