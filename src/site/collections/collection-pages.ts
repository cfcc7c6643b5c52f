// Collections: the list, one of them, a new one, and putting a torrent into one's own.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { formActions, postForm, textArea, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { panel } from '#site/components/panel.ts';
import { standingNow } from '#site/components/standing-now.ts';
import { table } from '#site/components/table.ts';
import { ERROR_WORDS } from '#site/error-pages.ts';
import { markdown } from '#site/format/markdown.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import { rowIdOf } from '#site/row-id.ts';
import { isUnseen } from '#site/shown.ts';
import { recordDeed } from '#site/staff-log/staff-deeds.ts';
import type { Visit } from '#site/visit.ts';
import {
  addCollection,
  type Collection,
  type CollectionWords,
  collectionsWith,
  collectionVersion,
  DESCRIPTION_CHARS_MAX,
  editCollection,
  findCollection,
  itemsOf,
  listCollections,
  removeCollection,
  setItem,
  TITLE_CHARS_MAX,
} from './collections.ts';
import { torrentLines, torrentTable } from './torrent-lines.ts';

const LINES = 50;
const OWN_SHOWN_MAX = 100;

export const collectionRoutes: RouteHandlers = {
  collections: { GET: showCollections },
  collectionNew: { GET: showNew, POST: postNew },
  collection: { GET: showCollection },
  collectionEdit: { GET: showEdit, POST: postEdit },
  collectionRemove: { GET: showRemove, POST: postRemove },
  torrentCollect: { GET: showCollect, POST: postCollect },
};

async function showCollections(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const before = visit.numberQuery('before');
  const page = { limit: LINES + 1, ...(before === undefined ? {} : { before }) };
  const found = await listCollections(sql, page);
  const collections = found.slice(0, LINES);
  const names = await memberNames(
    sql,
    collections.map((one) => one.memberId),
  );
  const make = linkButton({
    label: 'New collection',
    href: href('collectionNew'),
    kind: 'primary',
  });
  const mayMake = visit.may('comment');
  const head = pageHead({
    title: 'Collections',
    lead: 'Torrents that belong together, put together by members.',
    actions: mayMake ? [make] : [],
  });
  const next = href('collections', { before: collections.at(-1)?.id });
  const list =
    collections.length === 0
      ? emptyState({
          title: 'Nobody has put anything together yet',
          text: 'A course, a series of surveys, the films of one director: begin with what you know.',
          ...(mayMake ? { action: make } : {}),
        })
      : html`${table({
          caption: 'Collections',
          rows: collections,
          columns: [
            {
              label: 'Collection',
              kind: 'title',
              cell: (one) =>
                html`<a href="${hrefTo('collection', { id: one.id })}">${one.title}</a>`,
            },
            { label: 'By', cell: (one) => names.get(one.memberId) ?? 'a former member' },
            { label: 'Torrents', kind: 'figure', cell: (one) => formatCount(one.torrents) },
            {
              label: 'Changed',
              kind: 'figure',
              cell: (one) => timeAgo(one.changedMs, visit.nowMs),
            },
          ],
        })}${pager({ ...(found.length > LINES ? { nextHref: next } : {}), summary: 'newest first' })}`;
  const main = html`${head}${list}`;
  return await visit.page({ title: 'Collections', main, section: 'collections' });
}

async function showCollection(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const collection = await collectionOf(visit);
  if (collection === undefined) return await visit.notFound('There is no such collection.');
  const { id, memberId, title, description } = collection;
  const lines = await torrentLines(parts, await itemsOf(parts.sql, id));
  const by = (await memberNames(parts.sql, [memberId])).get(memberId);
  const isTheirs = isChangeable(visit, collection);
  const head = pageHead({
    title,
    lead: `By ${by ?? 'a former member'}, ${plural(collection.torrents, 'torrent')}.`,
    crumbs: [{ label: 'Collections', href: href('collections') }],
    actions: isTheirs
      ? [
          linkButton({ label: 'Edit', href: hrefTo('collectionEdit', { id }) }),
          linkButton({ label: 'Remove', href: hrefTo('collectionRemove', { id }), kind: 'danger' }),
        ]
      : [],
  });
  const words =
    description === ''
      ? NOTHING
      : panel({
          title: 'About',
          body: html`<div class="markdown prose">${markdown(description)}</div>`,
        });
  const list =
    lines.length === 0
      ? emptyState({
          title: 'Nothing is in it yet',
          text: 'On the page of a torrent, “Collect” puts it into a collection of yours.',
          action: linkButton({ label: 'Look at torrents', href: href('torrents') }),
        })
      : torrentTable(`Torrents of ${title}`, lines);
  const main = html`${head}<div class="stack">${words}${list}</div>`;
  return await visit.page({ title, main, section: 'collections' });
}

