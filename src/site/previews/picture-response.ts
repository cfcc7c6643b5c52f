// The bytes of a small picture that the site keeps in the store, for who may see it.

import type { BlobRef } from '#base/ids.ts';
import { coverHead } from '#site/covers/cover-head.ts';
import type { Visit } from '#site/visit.ts';
import { imageSize } from './image-head.ts';

/** Not found when it cannot be read, or is no picture. */
export async function pictureResponse(visit: Visit, ref: BlobRef): Promise<Response> {
  const etag = `"${ref}"`;
  const headers = { etag, 'cache-control': 'private, max-age=86400' };
  if (visit.header('if-none-match') === etag) return new Response(null, { status: 304, headers });
  const bytes = await visit.parts.content?.blob(ref);
  const type = bytes && (imageSize(bytes) ?? coverHead(bytes))?.type;
  if (bytes === undefined || type === undefined) return await visit.notFound();
  return new Response(new Uint8Array(bytes), { headers: { ...headers, 'content-type': type } });
}
