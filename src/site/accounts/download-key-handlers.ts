// The page of one's own download keys, and revoking one of them.

import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { downloadKeysMain } from './download-key-views.ts';
import { listDownloadKeys, revokeDownloadKey } from './download-keys.ts';
import { torrentNames } from './history.ts';

const KEYS_SHOWN_MAX = 500;

export async function showDownloadKeys(visit: Visit): Promise<Response> {
  const { sql, config } = visit.parts;
  const keys = await listDownloadKeys(sql, visit.signedIn().memberId, KEYS_SHOWN_MAX);
  const main = downloadKeysMain({
    keys,
    torrents: await torrentNames(
      sql,
      keys.map((key) => key.torrentId),
    ),
    isOn: config.downloadKeys,
    csrf: visit.csrfToken,
    nowMs: visit.nowMs,
  });
  return await visit.page({ title: 'Keys of your downloads', main, section: 'me' });
}

export async function postDownloadKeyRevoke(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const { memberId } = visit.signedIn();
  if (id === undefined || !(await revokeDownloadKey(visit.parts, memberId, id))) {
    return await visit.notFound('This key is not good any more.');
  }
  const text = 'The key is revoked. Download the torrent again for one that works.';
  return visit.redirect(href('downloadKeys'), { kind: 'good', text });
}
