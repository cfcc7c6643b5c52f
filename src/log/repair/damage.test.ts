// Torn tails, rotten bytes, removed files: what recovery, readers, `log verify` and `log repair` do.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { codeOf } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { LogGap } from '#log/log.ts';
import { crc32c } from '#log/segment/crc32c.ts';
import { LogWorld } from '#sim/log-world.ts';
import { repairLog } from './repair.ts';
import { type VerifyReport, verifyLog } from './verify.ts';

const FIRST = '00000000000000000000.log';

/** Ten records of one batch each, 512 bytes from 512 on, closed in order. */
async function filled(config: Parameters<typeof LogWorld.open>[0] = {}): Promise<LogWorld> {
  const world = await LogWorld.open(config);
  for (let nth = 0; nth < 10; nth++) await world.append(`${nth}`);
  await world.close();
  return world;
}

function verify(world: LogWorld, topic?: string): Promise<VerifyReport> {
  const options = topic === undefined ? {} : { topic };
  return world.until(verifyLog({ disk: world.disk, folder: '/log', ...options }));
}

async function repair(world: LogWorld): Promise<number> {
  const { disk } = world;
  const done = await world.until(repairLog({ disk, folder: '/log', logger: silentLogger }));
  return done.length;
}

function plain(gaps: readonly LogGap[]): number[][] {
  return gaps.map(({ first, next }) => [first, next]);
}

it('a log closed in order verifies without a finding', async () => {
  const world = await filled({ segmentBytesMax: 4096 });
  const report = await verify(world);
  assert.deepEqual(report.findings, []);
  assert.equal(report.isDamaged, false);
  assert.deepEqual(report.topics, [
    {
      name: 'events',
      segments: 2,
      batches: 10,
      records: 10,
      bytes: 770,
      firstOffset: 0,
      nextOffset: 10,
    },
  ]);
});

it('verify refuses a topic or a log that is not there', async () => {
  const world = await filled();
  await assert.rejects(verify(world, 'nobody'), (error) => codeOf(error) === 'LOG_TOPIC_UNKNOWN');
  const nothing = world.until(verifyLog({ disk: world.disk, folder: '/' }));
  await assert.rejects(nothing, (error) => codeOf(error) === 'LOG_FOLDER_INVALID');
});

it('one damaged byte costs its batch alone; it is set aside, marked, and found by verify', async () => {
  for (const nth of [0, 4, 9]) {
    const world = await filled();
    world.flip(FIRST, 512 + nth * 512 + 70);
    const before = await verify(world);
    assert.equal(before.isDamaged, true);
    const [finding] = before.findings;
    assert.equal(finding?.place, `${FIRST}, byte ${512 + nth * 512}`);
    assert.deepEqual([finding?.firstOffset, finding?.nextOffset], [nth, nth + 1]);
    await world.reopen();
    assert.ok(
      world.lines.some(({ level, message }) => level === 'error' && /damaged/.test(message)),
    );
    const aside = await world.until(world.disk.list('/log/events/damaged'));
    assert.deepEqual(aside, [`00000000000000000000.${512 + nth * 512}.damage`]);
    const result = await world.read();
    assert.deepEqual(plain(result.gaps), [[nth, nth + 1]]);
    assert.equal(result.records.length, 9);
    assert.equal(result.nextOffset, 10);
    await world.append('more');
    assert.deepEqual(await world.texts(10), ['more']);
    await world.close();
  }
});

it('damage in a sealed segment is found by a read, set aside and reported once', async () => {
  const world = await filled({ segmentBytesMax: 4096 });
  world.flip(FIRST, 512 * 3 + 5);
  await world.reopen();
  for (let round = 0; round < 2; round++) {
    const result = await world.read();
    assert.deepEqual(plain(result.gaps), [[2, 3]]);
    assert.equal(result.records.length, 9);
    assert.deepEqual(plain((await world.read(2)).gaps), [[2, 3]]);
  }
  assert.equal(world.lines.filter(({ message }) => /damage/.test(message)).length, 1);
  assert.deepEqual(await world.until(world.disk.list('/log/events/damaged')), [
    '00000000000000000000.1536.damage',
  ]);
});

