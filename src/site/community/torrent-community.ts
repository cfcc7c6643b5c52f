// What members say of a torrent and do with it, as its page shows it.

import { html } from 'hono/html';
import { markButtons, thanksWords } from '#site/bookmarks/bookmark-pages.ts';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import { torrentComments } from '#site/comments/comment-pages.ts';
import { linkButton } from '#site/components/button.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';

export interface TorrentCommunity {
  /** Buttons at the head of the page. */
  readonly actions: readonly Html[];
  readonly main: Html;
}

export async function torrentCommunity(visit: Visit, torrent: Torrent): Promise<TorrentCommunity> {
  const { infoHash: hash, id, uploaderId } = torrent;
  const isOwn = uploaderId === visit.signedIn().memberId;
  const report = hrefTo('report', { kind: 'torrent', id });
  const collect = linkButton({ label: 'Collect', href: hrefTo('torrentCollect', { hash }) });
  const [thanks, marks, comments] = await Promise.all([
    thanksWords(visit, id),
    visit.may('comment') ? markButtons(visit, torrent) : [],
    torrentComments(visit, torrent),
  ]);
  const line = thanks === '' ? NOTHING : html`<p class="muted">${thanks}</p>`;
  return {
    actions: [
      ...(visit.may('comment') ? [...marks, collect] : []),
      ...(isOwn ? [] : [linkButton({ label: 'Report', href: report, kind: 'quiet' })]),
    ],
    main: html`${line}${comments}`,
  };
}