async function showNew(visit: Visit): Promise<Response> {
  return await wordsPage(visit, { title: '', description: '' }, {});
}

async function postNew(visit: Visit): Promise<Response> {
  const words = readWords(visit);
  const made = await addCollection(visit.parts, visit.signedIn().memberId, words);
  if (made instanceof Refusal) return await wordsPage(visit, words, errorsOf(made));
  const text = 'Made. “Collect” on the page of a torrent puts it in.';
  return visit.redirect(hrefTo('collection', { id: made }), { kind: 'good', text });
}

async function showEdit(visit: Visit): Promise<Response> {
  const collection = await changeable(visit);
  if (collection instanceof Response) return collection;
  return await wordsPage(visit, collection, {}, { now: collection });
}

async function postEdit(visit: Visit): Promise<Response> {
  const collection = await changeable(visit);
  if (collection instanceof Response) return collection;
  const words = readWords(visit);
  await tellStaff(visit, collection, 'collectionEdit');
  const { shown } = visit;
  const refused = await editCollection(visit.parts, collection.id, { ...words, shown });
  if (isUnseen(refused)) {
    const now = await changeable(visit);
    return now instanceof Response ? now : await wordsPage(visit, words, {}, { now, isLate: true });
  }
  if (refused !== undefined) {
    return await wordsPage(visit, words, errorsOf(refused), { now: collection });
  }
  const path = hrefTo('collection', { id: collection.id });
  return visit.redirect(path, { kind: 'good', text: 'The changes are saved.' });
}

async function wordsPage(
  visit: Visit,
  words: CollectionWords,
  errors: Errors,
  of: { readonly now?: Collection; readonly isLate?: boolean } = {},
): Promise<Response> {
  const { now: collection, isLate = false } = of;
  const isNew = collection === undefined;
  const title = isNew ? 'New collection' : `Edit ${collection.title}`;
  const back = isNew ? href('collections') : hrefTo('collection', { id: collection.id });
  const fields = html`${textField({
    name: 'title',
    label: 'Title',
    required: true,
    lengthMax: TITLE_CHARS_MAX,
    value: words.title,
    autocomplete: 'off',
    error: errors['title'],
  })}${textArea({
    name: 'description',
    label: 'Description',
    hint: 'Markdown. What belongs here, and why.',
    lengthMax: DESCRIPTION_CHARS_MAX,
    value: words.description,
    error: errors['description'],
  })}${formActions(
    submitButton({ label: isNew ? 'Make the collection' : 'Save', kind: 'primary' }),
    linkButton({ label: 'Back', href: back, kind: 'quiet' }),
  )}`;
  const action = isNew ? href('collectionNew') : hrefTo('collectionEdit', { id: collection.id });
  const shown = isNew ? {} : { shown: collectionVersion(collection) };
  const form = postForm({ action, csrf: visit.csrfToken, body: fields, ...shown });
  const late =
    isLate && !isNew
      ? standingNow([
          { label: 'Title', text: collection.title },
          { label: 'Description', text: collection.description },
        ])
      : NOTHING;
  const main = html`<div class="medium stack">${pageHead({ title })}${late}${form}</div>`;
  const status = isLate ? 409 : Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title, main, section: 'collections', status });
}

async function showRemove(visit: Visit): Promise<Response> {
  const collection = await changeable(visit);
  if (collection instanceof Response) return collection;
  const { id, title } = collection;
  const main = confirmation({
    question: `Remove “${title}”?`,
    consequence: 'The torrents in it stay. The collection itself cannot be brought back.',
    action: hrefTo('collectionRemove', { id }),
    csrf: visit.csrfToken,
    confirmLabel: 'Remove the collection',
    cancelHref: hrefTo('collection', { id }),
  });
  return await visit.page({ title: 'Remove a collection', main, section: 'collections' });
}

