import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { type Disk, type DiskFile, SystemDisk } from '#base/disk.ts';
import { SeededRandom } from '#base/random.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { loadAddon } from '#net/addon.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import {
  FRAME_ALIGNMENT,
  framedBody,
  framedMemory,
  type PageOffset,
  takeFrame,
} from '#store/framed.ts';
import { PackedStore } from './packed.ts';

const KIB = 1024;
const loaded = loadAddon(findOrBuildAddon());
/** Where there is no addon it may be wrong: then the disk is written as always. */
const pageOffset: PageOffset = (bytes) =>
  'addon' in loaded ? loaded.addon.pageOffset(bytes) : bytes.byteOffset;

function framed(bytes: number): Uint8Array {
  const body = framedBody(framedMemory(bytes, pageOffset), bytes);
  body.set(randomBytes(bytes));
  return body;
}

interface Written {
  readonly bytes: number;
  readonly position: number;
  readonly isDirect: boolean;
}

/** Tells what is written to packs. */
function watched(disk: Disk, written: Written[]): Disk {
  const watch = (file: DiskFile): DiskFile => ({
    read: (into, position) => file.read(into, position),
    write: (bytes, position, how) => {
      const isDirect = how?.isDirect === true;
      written.push({ bytes: bytes.byteLength, position, isDirect });
      return file.write(bytes, position, how);
    },
    datasync: () => file.datasync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
    ...(file.own !== undefined && { own: file.own }),
  });
  return {
    open: async (path, mode) => watch(await disk.open(path, mode)),
    create: async (path) => watch(await disk.create(path)),
    list: (folder) => disk.list(folder),
    stat: (path) => disk.stat(path),
    makeFolder: (folder) => disk.makeFolder(folder),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncFolder: (folder) => disk.syncFolder(folder),
    lock: (path) => disk.lock(path),
  };
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-framed-'));
  try {
    await run(join(folder, 'store'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('a large blob with room around it', () => {
  it('is written from where it lies, in whole pages, and found by who reads all packs again', async () => {
    await withFolder(async (folder) => {
      const written: Written[] = [];
      const world = {
        ...{ folder, clock: new SystemClock(), random: new SeededRandom(1) },
        ...{ disk: watched(new SystemDisk(), written), config: storeConfig.parse({}) },
      };
      const store = await PackedStore.open(world);
      // Small and large ones in turn, around the ends of sectors and pages, some in one group.
      const bodies = [
        ...[300, 4096 - 64, 5].map((bytes) => randomBytes(bytes)),
        ...[512, 448, 449, 4032, 4033, 1].map((more) => framed(256 * KIB + more)),
        ...[randomBytes(700_000), framed(1000), framed(4096 * KIB), randomBytes(9)],
      ];
      const all = bodies.map((body) => Buffer.from(body));
      const refs: string[] = [];
      for (let at = 0; at < bodies.length; at += 5) {
        const puts = bodies.slice(at, at + 5).map((body) => store.put(body));
        for (const { ref } of await Promise.all(puts)) refs.push(ref);
      }
      const direct = written.filter(({ isDirect }) => isDirect);
      assert.equal(direct.length, 7, 'of those that are large');
      for (const { bytes, position } of direct) {
        assert.deepEqual([bytes % FRAME_ALIGNMENT, position % FRAME_ALIGNMENT], [0, 0]);
      }
      // Without the index that a store leaves which ends in order.
      await store.put(framed(300 * KIB));
      const { corrupt, damage, blobs } = await store.verify();
      assert.deepEqual({ corrupt, damage, blobs }, { corrupt: [], damage: [], blobs: 14 });
      await store.close();
      const again = await PackedStore.open(world);
      for (const [at, ref] of refs.entries()) {
        assert.deepEqual(Buffer.from(await again.get(ref as never)), all[at], `blob ${at}`);
      }
      await again.close();
    });
  });

  it('is laid in a pack the same for who opens it without the index that was left', async () => {
    const disk = new SimDisk({ random: new SeededRandom(3) });
    const world = {
      ...{ folder: '/store', disk, clock: new SimClock(), random: new SeededRandom(3) },
      config: storeConfig.parse({}),
    };
    const store = await PackedStore.open(world);
    const puts = [framed(300_001), randomBytes(77), framed(270_000)].map((body) => store.put(body));
    const put = await Promise.all(puts);
    await store.close();
    await disk.remove('/store/index');
    const again = await PackedStore.open(world);
    assert.deepEqual([...again.damage], []);
    assert.equal((await again.stat(put.map(({ ref }) => ref))).length, 3);
    assert.deepEqual((await again.verify()).corrupt, []);
    await again.close();
  });

  it('is copied while another store writes around it', async () => {
    const body = framed(300_000);
    const taken = takeFrame(body);
    assert.ok(taken !== undefined);
    const written: Written[] = [];
    const disk = watched(new SimDisk({ random: new SeededRandom(5) }), written);
    const clock = new SimClock();
    const random = new SeededRandom(5);
    const config = storeConfig.parse({});
    const store = await PackedStore.open({ folder: '/store', disk, clock, random, config });
    const before = Buffer.from(taken);
    await store.put(body);
    assert.deepEqual(Buffer.from(taken), before);
    assert.ok(written.every(({ isDirect }) => !isDirect));
    await store.close();
  });
});
