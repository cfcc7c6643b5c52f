// Downloads from the pages of a torrent: a file, a folder or all of it, for members; and the page about
// WebDAV.

import { html } from 'hono/html';
import { TOP } from '#archive/downloads/content-tree.ts';
import { DAV_PREFIX } from '#archive/webdav/webdav.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { reveal, secret } from '#site/components/secret.ts';
import { ERROR_WORDS } from '#site/error-pages.ts';
import { folderRow } from '#site/folders/folder-rows.ts';
import type { Visit } from '#site/visit.ts';
import { davKeyOf } from './dav-key.ts';
import { downloadRequest, downloadResponse } from './download-response.ts';
import { mayTake, memberGrant } from './member-grant.ts';

/** Of the route's `hash` and `entry`. */
export async function downloadContent(visit: Visit): Promise<Response> {
  const { sql, content } = visit.parts;
  const torrent = await findTorrentByHash(sql, visit.param('hash'));
  if (torrent === undefined || torrent.removedMs !== undefined || content === undefined) {
    return await visit.notFound();
  }
  const { memberId } = visit.signedIn();
  if (!(await mayTake(sql, { memberId }))) return await visit.error(ERROR_WORDS.forbidden);
  const position = visit.param('entry');
  const isAll = position === 'all';
  const row =
    isAll || !/^\d{1,10}$/.test(position)
      ? undefined
      : await folderRow(sql, torrent.id, Number(position));
  if (row === undefined && !isAll) return await visit.notFound();
  const grant = memberGrant({ sql, onTaken: content.onTaken }, { memberId }, torrent.id);
  const request = downloadRequest(visit);
  if (row?.isFolder === false) {
    const answer = await content.downloads.file(request, { torrent, path: row.path, grant });
    if (answer === undefined) return await notKept(visit);
    const file = { name: row.name, type: 'application/octet-stream' };
    return downloadResponse(answer, file, visit.request.signal);
  }
  if (!(await content.isKept(torrent.id))) return await notKept(visit);
  const folder = row ?? TOP;
  const answer = await content.downloads.tar(request, { torrent, folder, grant });
  const name = `${row?.name ?? torrent.name}.tar`;
  return downloadResponse(answer, { name, type: 'application/x-tar' }, visit.request.signal);
}

function notKept(visit: Visit): Promise<Response> {
  return visit.notFound('The archive does not keep this. A client gets it from the swarm.');
}

async function webDavPage(visit: Visit): Promise<Response> {
  const { name } = visit.signedIn();
  const key = await davKeyOf(visit.parts.sql, name);
  if (key === undefined) return await visit.error(ERROR_WORDS.forbidden);
  const { siteUrl } = visit.addresses;
  const address = siteUrl + DAV_PREFIX;
  const head = pageHead({
    title: 'The archive as a disk',
    lead: 'What the archive keeps, opened by a file manager or a program with WebDAV, for reading.',
  });
  const isPlain = siteUrl.startsWith('http://');
  const warning = isPlain
    ? notice(
        'warn',
        'This site is reached without TLS: Windows sends no name and key to it unless it is told to.',
      )
    : html``;
  const access = panel({
    title: 'Address, name and key',
    body: html`<div class="stack-tight"><h3>Address</h3>${secret(address)}</div><div class="stack-tight"><h3>Name</h3>${secret(name)}</div><p class="small muted">The key ends with your passkey: reset that when somebody else may know it.</p>${reveal('Show my key', secret(key))}`,
  });
  const davs = address.replace(/^http/, 'dav');
  const ways = panel({
    title: 'With',
    body: html`<div class="stack-tight"><h3>rclone</h3><code class="secret">rclone config create archive webdav url=${address} vendor=other user=${name} pass=KEY</code></div><div class="stack-tight"><h3>Linux, davfs2</h3><code class="secret">mount -t davfs -o ro ${address} /mnt/archive</code></div><div class="stack-tight"><h3>GNOME Files, KDE Dolphin</h3><code class="secret">${davs}</code></div><p><strong>macOS:</strong> Finder, Go, Connect to Server. <strong>Windows:</strong> Explorer, Map network drive.</p>`,
  });
  const main = html`<div class="medium stack">${head}${warning}${access}${ways}</div>`;
  return await visit.page({ title: 'The archive as a disk', main, section: 'me' });
}

export const contentRoutes: RouteHandlers = {
  torrentContent: { GET: downloadContent },
  webDav: { GET: webDavPage },
};
