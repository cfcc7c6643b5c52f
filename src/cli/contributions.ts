// What browsers upload into the archive, joined to the other rooms: resumable uploads of the store, which
// are read again as files, and what keeps a torrent.

import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { matchFiles } from '#archive/catalogue/match-files.ts';
import { putContent } from '#archive/ingest/put-content.ts';
import { endInTurns } from '#base/steps.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import type { Contributions } from '#site/world.ts';
import type { BlobInfo } from '#store/store.ts';
import { STORE_PATH } from '#store/upload/http-store.ts';
import { parseInSteps } from '#wire/metainfo.ts';
import type { Rooms } from './rooms.ts';

const UPLOAD_ID = /^[0-9a-f]{32}$/;

export function contributionsOf(rooms: Rooms): Contributions {
  const { sql, clock, care, archive } = rooms;
  return {
    uploadsPath: `${STORE_PATH}/uploads`,
    async open({ memberId, name }, id) {
      if (!UPLOAD_ID.test(id)) return undefined;
      const mayStay = async (): Promise<boolean> => true;
      const mayRemove = async (): Promise<boolean> => false;
      const caller = { budget: `member ${memberId}`, name, mayStay, mayRemove };
      const upload = await care.uploads.find(caller, id);
      if (upload === undefined || !upload.isComplete) return undefined;
      const refs = [...upload.refs];
      return {
        bytes: upload.head.length,
        read: (range) => readBlobs(rooms, refs, range),
        discard: () => care.uploads.remove(upload),
      };
    },
    async put(request) {
      return await putContent({ ...archive, store: await archive.store() }, request);
    },
    async keep(torrentId, files) {
      const bytes = await torrentFile(sql, torrentId);
      const parsed = bytes && (await endInTurns(parseInSteps(bytes)));
      const matched = parsed?.ok === true ? matchFiles(parsed.metainfo, files) : undefined;
      if (matched === undefined) return false;
      await keepTorrent(sql, { id: torrentId, files: matched, nowMs: clock.nowMs() });
      await rooms.events.flush();
      return true;
    },
  };
}

/** A range of what lies in blobs, one after the other. */
async function* readBlobs(
  rooms: Rooms,
  blobs: readonly BlobInfo[],
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  const store = await rooms.archive.store();
  let at = 0;
  for (const { ref, bytes } of blobs) {
    const from = Math.max(start - at, 0);
    const until = Math.min(end - at, bytes);
    at += bytes;
    if (from >= until) continue;
    const whole = await store.get(ref);
    yield whole.subarray(from, until);
  }
}
