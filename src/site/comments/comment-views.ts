// Comments as a torrent's page shows them, and the pages on which one is changed, removed, looked back at.

import { html } from 'hono/html';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { timeAgo } from '#site/components/figures.ts';
import { formActions, postForm, textArea } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { standingNow } from '#site/components/standing-now.ts';
import { markdown } from '#site/format/markdown.ts';
import { href, hrefTo } from '#site/routes.ts';
import { COMMENT_CHARS_MAX, type Comment, commentVersion, type FormerText } from './comments.ts';

/** Who looks at comments. */
export interface CommentReader {
  readonly memberId: number;
  readonly mayComment: boolean;
  readonly mayModerate: boolean;
  readonly csrf: string;
  readonly nowMs: number;
}

export interface CommentsView {
  readonly hash: string;
  /** Oldest first. */
  readonly comments: readonly Comment[];
  readonly names: ReadonlyMap<number, string>;
  readonly reader: CommentReader;
  /** To those before. */
  readonly earlierHref: string | undefined;
  readonly typed: string;
  readonly error: string | undefined;
}

export function commentsPanel(view: CommentsView): Html {
  const { comments, reader, earlierHref } = view;
  const earlier =
    earlierHref === undefined
      ? NOTHING
      : html`<p>${linkButton({ label: 'Earlier comments', href: earlierHref, small: true })}</p>`;
  const words = reader.mayComment
    ? 'Nobody has said anything yet. Say what it is good for, or what is missing.'
    : 'Nobody has said anything yet.';
  const list =
    comments.length === 0
      ? html`<p class="muted">${words}</p>`
      : html`${earlier}<ul class="plain stack">${comments.map((one) => commentItem(one, view))}</ul>`;
  return panel({
    title: 'Comments',
    id: 'comments',
    body: html`${list}${reader.mayComment ? commentForm(view) : NOTHING}`,
  });
}

function commentForm({ hash, reader, typed, error }: CommentsView): Html {
  return postForm({
    action: hrefTo('comments', { hash }),
    csrf: reader.csrf,
    label: 'Write a comment',
    body: html`${textField(typed, error)}${formActions(submitButton({ label: 'Send the comment' }))}`,
  });
}

function textField(value: string, error: string | undefined): Html {
  return textArea({
    name: 'text',
    label: 'Your comment',
    hint: 'Markdown. It can be changed later; what stood there before stays readable.',
    rows: 4,
    required: true,
    lengthMax: COMMENT_CHARS_MAX,
    value,
    error,
  });
}

function commentItem(one: Comment, { names, reader }: CommentsView): Html {
  const name = names.get(one.memberId);
  const by = name === undefined ? 'A former member' : memberLink(name);
  const edited =
    one.editedMs === undefined
      ? NOTHING
      : html`, <a href="${hrefTo('commentHistory', { id: one.id })}">changed ${timeAgo(one.editedMs, reader.nowMs)}</a>`;
  const isOwn = one.memberId === reader.memberId;
  const about = `the comment of ${name ?? 'a former member'}`;
  const links = [
    ...(isOwn || reader.mayModerate
      ? [
          linkButton({
            label: 'Edit',
            about,
            href: hrefTo('comment', { id: one.id }),
            small: true,
          }),
          linkButton({
            ...{ label: 'Remove', about, href: hrefTo('commentRemove', { id: one.id }) },
            ...{ small: true, kind: 'danger' },
          }),
        ]
      : []),
    ...(isOwn
      ? []
      : [
          linkButton({
            ...{ label: 'Report', about, href: hrefTo('report', { kind: 'comment', id: one.id }) },
            ...{ small: true, kind: 'quiet' },
          }),
        ]),
  ];
  return html`<li id="comment-${one.id}" class="stack-tight"><p class="small muted">${by}, ${timeAgo(one.createdMs, reader.nowMs)}${edited}</p><div class="markdown prose">${markdown(one.text)}</div><div class="row">${links}</div></li>`;
}

function memberLink(name: string): Html {
  return html`<a href="${hrefTo('member', { name })}">${name}</a>`;
}

export function editMain(view: {
  readonly comment: Comment;
  readonly csrf: string;
  readonly text: string;
  readonly error: string | undefined;
  readonly backHref: string;
  readonly isLate: boolean;
}): Html {
  const form = postForm({
    action: hrefTo('comment', { id: view.comment.id }),
    csrf: view.csrf,
    shown: commentVersion(view.comment),
    body: html`${textField(view.text, view.error)}${formActions(
      submitButton({ label: 'Save the comment', kind: 'primary' }),
      linkButton({ label: 'Back', href: view.backHref, kind: 'quiet' }),
    )}`,
  });
  const late = view.isLate
    ? standingNow([{ label: 'The comment', text: view.comment.text }])
    : NOTHING;
  return html`<div class="medium stack">${pageHead({ title: 'Edit a comment' })}${late}${form}</div>`;
}

export function removeMain(view: {
  readonly comment: Comment;
  readonly csrf: string;
  readonly by: string;
  readonly backHref: string;
}): Html {
  return confirmation({
    question: `Remove the comment of ${view.by}?`,
    consequence: html`<div class="markdown">${markdown(view.comment.text)}</div><p>It goes with everything that stood in it before. There is no way back.</p>`,
    action: hrefTo('commentRemove', { id: view.comment.id }),
    csrf: view.csrf,
    confirmLabel: 'Remove the comment',
    cancelHref: view.backHref,
  });
}

export function historyMain(view: {
  readonly comment: Comment;
  readonly former: readonly FormerText[];
  readonly names: ReadonlyMap<number, string>;
  readonly backHref: string;
  readonly nowMs: number;
}): Html {
  const { comment, former, names, nowMs } = view;
  const items = former.map(
    (one) =>
      html`<li class="stack-tight"><p class="small muted">Until ${names.get(one.editedBy) ?? 'somebody'} changed it ${timeAgo(one.editedMs, nowMs)}</p><div class="markdown prose">${markdown(one.text)}</div></li>`,
  );
  const now = html`<div class="markdown prose">${markdown(comment.text)}</div>`;
  const before =
    items.length === 0
      ? html`<p class="muted">It stands as it was written.</p>`
      : html`<ul class="plain stack">${items}</ul>`;
  const head = pageHead({
    title: 'What stood in this comment',
    crumbs: [
      { label: 'Torrents', href: href('torrents') },
      { label: 'The comment', href: view.backHref },
    ],
  });
  return html`<div class="medium stack">${head}${panel({ title: 'Now', body: now })}${panel({ title: 'Before', body: before })}</div>`;
}
