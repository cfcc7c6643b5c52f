// Uploading in three steps that each stand on their own: a file is sent and kept as a draft, its page
// shows what is in it, and its words make it a torrent.

import { applyCover, coverForm, readCover } from '#site/covers/cover-pages.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { listCategories } from './categories.ts';
import { FILE_ROWS_MAX, fileNodes } from './file-page.ts';
import { findTorrent, type Torrent } from './find-torrent.ts';
import { prepareApart } from './prepare-apart.ts';
import {
  type Duplicate,
  findDuplicate,
  type PreparedTorrent,
  titleOf,
} from './prepared-torrent.ts';
import { namedTorrent } from './replacements.ts';
import { mayChange, readWords } from './torrent-handlers.ts';
import { parseTags } from './torrent-words.ts';
import { addTorrent } from './torrents.ts';
import { discardDraft, findDraft, keepDraft } from './upload-drafts.ts';
import { chooseFileView, previewView, type WordsForm } from './upload-view.ts';

const GONE = 'This upload was saved, discarded or left for too long. Send the file again.';

export async function uploadPage(visit: Visit): Promise<Response> {
  return await showChoose(visit);
}

export async function postUpload(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const file = await visit.form.file('file');
  if (file === undefined) {
    return await showChoose(visit, new Refusal('file-missing', 'Choose a .torrent file.', 'file'));
  }
  const prepared = await prepareApart(parts.config, file.bytes);
  if (prepared instanceof Refusal) return await showChoose(visit, prepared);
  const duplicate = await findDuplicate(parts.sql.read<CatalogueTables>(), prepared);
  if (duplicate !== undefined && (await replaceable(visit, duplicate)) === undefined) {
    return await showChoose(visit, duplicate);
  }
  const draft = await keepDraft(parts, visit.signedIn().memberId, file.bytes);
  return visit.redirect(hrefTo('uploadDraft', { draft }));
}

async function showChoose(visit: Visit, problem?: Refusal | Duplicate): Promise<Response> {
  const isRefusal = problem instanceof Refusal;
  const duplicate = isRefusal || problem === undefined ? undefined : await linked(visit, problem);
  const { config, content } = visit.parts;
  const mayContribute = visit.may('store') && content?.contributions !== undefined;
  const main = chooseFileView({
    csrf: visit.csrfToken,
    bytesMax: config.torrentBytesMax,
    errors: isRefusal ? { file: problem.message } : {},
    contributeHref: mayContribute ? href('contribute') : undefined,
    ...(duplicate === undefined
      ? {}
      : { duplicate: { ...duplicate, title: duplicate.existing.title } }),
  });
  const status = problem === undefined ? 200 : isRefusal ? 422 : 409;
  return await visit.page({ title: 'Upload a torrent', section: 'upload', status, main });
}

/** With the hash that its page is found by. */
async function linked(
  visit: Visit,
  duplicate: Duplicate,
): Promise<Duplicate & { readonly infoHash: string }> {
  const torrent = await findTorrent(visit.parts.sql, duplicate.existing.id);
  return { ...duplicate, infoHash: torrent?.infoHash ?? '' };
}

export async function draftPage(visit: Visit): Promise<Response> {
  const prepared = await draftOf(visit);
  if (prepared === undefined) return await visit.notFound(GONE);
  const { category, tags } = prepared.suggestions;
  const { comment = '' } = prepared.metainfo;
  const values = {
    title: titleOf(prepared.metainfo),
    category,
    tags: tags.join(', '),
    description: comment.slice(0, 2000).toWellFormed(),
  };
  const duplicate = await findDuplicate(visit.parts.sql.read<CatalogueTables>(), prepared);
  return await showDraft(visit, prepared, values, duplicate);
}

