import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock, settle } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { memberMessage, torrentMessage } from '#sim/test-tracker.ts';
import { type ControlMessage, encodeControl } from '#wire/control-message.ts';
import { ControlFollower } from './control-follower.ts';
import { Directory } from './directory.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';

interface Place {
  readonly log: MemoryLog;
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly lines: LogLine[];
  outboxId: number;
}

async function newPlace(): Promise<Place> {
  const log = new MemoryLog();
  await log.createTopic('control');
  const disk = new SimDisk({ random: new SeededRandom(3) });
  return { log, disk, clock: new SimClock(), lines: [], outboxId: 0 };
}

async function tell(place: Place, ...messages: readonly ControlMessage[]): Promise<void> {
  for (const message of messages) {
    await place.log.append('control', [{ value: encodeControl(message, ++place.outboxId) }]);
  }
}

async function follow(place: Place): Promise<{ directory: Directory; follower: ControlFollower }> {
  const directory = new Directory({
    settings: { mode: 'private', clientsAllowed: [], clientsDenied: [] },
    removedMax: 10,
  });
  const { clock, disk, log, lines } = place;
  const follower = new ControlFollower({
    ...{ clock, disk, log, directory },
    logger: memoryLogger(lines),
    metrics: new Registry(),
    folder: '/tracker',
  });
  await follower.start();
  return { directory, follower };
}

function knows(directory: Directory, passkey: string): boolean {
  const bytes = Buffer.from(passkey);
  return directory.passkeyHolder(bytes, bytes.byteLength) !== undefined;
}

test('a start reads the whole topic, a later one the snapshot and what came after it', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'), torrentMessage(1, HASH));
  const first = await follow(place);
  assert.ok(knows(first.directory, 'one'));
  await first.follower.writeSnapshot();
  await tell(place, memberMessage(2, 'two'), memberMessage(1, 'uno'));
  // What the snapshot covers is not read again: it may be gone.
  place.log.retain('control', 2);
  const second = await follow(place);
  assert.deepEqual(second.directory.sizes, { members: 2, passkeys: 2, torrents: 1 });
  assert.ok(!knows(second.directory, 'one') && knows(second.directory, 'uno'));
  assert.equal(second.follower.status.appliedOutboxId, 4);
});

test('a change that the relay appended twice is applied once, in its order', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'), memberMessage(1, 'two'));
  // A relay crashed after its append: ids 1 and 2 come again.
  place.outboxId = 0;
  await tell(place, memberMessage(1, 'one'));
  const { directory } = await follow(place);
  assert.ok(knows(directory, 'two') && !knows(directory, 'one'));
});

test('a damaged snapshot is set aside and the topic read from its beginning', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'));
  await (await follow(place)).follower.writeSnapshot();
  const file = await place.disk.open('/tracker/control.snapshot', { write: true });
  await file.write(new Uint8Array([0x58]), 90);
  await file.close();
  const { directory } = await follow(place);
  assert.ok(knows(directory, 'one'));
  assert.ok(place.lines.some((line) => line.level === 'error' && /damaged/.test(line.message)));
  assert.deepEqual(await place.disk.list('/tracker'), ['control.snapshot.damaged']);
});

test('a snapshot cut at any byte is noticed', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'), torrentMessage(1, HASH));
  await (await follow(place)).follower.writeSnapshot();
  const whole = (await place.disk.stat('/tracker/control.snapshot'))!.sizeBytes;
  for (let size = whole - 1; size >= 0; size -= 7) {
    const file = await place.disk.open('/tracker/control.snapshot', { write: true });
    await file.truncate(size);
    await file.close();
    assert.ok(knows((await follow(place)).directory, 'one'), `cut at ${size}`);
    await place.disk.rename('/tracker/control.snapshot.damaged', '/tracker/control.snapshot');
  }
});

