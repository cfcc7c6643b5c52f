// Datagrams that the kernel did not take yet, oldest first, at most `sendsPendingMax` of them. The
// memory for them is taken when the first one waits: usually none ever does.

import { DatagramSlots } from './udp-socket.ts';

export class PendingDatagrams {
  readonly #slotsMax: number;
  readonly #slotBytes: number;
  #ring: DatagramSlots | undefined;
  #first = 0;
  #count = 0;

  constructor(options: { readonly sendsPendingMax: number; readonly outputBytesMax: number }) {
    this.#slotsMax = options.sendsPendingMax;
    this.#slotBytes = options.outputBytesMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Copies slots `from` to `end - 1` behind what waits; how many found no room. */
  add(output: DatagramSlots, from: number, end: number): number {
    for (let slot = from; slot < end; slot++) {
      if (this.#count >= this.#slotsMax) return end - slot;
      this.#ring ??= new DatagramSlots(this.#slotsMax, this.#slotBytes);
      copySlot(output, slot, this.#ring, (this.#first + this.#count) % this.#slotsMax);
      this.#count++;
    }
    return 0;
  }

  /** Copies the oldest into the output slots from 0 on, as many as fit; how many. */
  peek(output: DatagramSlots): number {
    const ring = this.#ring;
    if (ring === undefined) return 0;
    const count = Math.min(this.#count, output.slotsMax);
    for (let slot = 0; slot < count; slot++) {
      copySlot(ring, (this.#first + slot) % this.#slotsMax, output, slot);
    }
    return count;
  }

  /** Forgets the `count` oldest. */
  remove(count: number): void {
    this.#first = (this.#first + count) % this.#slotsMax;
    this.#count -= count;
  }
}

function copySlot(from: DatagramSlots, at: number, to: DatagramSlots, into: number): void {
  const length = from.lengths[at]!;
  const start = at * from.slotBytes;
  to.bytes.set(from.bytes.subarray(start, start + length), into * to.slotBytes);
  to.addresses.set(from.addresses.subarray(at * 16, at * 16 + 16), into * 16);
  to.lengths[into] = length;
  to.ports[into] = from.ports[at]!;
  to.families[into] = from.families[at]!;
}