export async function postDraft(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const { memberId } = visit.signedIn();
  const draft = visit.param('draft');
  const bytes = await findDraft(parts, memberId, draft);
  if (bytes === undefined) return await visit.notFound(GONE);
  const values = readWords(visit);
  const replaced = await replacedOf(visit);
  const cover = await readCover(visit);
  const refused = [replaced, cover].find((one) => one instanceof Refusal);
  const result =
    refused instanceof Refusal
      ? refused
      : await addTorrent(parts, {
          bytes,
          uploaderId: memberId,
          ...values,
          tags: parseTags(values.tags),
          isStaff: visit.may('administer'),
          ...(replaced instanceof Refusal || replaced === undefined
            ? {}
            : { replacesId: replaced.id }),
        });
  if (!(result instanceof Refusal) && result.kind === 'added') {
    await discardDraft(parts.sql, memberId, draft);
    if (cover !== undefined && !(cover instanceof Refusal) && cover.picture !== undefined) {
      await applyCover(visit, result.torrent.id, cover);
    }
    const path = hrefTo('torrent', { hash: result.torrent.infoHash });
    return visit.redirect(path, { kind: 'good', text: `“${result.torrent.title}” is saved.` });
  }
  const prepared = await draftOf(visit);
  if (prepared === undefined) return await visit.notFound(GONE);
  return await showDraft(visit, prepared, values, result);
}

/** The torrent of the same content whose place this visitor may give to a new one. */
async function replaceable(visit: Visit, duplicate: Duplicate): Promise<Torrent | undefined> {
  if (duplicate.by === 'hash') return undefined;
  const torrent = await findTorrent(visit.parts.sql, duplicate.existing.id);
  return torrent !== undefined && mayChange(visit, torrent) ? torrent : undefined;
}

/** The torrent that the form says is replaced. */
async function replacedOf(visit: Visit): Promise<Torrent | Refusal | undefined> {
  const text = visit.form.text('replaces');
  if (text === '') return undefined;
  const torrent = await namedTorrent(visit.parts.sql, text);
  if (torrent === undefined) {
    const words = 'No torrent here has this info hash. Leave it empty if it replaces none.';
    return new Refusal('replaced-unknown', words, 'replaces');
  }
  if (mayChange(visit, torrent)) return torrent;
  const words = 'Only its uploader and the staff can replace it.';
  return new Refusal('replaced-not-yours', words, 'replaces');
}

async function draftOf(visit: Visit): Promise<PreparedTorrent | undefined> {
  const { parts } = visit;
  const bytes = await findDraft(parts, visit.signedIn().memberId, visit.param('draft'));
  if (bytes === undefined) return undefined;
  const prepared = await prepareApart(parts.config, bytes);
  // It was accepted when it came; only smaller limits since then can refuse it now.
  return prepared instanceof Refusal ? undefined : prepared;
}

async function showDraft(
  visit: Visit,
  prepared: PreparedTorrent,
  values: WordsForm,
  problem: Refusal | Duplicate | undefined,
): Promise<Response> {
  const isRefusal = problem instanceof Refusal;
  const older = isRefusal || problem === undefined ? undefined : await replaceable(visit, problem);
  const errors = isRefusal ? { [problem.field ?? 'title']: problem.message } : {};
  const main = previewView({
    replaces: older?.infoHash ?? visit.form.text('replaces'),
    mayReplace: older !== undefined,
    csrf: visit.csrfToken,
    draft: visit.param('draft'),
    prepared,
    warnings: prepared.warnings,
    files: fileNodes(prepared.entries.slice(0, FILE_ROWS_MAX)),
    values,
    categories: await listCategories(visit.parts.sql),
    cover: coverForm(visit, errors),
    errors,
    ...(isRefusal || problem === undefined ? {} : { duplicate: await linked(visit, problem) }),
  });
  const status = problem === undefined ? 200 : isRefusal ? 422 : 409;
  return await visit.page({ title: 'Look, then save', section: 'upload', status, main });
}

export async function postDiscard(visit: Visit): Promise<Response> {
  await discardDraft(visit.parts.sql, visit.signedIn().memberId, visit.param('draft'));
  return visit.redirect(href('upload'), { kind: 'info', text: 'The upload is discarded.' });
}