async function postRemove(visit: Visit): Promise<Response> {
  const collection = await changeable(visit);
  if (collection instanceof Response) return collection;
  await tellStaff(visit, collection, 'collectionRemove');
  await removeCollection(visit.parts.sql, collection.id);
  const text = `“${collection.title}” is removed.`;
  return visit.redirect(href('collections'), { kind: 'good', text });
}

async function showCollect(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const torrent = await findTorrentByHash(sql, visit.param('hash'));
  if (torrent === undefined) return await visit.notFound();
  const { memberId } = visit.signedIn();
  const own = await listCollections(sql, { limit: OWN_SHOWN_MAX, memberId });
  const withIt = await collectionsWith(sql, { memberId, torrentId: torrent.id });
  const { infoHash: hash, title } = torrent;
  const head = pageHead({
    title: `Collect “${title}”`,
    crumbs: [{ label: 'The torrent', href: hrefTo('torrent', { hash }) }],
  });
  const make = linkButton({ label: 'New collection', href: href('collectionNew') });
  const line = (one: Collection): Html => {
    const isIn = withIt.has(one.id);
    const body = html`<input type="hidden" name="collection" value="${one.id}"><input type="hidden" name="in" value="${isIn ? 'no' : 'yes'}">${submitButton({ label: isIn ? 'Take out' : 'Put in', about: `of ${one.title}`, small: true })}`;
    const action = hrefTo('torrentCollect', { hash });
    return html`<li class="row"><a href="${hrefTo('collection', { id: one.id })}">${one.title}</a> ${postForm({ action, csrf: visit.csrfToken, inline: true, body })}</li>`;
  };
  const list =
    own.length === 0
      ? emptyState({
          title: 'You have no collection yet',
          text: 'Make one, then come back here.',
          action: make,
        })
      : html`${panel({ title: 'Your collections', body: html`<ul class="plain stack">${own.map(line)}</ul>` })}<p>${make}</p>`;
  const main = html`<div class="medium stack">${head}${list}</div>`;
  return await visit.page({ title: 'Collect', main, section: 'torrents' });
}

async function postCollect(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const torrent = await findTorrentByHash(parts.sql, visit.param('hash'));
  const id = rowIdOf(form.text('collection')) ?? 0;
  const collection = await findCollection(parts.sql, id);
  if (torrent === undefined || collection === undefined) return await visit.notFound();
  if (collection.memberId !== visit.signedIn().memberId) {
    return await visit.error(ERROR_WORDS.forbidden);
  }
  const isIn = form.text('in') !== 'no';
  const path = hrefTo('torrentCollect', { hash: torrent.infoHash });
  const refused = await setItem(parts, { collectionId: id, torrentId: torrent.id, isIn });
  if (refused !== undefined) return visit.redirect(path, { kind: 'bad', text: refused.message });
  const text = `It is ${isIn ? 'in' : 'no longer in'} “${collection.title}”.`;
  return visit.redirect(path, { kind: 'good', text });
}

function readWords({ form }: Visit): CollectionWords {
  return { title: form.text('title'), description: form.text('description') };
}

function errorsOf(refusal: Refusal): Errors {
  return { [refusal.field ?? 'title']: refusal.message };
}

async function collectionOf(visit: Visit): Promise<Collection | undefined> {
  const id = visit.numberParam('id');
  return id === undefined ? undefined : await findCollection(visit.parts.sql, id);
}

export function isChangeable(visit: Visit, collection: Collection): boolean {
  return collection.memberId === visit.signedIn().memberId || visit.may('moderate');
}

async function changeable(visit: Visit): Promise<Collection | Response> {
  const collection = await collectionOf(visit);
  if (collection === undefined) return await visit.notFound('There is no such collection.');
  return isChangeable(visit, collection) ? collection : await visit.error(ERROR_WORDS.forbidden);
}

/** What the staff does to the collections of others stands in its log. */
export async function tellStaff(
  visit: Visit,
  collection: Collection,
  action: string,
): Promise<void> {
  if (collection.memberId === visit.signedIn().memberId) return;
  const subject = `collection ${collection.id}`;
  await recordDeed(visit, { action, subject, words: collection.title });
}