it('repair puts a gap in the place of damage, and verify is content with it', async () => {
  for (const position of [3, 512 + 70, 512 * 5 + 8, 512 * 8 - 30, 512 * 10 + 64]) {
    const world = await filled({ segmentBytesMax: 4096 });
    const inSecond = position > 512 * 8;
    const name = inSecond ? '00000000000000000007.log' : FIRST;
    world.flip(name, inSecond ? 512 * 2 + 64 : position);
    assert.equal((await verify(world)).isDamaged, true, `position ${position}`);
    assert.equal(await repair(world), 1);
    const after = await verify(world);
    assert.equal(after.isDamaged, false, JSON.stringify(after.findings));
    assert.equal(await repair(world), 0);
    await world.reopen();
    const result = await world.read();
    const lost = result.gaps.reduce((sum, { first, next }) => sum + next - first, 0);
    assert.equal(result.records.length + lost, 10);
    assert.ok(lost <= 1);
    for (const gap of result.gaps) assert.match(gap.reason, /"damaged"/);
  }
});

it('a file that lost its end, or a whole segment, is damage; offsets are never given again', async () => {
  const world = await filled();
  const bytes = world.disk.bytesOf(`/log/events/${FIRST}`);
  world.disk.damage(`/log/events/${FIRST}`, bytes.subarray(0, 512 * 7 + 50));
  const report = await verify(world);
  assert.equal(report.isDamaged, true);
  assert.deepEqual([report.findings[0]?.firstOffset, report.findings[0]?.nextOffset], [6, 10]);
  await world.reopen();
  assert.deepEqual(plain((await world.read()).gaps), [[6, 10]]);
  assert.deepEqual(await world.append('more'), { firstOffset: 10, count: 1 });
  assert.deepEqual(plain((await world.read()).gaps), [[6, 10]]);
  await world.close();
  await repair(world);
  const after = await verify(world);
  assert.equal(after.isDamaged, false, JSON.stringify(after.findings));

  const other = await filled({ segmentBytesMax: 4096 });
  await other.until(other.disk.remove('/log/events/00000000000000000007.log'));
  assert.equal((await verify(other)).isDamaged, true);
  await other.reopen();
  assert.deepEqual(await other.append('more'), { firstOffset: 10, count: 1 });
  const gone = await other.read();
  assert.deepEqual(plain(gone.gaps), [[7, 10]]);
  assert.equal(gone.records.length, 8);
});

it('a batch that stands whole in a file cut off behind it is found after damage', async () => {
  const world = await filled();
  const path = `/log/events/${FIRST}`;
  world.disk.damage(path, world.disk.bytesOf(path).subarray(0, 512 * 10 + 80));
  world.flip(FIRST, 512 * 9 + 70);
  await world.reopen();
  const result = await world.read();
  assert.deepEqual(plain(result.gaps), [[8, 9]]);
  assert.equal(result.records.at(-1)?.offset, 9);
});

it('a log whose first segments were removed starts cleanly and says where it begins', async () => {
  const world = await filled({ segmentBytesMax: 4096 });
  await world.until(world.disk.remove(`/log/events/${FIRST}`));
  await world.reopen();
  assert.equal((await verify(world)).isDamaged, false);
  assert.deepEqual(await world.texts(7), ['7', '8', '9']);
  await assert.rejects(world.read(0), /the first that exists is 7/);
});

it('a torn tail above the mark is cut, a copy kept, and it is not damage', async () => {
  const world = await filled();
  const path = `/log/events/${FIRST}`;
  const bytes = world.disk.bytesOf(path);
  const torn = new Uint8Array(bytes.byteLength + 700);
  torn.set(bytes);
  torn.set(bytes.subarray(512, 1024 - 400), bytes.byteLength);
  torn.fill(0x77, bytes.byteLength + 600);
  world.disk.damage(path, torn);
  const report = await verify(world);
  assert.equal(report.isDamaged, false);
  assert.match(report.findings[0]?.message ?? '', /torn tail/);
  await world.reopen();
  assert.equal((await world.read()).records.length, 10);
  assert.deepEqual(await world.until(world.disk.list('/log/events/damaged')), [
    `00000000000000000000.${bytes.byteLength}.torn`,
  ]);
  assert.equal(world.disk.bytesOf(path).byteLength, bytes.byteLength);
  assert.deepEqual(await world.append('more'), { firstOffset: 10, count: 1 });
});

