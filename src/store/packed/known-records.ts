// Tells the records of a pack in order as a scan does, and between them the blobs that were known to stand
// where no record can be told any more (corrupt-list.ts).

import { fromHex } from '#base/bytes.ts';
import type { CorruptBlob } from './corrupt-list.ts';
import { NO_SERIES, PACK_HEADER_BYTES, type PackRecord, RECORD_HEADER_BYTES } from './pack.ts';

export class KnownRecords {
  readonly #known: readonly CorruptBlob[];
  readonly #onRecord: (record: PackRecord) => void;
  #at = 0;
  #free = PACK_HEADER_BYTES;

  /** `known`: of this pack, in order of position. */
  constructor(known: readonly CorruptBlob[], onRecord: (record: PackRecord) => void) {
    this.#known = known;
    this.#onRecord = onRecord;
  }

  /** In order of position. */
  readonly take = (record: PackRecord): void => {
    this.#tellBefore(record.position);
    this.#free = endOf(record);
    this.#onRecord(record);
  };

  /** The pack ends there. */
  end(position: number): void {
    this.#tellBefore(position);
  }

  #tellBefore(position: number): void {
    for (; this.#at < this.#known.length; this.#at++) {
      const { ref, place } = this.#known[this.#at] as CorruptBlob;
      if (place.position >= position) return;
      const hash = fromHex(ref.slice('sha256-'.length)) as Uint8Array;
      const record = { kind: 'blob', hash, bytes: place.bytes, position: place.position } as const;
      if (place.position < this.#free || endOf(record) > position) continue;
      this.#free = endOf(record);
      this.#onRecord({ ...record, durable: 0, series: NO_SERIES });
    }
  }
}

function endOf({ position, bytes }: Pick<PackRecord, 'position' | 'bytes'>): number {
  return position + RECORD_HEADER_BYTES + bytes;
}
