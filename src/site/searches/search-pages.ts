// The page of one's saved searches, and saving and removing one.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { filtersOfText, filtersText } from '#site/catalogue/list-filters.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import { refusalNotice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { table } from '#site/components/table.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { removeSearch, type SavedSearch, savedSearchesOf, saveSearch } from './saved-searches.ts';

export const searchRoutes: RouteHandlers = {
  searches: { GET: (visit) => showSearches(visit), POST: postSearch },
  searchRemove: { POST: postRemove },
};

async function showSearches(visit: Visit, problem?: Refusal): Promise<Response> {
  const searches = await savedSearchesOf(visit.parts.sql, visit.signedIn().memberId);
  const top =
    problem === undefined
      ? html``
      : html`<div class="flashes">${refusalNotice(html`<strong>Nothing was saved.</strong> ${problem.message}`)}</div>`;
  const head = pageHead({
    title: 'Saved searches',
    lead: 'What narrows the list of torrents, under names of yours. Nobody else sees them.',
  });
  const main = html`${head}${top}${searchList(visit, searches)}`;
  const status = problem === undefined ? 200 : 422;
  return await visit.page({ title: 'Saved searches', section: 'me', status, main });
}

function searchList(visit: Visit, searches: readonly SavedSearch[]): Html {
  if (searches.length === 0) {
    return emptyState({
      title: 'No saved searches yet',
      text: 'Narrow the list of torrents by words, tags or anything else, then save it under a name at its end.',
      action: linkButton({ label: 'To the torrents', href: href('torrents') }),
      icon: 'search',
    });
  }
  const { csrfToken: csrf, nowMs } = visit;
  const listOf = (text: string): string => `${href('torrents')}?${text}`;
  return table({
    caption: 'Your saved searches',
    rows: searches,
    columns: [
      {
        label: 'Name',
        kind: 'title',
        cell: ({ name, filters }) => html`<a href="${listOf(filtersText(filters))}">${name}</a>`,
      },
      { label: 'Saved', kind: 'figure', cell: ({ createdMs }) => timeAgo(createdMs, nowMs) },
      {
        label: 'Actions',
        kind: 'actions',
        cell: ({ id, name }) =>
          postForm({
            action: hrefTo('searchRemove', { id }),
            csrf,
            inline: true,
            body: submitButton({ label: 'Remove', about: name, small: true }),
          }),
      },
    ],
  });
}

async function postSearch(visit: Visit): Promise<Response> {
  const { form } = visit;
  const filters = filtersOfText(form.text('filters'));
  const { memberId } = visit.signedIn();
  const saved = await saveSearch(visit.parts, { memberId, name: form.text('name'), filters });
  if (saved instanceof Refusal) return await showSearches(visit, saved);
  const path = `${href('torrents')}?${filtersText(saved.filters)}`;
  return visit.redirect(path, { kind: 'good', text: `The search is saved as “${saved.name}”.` });
}

async function postRemove(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const { memberId } = visit.signedIn();
  if (id === undefined || !(await removeSearch(visit.parts.sql, memberId, id))) {
    return await visit.notFound('You have no such saved search.');
  }
  return visit.redirect(href('searches'), { kind: 'good', text: 'The saved search is removed.' });
}
