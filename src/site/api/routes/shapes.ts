// What several routes speak of. Times are Unix milliseconds, sizes are bytes, ids are this site's own.

import { z } from 'zod';
import { list } from '#site/api/api-route.ts';
import { ROW_ID } from '#site/row-id.ts';

export const hashParams = z.strictObject({
  hash: z
    .string()
    .regex(/^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/, 'expected 40 or 64 hexadecimal digits')
    .describe('The info hash: 40 digits of v1 or of the truncated v2 hash, or 64 of v2.'),
});

export const entryParams = z.strictObject({
  ...hashParams.shape,
  entry: z
    .string()
    .regex(/^(\d{1,10}|all)$/)
    .describe('The position of a file or folder, or `all`.'),
});

export const idParams = z.strictObject({
  id: z.string().regex(ROW_ID, 'expected a number').describe('From the list.'),
});

export const nameParams = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected a name')
    .describe("A member's name, in any case."),
});

/** With which the ETag begins, too. */
export const version = z
  .string()
  .describe('Of the words: sent as `If-Match`, a change is made over these words only.');

export const time = z.int().describe('Unix milliseconds.');
/** Of what is sent: no date of a page can show is later, and none here was earlier. */
export const givenTime = z
  .int()
  .min(0)
  .max(Date.UTC(10_000, 0) - 1)
  .describe('Unix milliseconds, before the year 10,000.');
export const byteCount = z.int().min(0).describe('Bytes.');
export const infoHash = z
  .string()
  .describe('40 lower-case hexadecimal digits: v1, or v2 truncated, as clients show it.');

export const movedFields = {
  uploadedBytes: byteCount.describe('Really given, in bytes.'),
  downloadedBytes: byteCount.describe('Really taken, in bytes.'),
  creditedUploadedBytes: byteCount.describe('What of it counts, after windows of credit.'),
  creditedDownloadedBytes: byteCount.describe('What of it counts, after windows of credit.'),
};

/** The fields of a model's totals, and no others. */
export function movedOf(moved: {
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly creditedUploadedBytes: number;
  readonly creditedDownloadedBytes: number;
}) {
  const { uploadedBytes, downloadedBytes, creditedUploadedBytes, creditedDownloadedBytes } = moved;
  return { uploadedBytes, downloadedBytes, creditedUploadedBytes, creditedDownloadedBytes };
}

export const liveSchema = z
  .strictObject({
    seeders: z.int(),
    leechers: z.int(),
    completed: z.int().describe('Members who completed it, each once.'),
  })
  .meta({ id: 'Swarm' });

export const memberNameSchema = z.strictObject({
  memberId: z.int(),
  name: z.string().nullable().describe('Null when the member is gone.'),
});

export const torrentNameSchema = z
  .strictObject({
    torrentId: z.int(),
    title: z.string().nullable().describe('Null when it never was.'),
    infoHash: infoHash.nullable().describe('Null when it was removed.'),
  })
  .meta({ id: 'TorrentName' });

export const wordsFields = {
  title: z.string().describe('One line; see the bounds in the refusal.'),
  category: z.string().describe('The slug of a category.'),
  tags: list(z.string()),
  description: z.string().describe('Markdown.'),
};

export function torrentName(
  torrentId: number,
  names: ReadonlyMap<number, { readonly title: string; readonly infoHash: string | undefined }>,
) {
  const found = names.get(torrentId);
  return { torrentId, title: found?.title ?? null, infoHash: found?.infoHash ?? null };
}
