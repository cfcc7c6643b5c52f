// The page on which a member makes a share, and the one that shows its link.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import {
  errorSummary,
  formActions,
  postForm,
  radioField,
  selectField,
  textField,
} from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { secret } from '#site/components/secret.ts';
import type { FolderRow } from '#site/folders/folder-rows.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import { type ListedShare, SHARE_LIMITS } from './shares.ts';

export interface ShareForm {
  readonly days: string;
  readonly downloads: string;
  readonly depth: 'deep' | 'shallow';
  /** Id of the share that it was to be added to; empty for a new one. */
  readonly into: string;
}

export interface NewShareView {
  readonly csrf: string;
  readonly torrent: Torrent;
  readonly row: FolderRow | undefined;
  readonly values: ShareForm;
  /** The member's open shares. */
  readonly own: readonly ListedShare[];
  readonly daysMax: number;
  readonly errors: Errors;
}

export function newShareMain(view: NewShareView): Html {
  const { torrent, row, values, daysMax, errors } = view;
  const { fileCount, sizeBytes } = row ?? torrent;
  const hash = torrent.infoHash;
  const isFile = row?.isFolder === false;
  const what = isFile ? 'file' : row === undefined ? 'torrent' : 'folder';
  const head = pageHead({
    title: `Share “${row?.name ?? torrent.title}”`,
    lead: `A link by which people without an account see and download this ${what} from the archive: ${plural(fileCount, 'file')}, ${formatBytes(sizeBytes)}.`,
    crumbs: [
      { label: 'Torrents', href: href('torrents') },
      { label: torrent.title, href: hrefTo('torrent', { hash }) },
    ],
  });
  const body = html`${entryField(row)}${depthField(isFile, values)}${textField({
    name: 'days',
    label: 'Days until it ends',
    hint: `1 to ${daysMax}. You can revoke it before; downloads that run end then, too.`,
    type: 'number',
    value: values.days,
    required: true,
    error: errors['days'],
  })}${textField({
    name: 'downloads',
    label: 'Downloads at most',
    hint: 'Empty for as many as there are. With a number, each file or tar counts one, and none can be resumed.',
    type: 'number',
    value: values.downloads,
    error: errors['downloads'],
  })}${textField({
    name: 'password',
    label: 'Password',
    hint: 'Empty for none. Send it another way than the link.',
    type: 'password',
    autocomplete: 'new-password',
    lengthMax: SHARE_LIMITS.passwordCharsMax,
    error: errors['password'],
  })}${formActions(
    submitButton({ label: 'Make the link', kind: 'primary' }),
    linkButton({ label: 'Cancel', href: hrefTo('torrent', { hash }), kind: 'quiet' }),
  )}`;
  const form = formFor(view, body);
  return html`<div class="medium stack">${head}${errorSummary(errors)}${form}${addForm(view, isFile)}</div>`;
}

function formFor({ torrent, csrf }: NewShareView, body: Html): Html {
  return postForm({ action: hrefTo('torrentShare', { hash: torrent.infoHash }), csrf, body });
}

function entryField(row: FolderRow | undefined): Html {
  return row === undefined
    ? NOTHING
    : html`<input type="hidden" name="entry" value="${row.position}">`;
}

function depthField(isFile: boolean, { depth }: Pick<ShareForm, 'depth'>): Html {
  if (isFile) return NOTHING;
  return radioField({
    name: 'depth',
    label: 'How deep',
    value: depth,
    options: [
      { value: 'deep', label: 'All that is in it', hint: 'With all folders below it.' },
      {
        value: 'shallow',
        label: 'Only the files right in it',
        hint: 'Folders in it are named and lead nowhere.',
      },
    ],
  });
}

/** One link may lead to several things. */
function addForm(view: NewShareView, isFile: boolean): Html {
  const { own, row, values, errors } = view;
  if (own.length === 0) return NOTHING;
  const options = own.map(({ id, label }) => ({ value: String(id), label: `${id}: ${label}` }));
  const depth = values.into === '' ? 'shallow' : values.depth;
  const body = html`${entryField(row)}${selectField({
    name: 'into',
    label: 'Share',
    hint: 'Whoever has its link sees this too, under the same end, count and password.',
    options,
    value: values.into,
    error: errors['into'],
  })}${isFile ? NOTHING : addedDepth(depth)}${formActions(submitButton({ label: 'Add to it' }))}`;
  return panel({ title: 'Or add it to a link that you have', body: formFor(view, body) });
}

function addedDepth(depth: ShareForm['depth']): Html {
  return selectField({
    name: 'added-depth',
    label: 'How deep',
    value: depth,
    options: [
      { value: 'shallow', label: 'Only the files right in it' },
      { value: 'deep', label: 'With all folders below it' },
    ],
  });
}

export function shareMadeMain(view: {
  readonly url: string;
  readonly path: string;
  readonly torrent: Torrent;
}): Html {
  const { url, path, torrent } = view;
  const made = notice(
    'good',
    html`<strong>The link is ready</strong><p>Whoever has it sees and takes what you share. It is not shown again.</p>${secret(url)}`,
  );
  const ways = html`<div class="row">${linkButton({ label: 'See it as they do', href: path })}${linkButton({ label: 'My shares', href: href('shares') })}${linkButton({ label: 'Back to the torrent', href: hrefTo('torrent', { hash: torrent.infoHash }), kind: 'quiet' })}</div>`;
  return html`<div class="medium stack">${pageHead({ title: 'Shared' })}${made}${ways}</div>`;
}
