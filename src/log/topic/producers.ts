// Which append of each producer a topic has taken last, so that a repetition is answered and not
// written again. The batches themselves carry the stamps; this is their memory: `<topic>/producers` is
// written before a new segment is made and holds what the older ones say, and recovery adds the last
// segment's. Bounded: the longest silent producers are forgotten first.
//
//    0  checksum  u32  CRC32C of all that follows
//    4  magic     u32  "SKP1"
//    8  count     u32
//   12  entries   producer id u64, sequence u32, records u32, first offset u64

import type { Disk } from '#base/disk.ts';
import { writeNew } from '#log/descriptions.ts';
import { LogError } from '#log/errors.ts';
import type { Appended, ProducerStamp } from '#log/log.ts';
import { getU64, setU64 } from '#log/segment/batch.ts';
import { crc32c } from '#log/segment/crc32c.ts';
import { viewOf } from '#log/segment/packed-records.ts';

const MAGIC = 0x31504b53;
const HEADER_BYTES = 12;
const ENTRY_BYTES = 24;
export const PRODUCERS_NAME = 'producers';

interface Known extends Appended {
  readonly sequence: number;
}

export class Producers {
  readonly #producersMax: number;
  /** In order of their last append: a Map keeps the order of insertion. */
  readonly #known = new Map<number, Known>();
  /** Not answered yet. */
  readonly #running = new Map<number, { sequence: number; appended: Promise<Appended> }>();
  #isSaved = true;

  constructor(producersMax: number) {
    this.#producersMax = producersMax;
  }

  /**
   * A repetition gets the first one's answer, as soon as there is one, and `confirm` has its say: the
   * first one may have been answered from memory. Rejects LOG_SEQUENCE_OLD.
   */
  once(
    stamp: ProducerStamp,
    append: () => Promise<Appended>,
    confirm: (appended: Appended) => Appended | Promise<Appended>,
  ): Promise<Appended> {
    const { id, sequence } = stamp;
    const running = this.#running.get(id);
    if (running?.sequence === sequence) return running.appended.then(confirm);
    const known = this.#known.get(id);
    if (running === undefined && known?.sequence === sequence) {
      const { firstOffset, count } = known;
      return Promise.resolve(confirm({ firstOffset, count }));
    }
    const newest = running?.sequence ?? known?.sequence ?? 0;
    if (sequence <= newest) {
      const message = `Cannot append as sequence ${sequence} of producer ${id}: its newest is ${newest}`;
      return Promise.reject(new LogError('LOG_SEQUENCE_OLD', message));
    }
    const appended = append();
    this.#running.set(id, { sequence, appended });
    const settle = (): void => {
      if (this.#running.get(id)?.appended === appended) this.#running.delete(id);
    };
    appended.then(settle, settle);
    return appended;
  }

  /** An append that is answered, or was found. Older ones than known change nothing. */
  note(stamp: ProducerStamp, appended: Appended): void {
    const before = this.#known.get(stamp.id);
    if (before !== undefined && before.sequence > stamp.sequence) return;
    this.#known.delete(stamp.id);
    const { firstOffset, count } = appended;
    this.#known.set(stamp.id, { sequence: stamp.sequence, firstOffset, count });
    this.#isSaved = false;
    if (this.#known.size <= this.#producersMax) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  /** Records from that offset on were taken back: who appended them is to append again. */
  forgetFrom(offset: number): void {
    for (const [id, { firstOffset }] of this.#known) {
      if (firstOffset >= offset) this.#known.delete(id);
    }
  }

  /** What was saved. A file that is damaged or missing says nothing. @throws the disk's error */
  async load(disk: Disk, folder: string): Promise<void> {
    const path = `${folder}/${PRODUCERS_NAME}`;
    const found = await disk.stat(path);
    if (found === undefined || found.sizeBytes < HEADER_BYTES) return;
    const bytes = new Uint8Array(found.sizeBytes);
    const file = await disk.open(path, { write: false });
    try {
      if ((await file.read(bytes, 0)) < bytes.byteLength) return;
    } finally {
      await file.close();
    }
    const view = viewOf(bytes);
    const count = view.getUint32(8, true);
    if (view.getUint32(4, true) !== MAGIC || view.getUint32(0, true) !== crc32c(bytes, 4)) return;
    if (bytes.byteLength !== HEADER_BYTES + count * ENTRY_BYTES) return;
    for (let at = HEADER_BYTES; at < bytes.byteLength; at += ENTRY_BYTES) {
      const stamp = { id: getU64(view, at), sequence: view.getUint32(at + 8, true) };
      const firstOffset = getU64(view, at + 16);
      this.note(stamp, { firstOffset, count: view.getUint32(at + 12, true) });
    }
  }

  /** Durable when it resolves. Nothing when nothing is new. @throws the disk's error */
  async save(disk: Disk, folder: string): Promise<void> {
    if (this.#isSaved) return;
    const bytes = new Uint8Array(HEADER_BYTES + this.#known.size * ENTRY_BYTES);
    const view = viewOf(bytes);
    let at = HEADER_BYTES;
    for (const [id, { sequence, firstOffset, count }] of this.#known) {
      setU64(view, at, id);
      view.setUint32(at + 8, sequence, true);
      view.setUint32(at + 12, count, true);
      setU64(view, at + 16, firstOffset);
      at += ENTRY_BYTES;
    }
    view.setUint32(4, MAGIC, true);
    view.setUint32(8, this.#known.size, true);
    view.setUint32(0, crc32c(bytes, 4), true);
    const path = `${folder}/${PRODUCERS_NAME}`;
    await writeNew(disk, `${path}.tmp`, bytes);
    await disk.rename(`${path}.tmp`, path);
    await disk.syncFolder(folder);
    this.#isSaved = true;
  }
}
