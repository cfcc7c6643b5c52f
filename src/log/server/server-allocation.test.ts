import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { BATCH_HEADER_BYTES, sealBatch } from '#log/segment/batch.ts';
import { packedBytes, viewOf, writeRecords } from '#log/segment/packed-records.ts';
import { Registry } from '#metrics/registry.ts';
import type { ByteStream } from '#net/byte-stream.ts';
import { loopbackPair } from '#net/stream-loopback.ts';
import { LogServer } from './server.ts';

const FRAMES = 200;
const RECORDS = 2000;

describe('the server’s append path', () => {
  it('allocates nothing per record', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-allocation-'));
    const world = {
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: silentLogger,
      metrics: new Registry(),
      config: logConfig.parse({}),
    };
    const log = await LocalLog.open({ ...world, disk: new SystemDisk(), folder: `${folder}/log` });
    await log.createTopic('t', { consistency: 'memory' });
    const server = new LogServer({ ...world, log });
    const peer = new Peer();
    server.accept(peer.far);
    const [few, many] = [frameOf(1), frameOf(RECORDS)];
    try {
      // Buffers grow to their size and code is compiled before anything is counted.
      for (let nth = 0; nth < 3; nth++) {
        await peer.send(few, FRAMES);
        await peer.send(many, FRAMES);
      }
      const each = (await allocatedBy(() => peer.send(few, FRAMES))) / FRAMES;
      const large = (await allocatedBy(() => peer.send(many, FRAMES))) / FRAMES;
      const perRecord = (large - each) / (RECORDS - 1);
      context.diagnostic(`${each.toFixed(0)} bytes a frame, ${perRecord.toFixed(2)} a record more`);
      // The smallest object has 12 bytes; what is left is segments' beginnings and the sampling's.
      assert.ok(each > 100, 'the count counts');
      assert.ok(perRecord < 6, `${perRecord} bytes a record`);
      const { nextOffset } = await log.stats('t');
      assert.equal(nextOffset, 4 * FRAMES * (RECORDS + 1));
    } finally {
      peer.near.destroy();
      await server.close(0);
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Sends one frame over and over and waits for as many answers. */
class Peer {
  readonly near: ByteStream;
  readonly far: ByteStream;
  #lines = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #resolve: (() => void) | undefined;

  constructor() {
    [this.near, this.far] = loopbackPair();
    this.near.start({
      onData: (bytes) => {
        for (const byte of bytes) if (byte === 10) this.#lines++;
        if (this.#lines >= this.#wanted) this.#resolve?.();
      },
      onDrain() {},
      onEnd() {},
      onClosed() {},
    });
  }

  /** One after the other, so that each is a write of its own. */
  async send(frame: Uint8Array, times: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    for (let nth = 0; nth < times; nth++) {
      const answered = new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
      this.#lines = 0;
      this.#wanted = 1;
      this.near.write(frame);
      await answered;
    }
  }
}

function frameOf(count: number): Uint8Array {
  const records = Array.from({ length: count }, () => ({ value: new Uint8Array(20).fill(7) }));
  const size = BATCH_HEADER_BYTES + packedBytes(records);
  const line = utf8(`BATCH 1 t memory ${size}\n`);
  const batch = new Uint8Array(size);
  writeRecords({ bytes: batch, view: viewOf(batch), at: BATCH_HEADER_BYTES }, records, 0);
  sealBatch(batch, 0, size, {
    firstOffset: 0,
    records: count,
    span: count,
    epoch: 0,
    timeMs: 0,
    durableOffset: 0,
  });
  const frame = new Uint8Array(line.byteLength + size);
  frame.set(line);
  frame.set(batch, line.byteLength);
  return frame;
}

interface Node {
  readonly selfSize: number;
  readonly children: readonly Node[];
}

/** Bytes of objects made meanwhile, those that were collected again as well. */
async function allocatedBy(work: () => Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 32,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    await work();
    const { profile } = await session.post('HeapProfiler.stopSampling');
    return sizeOf(profile.head);
  } finally {
    session.disconnect();
  }
}

function sizeOf(node: Node): number {
  return node.children.reduce((sum, child) => sum + sizeOf(child), node.selfSize);
}
