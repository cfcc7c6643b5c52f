// What the segment that is being written has of zeros ahead of its data.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LogWorld } from '#sim/log-world.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';

const FILE = '/log/events/00000000000000000000.log';

it('small appends find zeros ahead of them, and a large one, which writes none, leaves none', async () => {
  const world = await LogWorld.open({ preallocateBytes: 256 * 1024 });
  /** Of records, with the segment's header, and of the file. */
  const sizeAfter = async (bytes: number): Promise<{ data: number; file: number }> => {
    await world.append('x'.repeat(bytes));
    const data = SEGMENT_HEADER_BYTES + (await world.until(world.log.stats('events'))).bytes;
    return { data, file: world.disk.bytesOf(FILE).byteLength };
  };
  const small = await sizeAfter(10);
  assert.ok(small.file >= small.data + 60_000, JSON.stringify(small));
  // Past the zeros that are there.
  const large = await sizeAfter(200_000);
  assert.equal(large.file, large.data);
  const after = await sizeAfter(10);
  assert.ok(after.file >= after.data + 60_000, JSON.stringify(after));
  await world.close();
});
