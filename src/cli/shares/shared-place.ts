// A share's JSON as a program reads it (docs/shares.md). Nothing of it is believed that was not looked at.

import { z } from 'zod';

const entry = z.object({
  name: z.string(),
  kind: z.enum(['torrent', 'folder', 'file']),
  sizeBytes: z.number().int().nonnegative(),
  /** Where what lies in it is told; absent where that is not shared. */
  page: z.string().optional(),
  /** Where its bytes are; absent where they are not shared. */
  content: z.string().optional(),
});

const place = z.object({
  label: z.string(),
  kind: z.enum(['collection', 'torrent', 'folder', 'file']),
  /** Absent of a collection. */
  name: z.string().optional(),
  downloadsLeft: z.number().int().optional(),
  entries: z.array(entry).max(1000),
  next: z.string().optional(),
});

export type SharedEntry = z.output<typeof entry> & { readonly content: string };

export interface SharedPlace extends Omit<z.output<typeof place>, 'entries' | 'name'> {
  readonly name: string;
  readonly entries: readonly SharedEntry[];
}

/** Undefined for what is none. */
export function parsePlace(text: string): SharedPlace | undefined {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = place.safeParse(told);
  if (!parsed.success) return undefined;
  const { entries, name = '' } = parsed.data;
  const shared = entries.filter((one): one is SharedEntry => one.content !== undefined);
  return { ...parsed.data, name, entries: shared };
}
