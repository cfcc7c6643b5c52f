// The scrub of sealed segments: on a simulated disk and clock, and a rotten byte.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { LogConfig } from '#log/config.ts';
import type { ScrubStats } from '#log/log.ts';
import { LogWorld } from '#sim/log-world.ts';
import { SCRUB_FILE } from './scrub-state.ts';

const FIRST = '00000000000000000000.log';
const SECOND = '00000000000000000007.log';
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Seven batches of one sector fill a segment with its header. */
const SMALL = { segmentBytesMax: 4096, scrubBytesPerSecond: 1024 * 1024, scrubEveryMs: DAY_MS };

/** Three segments, two of them sealed, and the scrub's first rest not yet over. */
async function filled(config: Partial<LogConfig> = {}, records = 20): Promise<LogWorld> {
  const world = await LogWorld.open({ ...SMALL, ...config });
  for (let nth = 0; nth < records; nth++) await world.append(`${nth}`);
  return world;
}

async function scrubbed(world: LogWorld): Promise<ScrubStats | undefined> {
  return (await world.until(world.log.stats('events'))).scrub;
}

function told(world: LogWorld): string[] {
  return world.lines.filter(({ level }) => level === 'error').map(({ message }) => message);
}

function aside(world: LogWorld): Promise<string[]> {
  return world.until(world.disk.list('/log/events/damaged'));
}

it('a byte that rotted in a sealed segment is found within one pass, set aside and told once', async () => {
  for (const [name, position, place] of [
    [FIRST, 512 * 3 + 70, 512 * 3],
    [FIRST, 3, 0],
    [FIRST, 512 * 7 + 5, 512 * 7],
    [SECOND, 512 * 1 + 40, 512],
    [SECOND, 512 * 3 - 9, 512 * 2 + 77],
  ] as const) {
    const world = await filled();
    world.flip(name, position);
    await world.clock.run(2 * MINUTE_MS);
    assert.equal((await scrubbed(world))?.damage, 1, `${name} ${position}`);
    assert.deepEqual(told(world).length, 1, JSON.stringify(told(world)));
    assert.deepEqual(await aside(world), [`${name.replace('.log', '')}.${place}.damage`]);
    // Again by readers, by the next pass and by the next process.
    await world.read();
    await world.clock.run(DAY_MS + MINUTE_MS);
    assert.equal((await scrubbed(world))?.damage, 1);
    await world.close();
    await world.reopen();
    await world.read();
    await world.clock.run(DAY_MS + MINUTE_MS);
    assert.equal((await scrubbed(world))?.damage, 1);
    assert.equal(told(world).length, 1, JSON.stringify(told(world)));
    await world.close();
  }
});

it('what a read has reported the scrub counts and does not report again', async () => {
  const world = await filled();
  world.flip(FIRST, 512 * 2 + 70);
  const { gaps } = await world.read();
  assert.deepEqual([gaps[0]?.first, gaps[0]?.next], [1, 2]);
  await world.clock.run(2 * MINUTE_MS);
  assert.equal((await scrubbed(world))?.damage, 1);
  assert.equal(told(world).length, 1);
  await world.close();
});

it('a damaged batch stays a typed gap for readers, before and after the scrub', async () => {
  const world = await filled();
  world.flip(SECOND, 512 * 2 + 64);
  for (let round = 0; round < 2; round++) {
    const { records, gaps } = await world.read();
    assert.equal(records.length, 19);
    assert.deepEqual(
      gaps.map(({ first, next }) => [first, next]),
      [[8, 9]],
    );
    await world.clock.run(2 * MINUTE_MS);
  }
  await world.close();
});

it('sealed segments that lost their end are found, and records that are gone are named', async () => {
  const world = await filled();
  const path = `/log/events/${FIRST}`;
  world.disk.damage(path, world.disk.bytesOf(path).subarray(0, 512 * 5));
  await world.clock.run(2 * MINUTE_MS);
  assert.equal((await scrubbed(world))?.damage, 1);
  assert.match(told(world).join(), /records are missing/);
  await world.close();
});

it('a byte that rotted in what is on disk of the last segment is found, and nothing beyond is looked at', async () => {
  const world = await LogWorld.open({ ...SMALL, intervalMs: 60_000 });
  for (let nth = 0; nth < 3; nth++) await world.append(`${nth}`);
  await world.append('not on disk', 'memory');
  world.flip(FIRST, 512 * 2 + 70);
  world.flip(FIRST, 512 * 4 + 70);
  await world.clock.run(45_000);
  assert.equal((await scrubbed(world))?.damage, 1, JSON.stringify(told(world)));
  assert.deepEqual(await aside(world), ['00000000000000000000.1024.damage']);
  await world.close();
});

