// The page on which content itself is uploaded: into the archive, which makes the torrent and keeps it.

import { html } from 'hono/html';
import type { Category } from '#site/catalogue/categories.ts';
import { type WordsForm, wordsFields } from '#site/catalogue/upload-view.ts';
import { submitButton } from '#site/components/button.ts';
import { errorSummary, formActions, postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { type CoverForm, coverFields } from '#site/covers/cover-pages.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { href } from '#site/routes.ts';

export interface ContributionView {
  readonly csrf: string;
  readonly values: WordsForm;
  /** Content that is here already, of a form that was sent back; empty when there is none. */
  readonly upload: string;
  readonly categories: readonly Category[];
  readonly cover: CoverForm;
  readonly errors: Readonly<Record<string, string>>;
  /** Of a form without a script. */
  readonly bytesMax: number;
  /** Where resumable uploads are made. */
  readonly uploadsPath: string;
}

const STILL_HERE =
  'The files you sent are still here. Choose some only to send others in their place.';
const TITLE_HINT = 'Without one it is called as the folder or the file is.';

export function contributionMain(view: ContributionView): Html {
  const { csrf, values, upload, categories, errors, bytesMax } = view;
  const error = errors['files'];
  const problem =
    error === undefined ? html`` : html`<p class="error" id="files-error">${error}</p>`;
  const stillHere = upload === '' ? NOTHING : notice('info', STILL_HERE);
  const files = html`${stillHere}<div class="field"><label for="files">Files</label><p class="hint" data-plain>All of it together at most ${formatBytes(bytesMax)} without scripts. With scripts there is no such bound, and an upload goes on where it stopped.</p>${problem}<input class="input" id="files" name="files" type="file" multiple></div><div class="field"><label for="folder">Or a folder</label><input class="input" id="folder" name="files" type="file" webkitdirectory multiple></div><div class="drop" data-drop hidden><p><strong>Drop files or a folder here</strong></p><p class="muted" data-chosen></p></div>`;
  const progress = html`<p role="status" data-state></p><progress hidden aria-label="Progress of the upload"></progress>`;
  const body = html`<input type="hidden" name="upload" value="${upload}">${files}${wordsFields(values, categories, errors, TITLE_HINT)}${coverFields(view.cover)}${progress}${formActions(submitButton({ label: 'Upload and keep', kind: 'primary' }))}`;
  const form = postForm({
    action: href('contribute'),
    csrf,
    body,
    multipart: true,
    data: { uploads: view.uploadsPath },
  });
  const head = pageHead({
    title: 'Upload content',
    lead: 'Files or a folder into the archive, which makes a torrent of them, keeps and seeds it.',
    crumbs: [{ label: 'Upload', href: href('upload') }],
  });
  return html`<div class="medium stack">${head}${errorSummary(errors)}${panel({ title: 'What to keep', body: form })}</div>`;
}
