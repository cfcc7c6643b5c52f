// Bookmarks and thanks: their buttons on a torrent's page, and the list of one's bookmarks.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import { torrentLines, torrentTable } from '#site/collections/torrent-lines.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { plural } from '#site/format/number.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { countMarks, hasMark, type Mark, markedBy, removeMark, setMark } from './torrent-marks.ts';

export const bookmarkRoutes: RouteHandlers = {
  bookmarks: { GET: showBookmarks },
  torrentBookmark: { POST: (visit) => postMark(visit, 'bookmark') },
  torrentThanks: { POST: (visit) => postMark(visit, 'thanks') },
};

const MARKED_WORDS: Readonly<Record<Mark, string>> = {
  bookmark: 'It is among your bookmarks.',
  thanks: 'You said thank you.',
};

async function postMark(visit: Visit, mark: Mark): Promise<Response> {
  const { parts } = visit;
  const torrent = await findTorrentByHash(parts.sql, visit.param('hash'));
  if (torrent === undefined) return await visit.notFound();
  const path = hrefTo('torrent', { hash: torrent.infoHash });
  const isSet = visit.form.text('mark') !== 'no';
  const refused = await markTorrent(visit, torrent, { mark, isSet });
  if (refused !== undefined) return visit.redirect(path, { kind: 'bad', text: refused.message });
  const text = isSet ? MARKED_WORDS[mark] : 'It is taken away.';
  return visit.redirect(path, { kind: 'good', text });
}

/** Sets a mark of the visitor's own, or takes it away; thanks are told to the uploader. */
export async function markTorrent(
  visit: Visit,
  torrent: Torrent,
  { mark, isSet }: { readonly mark: Mark; readonly isSet: boolean },
): Promise<Refusal | undefined> {
  const { parts } = visit;
  const { memberId } = visit.signedIn();
  const which = { memberId, torrentId: torrent.id };
  if (!isSet) {
    await removeMark(parts.sql, mark, which);
    return undefined;
  }
  if (mark === 'thanks' && torrent.uploaderId === memberId) {
    return new Refusal('thanks-own', 'It is your own.');
  }
  await setMark(parts, mark, which);
  if (mark === 'thanks') await tellUploader(visit, torrent);
  return undefined;
}

/** Once a torrent: who thanks is on its page. */
async function tellUploader(visit: Visit, torrent: Torrent): Promise<void> {
  const notice = {
    memberId: torrent.uploaderId,
    kind: 'good',
    title: `Somebody thanks you for “${torrent.title}”`,
    body: 'More may follow; they are counted on its page.',
    link: hrefTo('torrent', { hash: torrent.infoHash }),
    once: `thanks ${torrent.id}`,
  } as const;
  await visit.parts.sql.transaction<object, void>((transaction) =>
    sendNotices(transaction, [notice], visit.nowMs),
  );
}

/** The two buttons; each says what pressing it does. */
export async function markButtons(visit: Visit, torrent: Torrent): Promise<readonly Html[]> {
  const { sql } = visit.parts;
  const { memberId } = visit.signedIn();
  const which = { memberId, torrentId: torrent.id };
  const { infoHash: hash, title } = torrent;
  const isMarked = await hasMark(sql, 'bookmark', which);
  const bookmark = markButton(visit, {
    action: hrefTo('torrentBookmark', { hash }),
    label: isMarked ? 'Remove bookmark' : 'Bookmark',
    about: title,
    isSet: isMarked,
  });
  if (torrent.uploaderId === memberId) return [bookmark];
  const isThanked = await hasMark(sql, 'thanks', which);
  const thanks = markButton(visit, {
    action: hrefTo('torrentThanks', { hash }),
    label: isThanked ? 'Take thanks back' : 'Thanks',
    about: `for ${title}`,
    isSet: isThanked,
  });
  return [thanks, bookmark];
}

function markButton(
  visit: Visit,
  button: {
    readonly action: string;
    readonly label: string;
    readonly about: string;
    readonly isSet: boolean;
  },
): Html {
  const { action, label, about, isSet } = button;
  const body = html`<input type="hidden" name="mark" value="${isSet ? 'no' : 'yes'}">${submitButton({ label, about })}`;
  return postForm({ action, csrf: visit.csrfToken, inline: true, body });
}

/** `Three members say thank you.`; empty when nobody does. */
export async function thanksWords(visit: Visit, torrentId: number): Promise<string> {
  const count = await countMarks(visit.parts.sql, 'thanks', torrentId);
  return count === 0 ? '' : `${plural(count, 'member')} said thank you.`;
}

async function showBookmarks(visit: Visit): Promise<Response> {
  const { parts, nowMs } = visit;
  const marked = await markedBy(parts.sql, 'bookmark', visit.signedIn().memberId);
  const lines = await torrentLines(parts, [...marked.keys()]);
  const head = pageHead({ title: 'Bookmarks', lead: 'Torrents that you keep an eye on.' });
  const list =
    lines.length === 0
      ? emptyState({
          title: 'No bookmarks yet',
          text: 'Press “Bookmark” on the page of a torrent, and it stands here.',
          action: linkButton({ label: 'Look at torrents', href: href('torrents') }),
        })
      : torrentTable('Your bookmarks', lines, [
          {
            label: 'Marked',
            kind: 'figure',
            cell: (line) => timeAgo(marked.get(line.id) ?? nowMs, nowMs),
          },
        ]);
  return await visit.page({ title: 'Bookmarks', main: html`${head}${list}`, section: 'me' });
}
