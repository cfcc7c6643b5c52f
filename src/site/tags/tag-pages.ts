// The console's page of tags: which there are, and renaming or joining them after one question.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { errorSummary, formActions, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { Refusal } from '#site/refusal.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  beginTagChange,
  carryOut,
  listTags,
  openTagChanges,
  type PlannedTagChange,
  planTagChange,
  type TagChange,
} from './tag-changes.ts';

const LINES = 50;
const NAME_CHARS_MAX = 40;
/** What a page waits for; the job does the rest. */
const TORRENTS_AT_ONCE = 50;

export const tagRoutes: RouteHandlers = {
  consoleTags: { GET: showTags },
  consoleTagChange: { GET: showChange, POST: postChange },
};

async function showTags(visit: Visit): Promise<Response> {
  return await tagsPage(visit, { from: '', into: '' }, {});
}

async function tagsPage(visit: Visit, typed: TagChange, errors: Errors): Promise<Response> {
  const { sql } = visit.parts;
  const begin = visit.query('q').trim().toLowerCase().slice(0, NAME_CHARS_MAX);
  const after = visit.query('after').slice(0, NAME_CHARS_MAX);
  const found = await listTags(sql, {
    ...{ limit: LINES + 1, begin },
    ...(after === '' ? {} : { after }),
  });
  const tags = found.slice(0, LINES);
  const next =
    found.length > LINES
      ? { nextHref: href('consoleTags', { q: begin, after: tags.at(-1)?.name }) }
      : {};
  const open = await openTagChanges(sql);
  const running =
    open.length === 0
      ? NOTHING
      : html`<div class="flashes">${open.map(({ from, into }) => notice('info', `“${from}” is becoming “${into}”, torrent by torrent.`))}</div>`;
  const head = pageHead({
    title: 'Tags',
    lead: 'Members make them with their torrents; two words for one thing can be joined here.',
  });
  const search = html`<form class="filters" method="get" action="${href('consoleTags')}">${textField({ name: 'q', label: 'Begins with', value: begin, autocomplete: 'off', autocapitalize: 'none' })}${submitButton({ label: 'Show' })}</form>`;
  const list =
    tags.length === 0
      ? emptyState({
          title: begin === '' ? 'No torrent has a tag yet' : 'No tag begins so',
          text: 'Torrents get tags when they are uploaded.',
          action:
            begin === ''
              ? linkButton({ label: 'Upload a torrent', href: href('upload') })
              : linkButton({ label: 'Show all tags', href: href('consoleTags') }),
        })
      : html`${tagTable(tags)}${pager({ ...next, summary: `${plural(tags.length, 'tag')} on this page, by name` })}`;
  const body = html`${head}${running}${errorSummary(errors)}<div class="stack">${changePanel(typed, errors)}${search}${list}</div>`;
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  const main = inConsole('tags', body);
  return await visit.page({ title: 'Tags', main, section: 'console', status });
}

function tagTable(tags: readonly { readonly name: string; readonly torrents: number }[]): Html {
  return table({
    caption: 'Tags by name',
    rows: tags,
    columns: [
      {
        label: 'Tag',
        kind: 'title',
        cell: ({ name }) => html`<a href="${href('torrents', { tags: name })}">${name}</a>`,
      },
      { label: 'Torrents', kind: 'figure', cell: ({ torrents }) => formatCount(torrents) },
    ],
  });
}

/** Leads to the question; nothing is changed by it. */
function changePanel(typed: TagChange, errors: Errors): Html {
  const field = (name: 'from' | 'into', label: string, hint: string): Html =>
    textField({
      ...{ name, label, hint, value: typed[name], error: errors[name], required: true },
      ...{ lengthMax: NAME_CHARS_MAX, autocomplete: 'off', autocapitalize: 'none' },
    });
  const body = html`<form class="form" method="get" action="${href('consoleTagChange')}">${field('from', 'Tag', 'As it is now.')}${field('into', 'Becomes', 'A new name, or the tag that it is joined with.')}${formActions(submitButton({ label: 'Go on', kind: 'primary' }))}</form>`;
  return panel({ title: 'Rename or join', body });
}

async function showChange(visit: Visit): Promise<Response> {
  const typed = { from: visit.query('from').trim(), into: visit.query('into').trim() };
  if (typed.from === '' && typed.into === '') return visit.redirect(href('consoleTags'));
  const planned = await planTagChange(visit.parts.sql, typed);
  if (planned instanceof Refusal) return await tagsPage(visit, typed, errorsOf(planned));
  const title = planned.isJoin ? 'Join two tags' : 'Rename a tag';
  return await visit.page({ title, main: question(visit, planned), section: 'console' });
}

function question(visit: Visit, { from, into, torrents, isJoin }: PlannedTagChange): Html {
  const how = `${plural(torrents, 'torrent')} with “${from}” ${torrents === 1 ? 'gets' : 'get'} “${into}” in its place.`;
  const back = isJoin
    ? 'There is no way back: afterwards nobody can tell which torrent had which.'
    : 'It can be renamed back in the same way.';
  return confirmation({
    question: isJoin ? `Join “${from}” with “${into}”?` : `Rename “${from}” to “${into}”?`,
    consequence: html`<p>${how} Their history says so, the search finds them by it, and searches that members saved follow. ${back}</p>`,
    action: href('consoleTagChange'),
    csrf: visit.csrfToken,
    confirmLabel: isJoin ? 'Join the tags' : 'Rename the tag',
    cancelHref: href('consoleTags'),
    fields: html`<input type="hidden" name="from" value="${from}"><input type="hidden" name="into" value="${into}">`,
  });
}

async function postChange(visit: Visit): Promise<Response> {
  const typed = { from: visit.form.text('from'), into: visit.form.text('into') };
  const changed = await changeTag(visit, typed);
  if (changed instanceof Refusal) return await tagsPage(visit, typed, errorsOf(changed));
  const text = changed.isDone
    ? `“${changed.from}” is “${changed.into}” now.`
    : `“${changed.from}” is becoming “${changed.into}”; the rest of it goes on by itself.`;
  return visit.redirect(href('consoleTags'), { kind: 'good', text });
}

/** Begun, and done where that does not take long. */
export async function changeTag(
  visit: Visit,
  asked: TagChange,
): Promise<(TagChange & { readonly isDone: boolean }) | Refusal> {
  const { parts } = visit;
  const { memberId } = visit.signedIn();
  const begun = await beginTagChange(parts, { ...asked, memberId });
  if (begun instanceof Refusal) return begun;
  const isDone = await carryOut(parts, begun, { torrentsMax: TORRENTS_AT_ONCE });
  return { from: begun.from, into: begun.into, isDone };
}

function errorsOf(refusal: Refusal): Errors {
  return { [refusal.field ?? 'from']: refusal.message };
}