test('a power cut while the snapshot is written leaves the old one or the new one', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const place = await newPlace();
    await tell(place, memberMessage(1, 'one'));
    const { follower } = await follow(place);
    await follower.writeSnapshot();
    await tell(place, memberMessage(2, 'two'));
    const { follower: later, directory } = await follow(place);
    const begun = place.disk.operations;
    let found: SimDisk | undefined;
    place.disk.onOperation = () => {
      if (place.disk.operations - begun > seed % 9) found ??= place.disk.crash();
      return undefined;
    };
    // Never settles when the power went first.
    void later.writeSnapshot();
    await settle();
    found ??= place.disk.crash();
    const again = await follow({ ...place, disk: found });
    assert.deepEqual(again.directory.sizes, directory.sizes);
  }
});

test('a snapshot of another log is not believed', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'));
  await (await follow(place)).follower.writeSnapshot();
  const other = { ...place, log: new MemoryLog('log-2'), outboxId: 0 };
  await other.log.createTopic('control');
  await tell(other, memberMessage(2, 'two'));
  const { directory } = await follow(other);
  assert.ok(knows(directory, 'two') && !knows(directory, 'one'));
});

test('when its position is gone from the topic everything is read again from the beginning', async () => {
  for (const lose of ['cut', 'retain'] as const) {
    const place = await newPlace();
    await tell(place, memberMessage(1, 'one'), memberMessage(2, 'two'), memberMessage(3, 'three'));
    await (await follow(place)).follower.writeSnapshot();
    if (lose === 'cut') place.log.cut('control', 1);
    else {
      await tell(place, memberMessage(4, 'four'), memberMessage(5, 'five'));
      place.log.retain('control', 4);
    }
    const { directory } = await follow(place);
    assert.equal(directory.sizes.members, 1);
    assert.ok(knows(directory, lose === 'cut' ? 'one' : 'five'));
  }
});

test('the reasons of removed torrents survive in the snapshot, the oldest go first', async () => {
  const place = await newPlace();
  const hashOf = (id: number): string => id.toString(16).padStart(40, '0');
  for (let id = 1; id <= 12; id++) {
    await tell(place, torrentMessage(id, hashOf(id)));
    await tell(place, torrentMessage(id, hashOf(id), { state: 'removed', reason: `no ${id}` }));
  }
  await (await follow(place)).follower.writeSnapshot();
  place.log.retain('control', 24);
  const { directory } = await follow(place);
  const words = (id: number) => directory.torrentRefusal(Buffer.from(hashOf(id), 'hex'))?.words;
  assert.equal(words(2), undefined);
  assert.equal(words(3), 'unregistered torrent: no 3');
  assert.equal(words(12), 'unregistered torrent: no 12');
  assert.equal(directory.messageCount, 10);
});

test('a log that cannot be read is told, served from memory, and caught up with', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'));
  const { directory, follower } = await follow(place);
  const stop = new AbortController();
  const read = place.log.read.bind(place.log);
  let fails = true;
  place.log.read = async (topic, options) => {
    if (fails) throw new Error('the log thread is gone');
    // Waits as a real log does, so that the follower has its pauses.
    await new Promise<void>((resolve) => place.clock.after(10, resolve));
    return await read(topic, options);
  };
  const running = follower.run(stop.signal);
  await settle();
  assert.equal(follower.status.connected, false);
  assert.ok(knows(directory, 'one'));
  await tell(place, memberMessage(2, 'two'));
  fails = false;
  await place.clock.run(1100);
  assert.equal(follower.status.connected, true);
  assert.ok(knows(directory, 'two'));
  stop.abort();
  await place.clock.run(100);
  await running;
});

test('records that damage took away are told', async () => {
  const place = await newPlace();
  await tell(place, memberMessage(1, 'one'), memberMessage(2, 'two'));
  place.log.damage('control', { first: 0, next: 1, reason: 'checksum' });
  const { directory } = await follow(place);
  assert.ok(knows(directory, 'two'));
  assert.ok(
    place.lines.some((line) => line.level === 'error' && /lost to damage/.test(line.message)),
  );
});