it('an index that is missing or wrong is made again', async () => {
  const world = await filled({ segmentBytesMax: 4096 });
  const name = '00000000000000000000.index';
  world.flip(name, 20);
  const report = await verify(world);
  assert.equal(report.isDamaged, false);
  assert.match(report.findings[0]?.message ?? '', /index/);
  await world.reopen();
  assert.deepEqual((await world.texts()).length, 10);
  await world.close();
  assert.deepEqual((await verify(world)).findings, []);
  await world.until(world.disk.remove(`/log/events/${name}`));
  await world.reopen();
  assert.deepEqual((await world.texts(3)).length, 7);
});

it('a durable mark with one damaged slot still counts; without any, the batches tell', async () => {
  const world = await filled();
  world.flip('mark', 20);
  world.flip('mark', 512 + 20);
  world.flip(FIRST, 512 * 3 + 70);
  const report = await verify(world);
  assert.equal(report.isDamaged, true);
  await world.reopen();
  assert.deepEqual(plain((await world.read()).gaps), [[2, 3]]);
});

it('a segment of a newer version is refused, not cut', async () => {
  const world = await filled();
  const path = `/log/events/${FIRST}`;
  const bytes = world.disk.bytesOf(path);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, 2, true);
  view.setUint32(4, crc32c(bytes, 8, 512), true);
  world.disk.damage(path, bytes);
  await assert.rejects(world.reopen(), (error) => codeOf(error) === 'LOG_VERSION_UNSUPPORTED');
  assert.deepEqual(world.disk.bytesOf(path), bytes);
});

it('look-ups read a bounded number of bytes, and few files stay open over many segments', async () => {
  const world = await LogWorld.open({ segmentBytesMax: 4096, openFilesMax: 4, indexesMax: 2 });
  const texts = Array.from({ length: 700 }, (_, nth) => `${nth}`);
  for (const text of texts) await world.append(text);
  const { segments } = await world.until(world.log.stats('events'));
  assert.equal(segments, 100);
  for (const from of [0, 699, 350, 7, 6, 500, 123]) {
    let reads = 0;
    world.disk.onOperation = (operation) => {
      if (operation === 'read') reads++;
      return undefined;
    };
    const options = { from, recordsMax: 1 };
    const { records } = await world.until(world.log.read('events', options));
    assert.equal(new TextDecoder().decode(records[0]?.value), `${from}`);
    assert.ok(reads <= 2, `${reads} reads`);
    assert.ok(world.log.openFiles <= 5);
  }
});

it('files changed at random never make the log fail, lie, or stay damaged after repair', async () => {
  const seed = Number(process.env['SWARMKEEP_LOG_FUZZ'] ?? 20_260_102);
  const replay = `replay: SWARMKEEP_LOG_FUZZ=${seed} node -C swarmkeep-src --test src/log/repair/damage.test.ts`;
  const random = new SeededRandom(seed);
  for (let round = 0; round < 150; round++) {
    const world = await filled({ segmentBytesMax: 4096 });
    for (let many = 1 + below(random, 3); many > 0; many--) await mutate(world, random);
    const context = `round ${round}; ${replay}`;
    await verify(world);
    await world.reopen();
    const { firstOffset } = await world.until(world.log.stats('events'));
    const result = await world.read(firstOffset);
    assert.ok(result.nextOffset >= 7, context);
    for (const { offset, value } of result.records) {
      assert.equal(new TextDecoder().decode(value), `${offset}`, context);
    }
    const lost = result.gaps.reduce((sum, { first, next }) => sum + next - first, 0);
    assert.equal(result.records.length + lost, result.nextOffset - firstOffset, context);
    await world.append('more');
    await world.close();
    await repair(world);
    const after = await verify(world);
    const holes = after.findings.filter(({ message }) => message.includes('between two batches'));
    assert.equal(after.isDamaged, holes.length > 0, `${JSON.stringify(after.findings)} ${context}`);
    await world.reopen();
    const again = await world.read(firstOffset);
    assert.deepEqual(
      again.records.map(({ offset }) => offset),
      [...result.records.map(({ offset }) => offset), result.nextOffset],
      context,
    );
  }
});

