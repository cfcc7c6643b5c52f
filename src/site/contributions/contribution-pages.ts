// Content from a browser into the archive: what was uploaded, resumably or by a plain form, becomes a
// torrent that is kept.

import { contentOf, readUploadPack, type UploadedContent } from '#archive/ingest/upload-pack.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { listCategories } from '#site/catalogue/categories.ts';
import { findTorrent } from '#site/catalogue/find-torrent.ts';
import { readWords } from '#site/catalogue/torrent-handlers.ts';
import { cleanTitle, parseTags } from '#site/catalogue/torrent-words.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import type { WordsForm } from '#site/catalogue/upload-view.ts';
import { applyCover, coverForm, readCover } from '#site/covers/cover-pages.ts';
import type { UploadedFile } from '#site/form-data.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { contributionMain } from './contribution-view.ts';

/** What a form said, with the upload that is here whole and need not be sent again. */
interface Asked {
  readonly values: WordsForm;
  /** Empty when there is none. */
  readonly upload: string;
}

const NO_WORDS: WordsForm = { title: '', category: 'other', tags: '', description: '' };

async function show(visit: Visit): Promise<Response> {
  return await page(visit, { values: NO_WORDS, upload: '' });
}

async function page(visit: Visit, asked: Asked, refusal?: Refusal): Promise<Response> {
  const { parts } = visit;
  const { contributions } = parts.content ?? {};
  if (contributions === undefined) return await visit.notFound();
  const errors = refusal === undefined ? {} : { [refusal.field ?? 'files']: refusal.message };
  const main = contributionMain({
    csrf: visit.csrfToken,
    ...asked,
    categories: await listCategories(parts.sql),
    cover: coverForm(visit, errors),
    errors,
    bytesMax: parts.config.formContentBytesMax,
    uploadsPath: contributions.uploadsPath,
  });
  const status = refusal === undefined ? 200 : 422;
  const title = 'Upload content';
  return await visit.page({ title, section: 'upload', status, main, script: 'upload.js' });
}

async function post(visit: Visit): Promise<Response> {
  const values = readWords(visit);
  const { contributions } = visit.parts.content ?? {};
  if (contributions === undefined) return await visit.notFound();
  const files = await visit.form.files('files');
  const id = visit.form.text('upload');
  if (id === '' || files.length > 0) {
    return await keep(visit, { values, upload: '' }, contentOfFiles(files));
  }
  const upload = await contributions.open(visit.signedIn(), id);
  if (upload === undefined) {
    const words = 'The upload is not here, or not all of it. Send it again; what came is not lost.';
    const refusal = new Refusal('upload-missing', words, 'files');
    return await page(visit, { values, upload: '' }, refusal);
  }
  const content = await readUploadPack(upload);
  if (typeof content === 'string') {
    const refusal = new Refusal('upload-invalid', content, 'files');
    return await page(visit, { values, upload: '' }, refusal);
  }
  const answer = await keep(visit, { values, upload: id }, content);
  // What was refused may be sent again with other words, without its bytes.
  if (answer.status === 303) await upload.discard();
  return answer;
}

/** Browsers name the files of a folder by their path in it. */
function contentOfFiles(files: readonly UploadedFile[]): UploadedContent {
  return contentOf(
    files.map(({ name, bytes }) => ({
      path: name.split('/'),
      sizeBytes: bytes.length,
      async *read() {
        yield bytes;
      },
    })),
  );
}

async function keep(visit: Visit, asked: Asked, content: UploadedContent): Promise<Response> {
  const { parts } = visit;
  const { values } = asked;
  const { contributions } = parts.content ?? {};
  const refuse = (words: string): Promise<Response> =>
    page(visit, asked, new Refusal('content-refused', words, 'files'));
  if (contributions === undefined || content.files.length === 0) {
    return await refuse('Choose files or a folder.');
  }
  const cover = await readCover(visit);
  if (cover instanceof Refusal) return await page(visit, asked, cover);
  const name = content.name ?? cleanTitle(values.title).replaceAll(/[/\\]/g, '-');
  const put = await contributions.put({
    version: 'v1',
    ...{ name: name === '' ? 'upload' : name, singleFile: content.singleFile },
    ...{ files: content.files, private: true, source: parts.config.torrentSource },
    createdBy: 'Swarmkeep',
    creationDate: Math.floor(visit.nowMs / 1000),
    signal: visit.request.signal,
  });
  if (!put.ok) return await refuse(put.reason);
  const { title, ...given } = values;
  const added = await addTorrent(parts, {
    bytes: put.bytes,
    uploaderId: visit.signedIn().memberId,
    ...given,
    // Without one it is called as its files are.
    ...(title.trim() === '' ? {} : { title }),
    tags: parseTags(values.tags),
    isStaff: visit.may('administer'),
  });
  if (added instanceof Refusal) return await page(visit, asked, added);
  const isNew = added.kind === 'added';
  const torrentId = isNew ? added.torrent.id : added.existing.id;
  if (!(await contributions.keep(torrentId, put.files))) {
    return await refuse('The same pieces are here already, of files that are cut elsewhere.');
  }
  if (isNew && cover?.picture !== undefined) await applyCover(visit, torrentId, cover);
  const torrent = isNew ? added.torrent : await findTorrent(parts.sql, torrentId);
  const words = isNew ? 'is kept by the archive.' : 'was here already. The archive keeps it now.';
  const path = hrefTo('torrent', { hash: torrent?.infoHash ?? '' });
  return visit.redirect(path, { kind: 'good', text: `“${torrent?.title}” ${words}` });
}

export const contributionRoutes: RouteHandlers = {
  contribute: { GET: show, POST: post },
};
