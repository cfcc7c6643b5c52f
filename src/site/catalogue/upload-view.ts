// The pages of an upload: choose the file, look at what is in it, give it words; the same fields
// again for editing; and removing.

import { html } from 'hono/html';
import { toHex } from '#base/bytes.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { facts } from '#site/components/facts.ts';
import { bytes, bytesBoth } from '#site/components/figures.ts';
import {
  errorSummary,
  fileField,
  formActions,
  postForm,
  selectField,
  textArea,
  textField,
} from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { columns, pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { type Standing, standingNow } from '#site/components/standing-now.ts';
import { tree } from '#site/components/tree.ts';
import { type CoverForm, coverFields } from '#site/covers/cover-pages.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Category } from './categories.ts';
import type { FileNode } from './file-page.ts';
import type { Torrent } from './find-torrent.ts';
import type { Duplicate, PreparedTorrent } from './prepared-torrent.ts';
import { WORDS_LIMITS, wordsVersion } from './torrent-words.ts';

type Errors = Readonly<Record<string, string>>;

export interface ChooseFile {
  readonly csrf: string;
  readonly bytesMax: number;
  readonly errors: Errors;
  /** Where content itself is uploaded; undefined for who may not. */
  readonly contributeHref: string | undefined;
  readonly duplicate?: {
    readonly title: string;
    readonly infoHash: string;
    readonly by: 'hash' | 'content';
  };
}

export function chooseFileView(page: ChooseFile): Html {
  const { csrf, errors, bytesMax } = page;
  const body = html`${fileField({
    name: 'file',
    label: 'Torrent file',
    hint: `Made by your client from the content you want to share; v1, v2 or hybrid, at most ${formatBytes(bytesMax)}. You see what is in it before anything is saved.`,
    error: errors['file'],
    required: true,
    accept: '.torrent,application/x-bittorrent',
  })}${formActions(submitButton({ label: 'Look into it', kind: 'primary' }))}`;
  const form = postForm({ action: href('upload'), csrf, body, multipart: true });
  const there = page.duplicate === undefined ? NOTHING : duplicateNotice(page.duplicate);
  return html`<div class="medium stack">${pageHead({ title: 'Upload a torrent', actions: page.contributeHref === undefined ? [] : [linkButton({ label: 'Upload content instead', href: page.contributeHref })] })}${there}${errorSummary(errors)}${form}${panel({ title: 'How sharing works here', body: STEPS })}</div>`;
}

const STEPS = html`<ol class="steps"><li>In your client, make a torrent of your file or folder. Which tracker it names does not matter.</li><li>Upload the .torrent file here, look at it, give it a title and a category.</li><li>Download it again from its page: that file carries your own announce address.</li><li>Open that file in your client, where the content lies. From then on you are its seeder.</li></ol>`;

function duplicateNotice(of: {
  readonly title: string;
  readonly infoHash: string;
  readonly by: 'hash' | 'content';
}): Html {
  const link = html`<a href="${hrefTo('torrent', { hash: of.infoHash })}">${of.title}</a>`;
  const words =
    of.by === 'hash'
      ? html`<strong>This torrent is here already</strong>It is ${link}. Download it there and seed it with what you have.`
      : html`<strong>The same content is here already</strong>The files are those of ${link}, under another name or hash. Seeding that one keeps one strong swarm instead of two weak ones.`;
  return notice('warn', words);
}

export interface WordsForm {
  readonly title: string;
  readonly category: string;
  readonly tags: string;
  readonly description: string;
}

export function wordsFields(
  values: WordsForm,
  categories: readonly Category[],
  errors: Errors,
  /** For who may leave it out: what it is then. */
  titleHint?: string,
): Html {
  return html`${textField({
    name: 'title',
    label: 'Title',
    value: values.title,
    error: errors['title'],
    ...(titleHint === undefined ? { required: true } : { hint: titleHint }),
    lengthMax: WORDS_LIMITS.titleCharsMax,
    autocomplete: 'off',
  })}${selectField({
    name: 'category',
    label: 'Category',
    value: values.category,
    error: errors['category'],
    required: true,
    options: categories.map(({ slug, name }) => ({ value: slug, label: name })),
  })}${textField({
    name: 'tags',
    label: 'Tags',
    hint: `Words that others would look for, with commas between them; at most ${WORDS_LIMITS.tagsMax}.`,
    value: values.tags,
    error: errors['tags'],
    lengthMax: 2000,
    autocomplete: 'off',
    autocapitalize: 'none',
  })}${textArea({
    name: 'description',
    label: 'Description',
    hint: 'What it is, where it is from, under which licence. Markdown: **bold**, lists, `code`, [links](https://example.org).',
    value: values.description,
    error: errors['description'],
    rows: 10,
    lengthMax: WORDS_LIMITS.descriptionCharsMax,
  })}`;
}

export interface PreviewPage {
  readonly csrf: string;
  readonly draft: string;
  readonly prepared: PreparedTorrent;
  readonly warnings: readonly string[];
  /** As many rows as a page shows. */
  readonly files: readonly FileNode[];
  readonly duplicate?: Duplicate & { readonly infoHash: string };
  /** The hash of a torrent whose place it takes, or what was typed there. */
  readonly replaces: string;
  /** The torrent of the same content may be replaced by whoever uploads this. */
  readonly mayReplace: boolean;
  readonly values: WordsForm;
  readonly categories: readonly Category[];
  readonly cover: CoverForm;
  readonly errors: Errors;
}

export function previewView(page: PreviewPage): Html {
  const { csrf, draft, prepared, errors } = page;
  const { metainfo, notes } = prepared;
  const discard = postForm({
    action: hrefTo('uploadDiscard', { draft }),
    csrf,
    inline: true,
    body: submitButton({ label: 'Discard', kind: 'quiet' }),
  });
  const isThere = page.duplicate !== undefined && !page.mayReplace;
  const head = pageHead({
    title: isThere ? 'Nothing to upload' : 'Look, then save',
    lead: isThere
      ? ''
      : 'Nothing is saved yet. This is what the file says and how it will stand in the list.',
    crumbs: [{ label: 'Upload', href: href('upload') }],
    actions: [discard],
  });
  const top: Html[] = [];
  if (page.duplicate !== undefined) {
    const { existing, infoHash, by } = page.duplicate;
    top.push(duplicateNotice({ title: existing.title, infoHash, by }));
  }
  if (!isThere && notes.length > 0) {
    const lines = notes.map((note) => html`<li>${note}</li>`);
    top.push(notice('info', html`<strong>The file will be changed</strong><ul>${lines}</ul>`));
  }
  if (page.warnings.length > 0) {
    const lines = page.warnings.map((line) => html`<li>${line}</li>`);
    top.push(notice('warn', html`<strong>Please note</strong><ul>${lines}</ul>`));
  }
  const form = postForm({
    action: hrefTo('uploadDraft', { draft }),
    csrf,
    multipart: true,
    body: html`${wordsFields(page.values, page.categories, errors)}${coverFields(page.cover)}${replacesField(page)}${formActions(submitButton({ label: 'Save torrent', kind: 'primary' }))}`,
  });
  const words = isThere ? NOTHING : panel({ title: 'Words', body: form });
  const side = html`${panel({ title: 'Facts', body: fileFacts(prepared) })}`;
  const shown = prepared.fileCount;
  const files = panel({
    title: 'Files',
    aside: html`${plural(shown, 'file')}, ${bytes(metainfo.sizeBytes)}`,
    body: html`${tree({ nodes: page.files, openDepth: shown > 40 ? 1 : 3 })}`,
  });
  return html`${head}<div class="flashes">${top}${errorSummary(errors)}</div>${columns(html`${words}${files}`, side)}`;
}

function replacesField({ replaces, errors }: PreviewPage): Html {
  return textField({
    name: 'replaces',
    label: 'Replaces',
    hint: 'The info hash or the address of an older torrent of yours whose place this one takes. That one is removed, and its clients read which one is the new.',
    value: replaces,
    error: errors['replaces'],
    lengthMax: 300,
    autocomplete: 'off',
    autocapitalize: 'none',
  });
}

function fileFacts({ metainfo, hashChanged }: PreparedTorrent): Html {
  const { infoHashV1, infoHashV2, source, comment, createdBy } = metainfo;
  const pieces = Math.ceil(metainfo.sizeBytes / metainfo.pieceLength);
  const hash = (bytes: Uint8Array): Html => html`<code>${toHex(bytes)}</code>`;
  const label = hashChanged ? 'New info hash' : 'Info hash';
  return facts([
    { term: 'Name', value: metainfo.name },
    { term: 'Size', value: bytesBoth(metainfo.sizeBytes) },
    { term: 'Pieces', value: `${formatCount(pieces)} of ${formatBytes(metainfo.pieceLength)}` },
    {
      term: 'Kind',
      value: metainfo.version === 'hybrid' ? 'hybrid of v1 and v2' : metainfo.version,
    },
    { term: 'Private', value: 'yes' },
    { term: 'Source', value: source ?? 'none' },
    ...(infoHashV1 === undefined ? [] : [{ term: label, value: hash(infoHashV1) }]),
    ...(infoHashV2 === undefined ? [] : [{ term: `${label} v2`, value: hash(infoHashV2) }]),
    ...(createdBy === undefined ? [] : [{ term: 'Made with', value: createdBy.slice(0, 200) }]),
    ...(comment === undefined ? [] : [{ term: 'Comment', value: comment.slice(0, 500) }]),
  ]);
}

export interface EditPage {
  readonly csrf: string;
  readonly torrent: Torrent;
  readonly values: WordsForm;
  readonly categories: readonly Category[];
  readonly cover: CoverForm;
  readonly errors: Errors;
  /** Somebody else saved words since this form was opened. */
  readonly isLate: boolean;
}

export function editView(page: EditPage): Html {
  const { csrf, torrent, values, categories, cover, errors, isLate } = page;
  const hash = torrent.infoHash;
  const back = hrefTo('torrent', { hash });
  const head = pageHead({
    title: 'Edit the words',
    lead: 'The files and the info hash stay as they are.',
    crumbs: [
      { label: 'Torrents', href: href('torrents') },
      { label: torrent.title, href: back },
    ],
  });
  const form = postForm({
    action: hrefTo('torrentEdit', { hash }),
    csrf,
    shown: wordsVersion(torrent),
    multipart: true,
    body: html`${wordsFields(values, categories, errors)}${coverFields(cover)}${formActions(
      submitButton({ label: 'Save changes', kind: 'primary' }),
      linkButton({ label: 'Leave it as it is', href: back, kind: 'quiet' }),
    )}`,
  });
  const late = isLate ? standingNow(standingWords(torrent)) : NOTHING;
  return html`<div class="medium stack">${head}${late}${errorSummary(errors)}${form}</div>`;
}

function standingWords({ title, categoryName, tags, description }: Torrent): readonly Standing[] {
  return [
    { label: 'Title', text: title },
    { label: 'Category', text: categoryName },
    { label: 'Tags', text: tags.join(', ') },
    { label: 'Description', text: description },
  ];
}

export interface RemovePage {
  readonly csrf: string;
  readonly torrent: Torrent;
  readonly isUploader: boolean;
  readonly reason: string;
  readonly errors: Errors;
}

export function removeView({ csrf, torrent, isUploader, reason, errors }: RemovePage): Html {
  const hash = torrent.infoHash;
  const again = isUploader
    ? 'You can upload it again later, as a new torrent.'
    : 'Its uploader cannot upload it again; staff can.';
  return confirmation({
    question: `Remove “${torrent.title}”?`,
    consequence: html`<p>Within a second the trackers refuse it, and every client in its swarm is told the reason. What was moved so far still counts. ${again}</p>`,
    action: hrefTo('torrentRemove', { hash }),
    csrf,
    confirmLabel: 'Remove torrent',
    cancelHref: hrefTo('torrent', { hash }),
    fields: html`${errorSummary(errors)}${textField({
      name: 'reason',
      label: 'Reason',
      hint: 'Members and their clients will read it.',
      value: reason,
      error: errors['reason'],
      required: true,
      lengthMax: WORDS_LIMITS.reasonCharsMax,
      autocomplete: 'off',
    })}`,
  });
}