it('a log in order has passes without a finding, one every scrubEveryMs', async () => {
  const world = await filled();
  assert.equal(await scrubbed(world), undefined);
  await world.clock.run(2 * MINUTE_MS);
  const first = await scrubbed(world);
  assert.deepEqual([first?.segments, first?.bytes, first?.damage], [3, 8192 + 512 * 7, 0]);
  await world.clock.run(DAY_MS / 2);
  assert.deepEqual(await scrubbed(world), first);
  await world.clock.run(DAY_MS / 2);
  const second = await scrubbed(world);
  const betweenMs = (second?.finishedMs ?? 0) - (first?.finishedMs ?? 0);
  assert.ok(Math.abs(betweenMs - DAY_MS) < 2 * MINUTE_MS, `${betweenMs} ms`);
  assert.deepEqual(told(world), []);
  await world.close();
});

it('the rate is held within a tenth, over segments and batches of all sizes', async () => {
  const scrubBytesPerSecond = 8192;
  const world = await LogWorld.open({ segmentBytesMax: 65_536, scrubBytesPerSecond });
  for (let nth = 0; nth < 60; nth++) await world.append('x'.repeat((nth * 997) % 20_000));
  let bytesRead = 0;
  const { disk } = world;
  const open = disk.open.bind(disk);
  disk.open = async (path, mode) => {
    const file = await open(path, mode);
    const read = file.read.bind(file);
    file.read = async (into, position) => {
      const count = await read(into, position);
      if (path.endsWith('.log')) bytesRead += count;
      return count;
    };
    return file;
  };
  // Past its first rest, and far from its end.
  await world.clock.run(31_000);
  for (let round = 0; round < 3; round++) {
    const before = bytesRead;
    await world.clock.run(15_000);
    const rate = (bytesRead - before) / 15;
    assert.ok(Math.abs(rate / scrubBytesPerSecond - 1) < 0.1, `${rate} bytes/s`);
  }
  assert.equal(await scrubbed(world), undefined);
  await world.close();
});

it('it goes on where it stood after a restart, also after a kill', async () => {
  const config = { scrubBytesPerSecond: 512, segmentBytesMax: 65_536 };
  for (const isKill of [false, true]) {
    const world = await filled(config, 300);
    await world.clock.run(30_000 + 60_000);
    if (isKill) await world.reopen(world.disk.kill());
    else {
      await world.close();
      await world.reopen();
    }
    const text = new TextDecoder().decode(world.disk.bytesOf(`/log/${SCRUB_FILE}`));
    const { pass } = JSON.parse(text) as { pass: { position: number } };
    // Sixty seconds at 512 bytes, less what is not yet written down.
    assert.ok(pass.position > 512 * 40, `${isKill} ${pass.position}`);
    await world.clock.run(305_000);
    const stats = await scrubbed(world);
    assert.equal(stats?.segments, 3);
    await world.close();
  }
});

it('a garbled position is told, and the scrub begins again', async () => {
  const world = await filled();
  await world.clock.run(2 * MINUTE_MS);
  await world.close();
  world.disk.damage(`/log/${SCRUB_FILE}`, new Uint8Array([123, 1, 2]));
  await world.reopen();
  assert.ok(world.lines.some(({ message }) => /where the scrub stood/.test(message)));
  await world.clock.run(2 * MINUTE_MS);
  assert.equal((await scrubbed(world))?.segments, 3);
  await world.close();
});

it('a pass ends where the log stood when it began, however fast it grows', async () => {
  const world = await filled({ scrubBytesPerSecond: 4096 });
  const before = await scrubbed(world);
  assert.equal(before, undefined);
  // Twice what the scrub reads meanwhile, until long after it would have read what was there.
  for (let second = 0; second < 120 && (await scrubbed(world)) === undefined; second++) {
    for (let nth = 0; nth < 16; nth++) await world.append(`${second}/${nth}`);
    await world.clock.run(1000);
  }
  assert.equal((await scrubbed(world))?.damage, 0);
  await world.close();
});

it('readers and the writer go on while it reads, and it is off at a rate of 0', async () => {
  const world = await filled({ scrubBytesPerSecond: 64 });
  await world.clock.run(MINUTE_MS);
  const beforeMs = world.clock.monotonicMs();
  await world.append('more');
  assert.equal((await world.read()).records.length, 21);
  assert.ok(world.clock.monotonicMs() - beforeMs < 1000);
  await world.close();
  const off = await filled({ scrubBytesPerSecond: 0 });
  await off.clock.run(DAY_MS);
  assert.equal(await scrubbed(off), undefined);
  await off.close();
});
