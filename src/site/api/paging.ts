// Lists come in pages by key: `nextCursor` of a page is the `cursor` of the next one. What is in a cursor
// is the route's own affair and may change.

import { z } from 'zod';
import { list } from './api-route.ts';

const CURSOR_CHARS_MAX = 1000;
export const PAGE_ITEMS_MAX = 200;
const PAGE_ITEMS = 50;

export const limitField = z.coerce
  .number()
  .int()
  .min(1)
  .max(PAGE_ITEMS_MAX)
  .default(PAGE_ITEMS)
  .describe('Items on the page.');

const cursorText = z
  .string()
  .max(CURSOR_CHARS_MAX)
  .describe('`nextCursor` of the page before; without it the first page.');

export const pageQuery = z.strictObject({ cursor: cursorText.optional(), limit: limitField });

/** Where the key is a number. */
export const numberPageQuery = z.strictObject({
  cursor: cursorText.regex(/^\d{1,15}$/, 'expected a cursor of this list').optional(),
  limit: limitField,
});

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    items: list(item),
    nextCursor: z.string().nullable().describe('Null on the last page.'),
  });
}

/** What a numeric cursor says, by the name that the model has for it. */
export function edge<Name extends string>(
  name: Name,
  cursor: string | undefined,
): { readonly [Key in Name]?: number } {
  if (cursor === undefined) return {};
  return { [name]: Number(cursor) } as { readonly [Key in Name]: number };
}

/** Of one more row than were wanted: the page, and where the next one begins. */
export function cutPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  make: { readonly item: (row: Row) => Item; readonly cursor: (row: Row) => string | number },
): { readonly items: readonly Item[]; readonly nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? String(make.cursor(last)) : null;
  return { items: shown.map(make.item), nextCursor };
}
