// What a report is about, as pages name it and lead to it.

import { findMemberById } from '#site/accounts/members.ts';
import { findTorrent } from '#site/catalogue/find-torrent.ts';
import { findComment } from '#site/comments/comments.ts';
import { hrefTo } from '#site/routes.ts';
import type { Sql } from '#sql/sql.ts';
import type { ReportKind } from './reports.ts';

export interface ReportSubject {
  /** `the torrent “Rain”`. */
  readonly label: string;
  readonly href: string;
}

/** Undefined when it is not there, or not any more. */
export async function reportSubject(
  sql: Sql,
  kind: ReportKind,
  id: number,
): Promise<ReportSubject | undefined> {
  if (kind === 'member') {
    const member = await findMemberById(sql, id);
    if (member === undefined || member.state === 'removed') return undefined;
    return { label: `the member ${member.name}`, href: hrefTo('member', { name: member.name }) };
  }
  const comment = kind === 'comment' ? await findComment(sql, id) : undefined;
  if (kind === 'comment' && comment === undefined) return undefined;
  const torrent = await findTorrent(sql, comment?.torrentId ?? id);
  if (torrent === undefined) return undefined;
  const path = hrefTo('torrent', { hash: torrent.infoHash });
  if (comment === undefined) return { label: `the torrent “${torrent.title}”`, href: path };
  const label = `a comment on “${torrent.title}”`;
  return { label, href: `${path}#comment-${comment.id}` };
}
