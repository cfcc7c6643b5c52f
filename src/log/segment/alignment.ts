// Batches begin at multiples of a sector: what was synced never shares one with what follows (segment.ts).

export const ALIGNMENT = 512;

/** The next place at which a batch may begin. */
export function aligned(position: number): number {
  return Math.ceil(position / ALIGNMENT) * ALIGNMENT;
}