/** Changes, cuts, lengthens or blanks a file of the topic. */
async function mutate(world: LogWorld, random: SeededRandom): Promise<void> {
  const names = await world.until(world.disk.list('/log/events'));
  const files = names.filter((name) => /\.(log|index)$|^mark$/.test(name));
  const path = `/log/events/${files[below(random, files.length)]}`;
  let bytes = world.disk.bytesOf(path);
  const at = below(random, bytes.byteLength + 1);
  const kind = below(random, 5);
  if (kind === 0) bytes = bytes.slice(0, at);
  else if (kind === 1) bytes = Uint8Array.from([...bytes, ...random.bytes(below(random, 1200))]);
  else if (kind === 2) bytes.fill(0, at, at + below(random, 1500));
  else if (kind === 3) bytes.copyWithin(at, below(random, bytes.byteLength + 1));
  else
    for (let many = 1 + below(random, 8); many > 0; many--) bytes[at + many] = random.u32() & 0xff;
  world.disk.damage(path, bytes);
}

for (const [name, lose] of [
  ['missing', (world: LogWorld) => world.until(world.disk.remove('/log/events/mark'))],
  [
    'garbled',
    async (world: LogWorld) => world.disk.damage('/log/events/mark', new Uint8Array(1024).fill(7)),
  ],
] as const) {
  it(`a mark that is ${name} beside segments is damage, and a damaged end is not cut`, async () => {
    for (const isEndDamaged of [false, true]) {
      const world = await filled();
      await lose(world);
      if (isEndDamaged) world.flip(FIRST, 512 * 10 + 70);
      const before = await verify(world);
      assert.equal(before.isDamaged, true);
      assert.match(
        before.findings.map(({ message }) => message).join(),
        /mark is missing or garbled/,
      );
      const damaged = before.findings.filter(
        ({ firstOffset, nextOffset }) => nextOffset > firstOffset,
      );
      assert.equal(damaged.length, isEndDamaged ? 1 : 0);
      await world.reopen();
      assert.ok(world.lines.some(({ message }) => /mark of a topic is missing/.test(message)));
      const { records, gaps, nextOffset } = await world.read();
      assert.deepEqual(plain(gaps), isEndDamaged ? [[9, 10]] : []);
      assert.deepEqual([records.length, nextOffset], [isEndDamaged ? 9 : 10, 10]);
      assert.deepEqual(await world.append('more'), { firstOffset: 10, count: 1 });
      if (isEndDamaged) {
        const aside = await world.until(world.disk.list('/log/events/damaged'));
        assert.deepEqual(aside, ['00000000000000000000.5120.damage']);
      }
      await world.close();
      assert.equal((await verify(world)).isDamaged, isEndDamaged);
    }
  });
}

it('repair makes a lost mark again, and verify is content', async () => {
  const world = await filled();
  await world.until(world.disk.remove('/log/events/mark'));
  world.flip(FIRST, 512 * 10 + 70);
  assert.equal(await repair(world), 2);
  const after = await verify(world);
  assert.equal(after.isDamaged, false, JSON.stringify(after.findings));
  await world.reopen();
  assert.deepEqual(plain((await world.read()).gaps), [[9, 10]]);
});

it('repair puts a gap in the place of a topic that lost its only segment', async () => {
  const world = await filled();
  await world.until(world.disk.remove(`/log/events/${FIRST}`));
  assert.equal((await verify(world)).isDamaged, true);
  assert.equal(await repair(world), 1);
  const after = await verify(world);
  assert.equal(after.isDamaged, false, JSON.stringify(after.findings));
  assert.equal(await repair(world), 0);
  await world.reopen();
  assert.deepEqual(plain((await world.read()).gaps), [[0, 10]]);
  assert.deepEqual(await world.append('more'), { firstOffset: 10, count: 1 });
});
