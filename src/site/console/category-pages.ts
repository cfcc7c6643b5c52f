// Categories and tags, as the operator orders them.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { commonTags } from '#site/catalogue/categories.ts';
import {
  addCategory,
  type CategoryCount,
  categoriesVersion,
  categoryCounts,
  removeCategory,
  renameCategory,
  swapCategory,
} from '#site/catalogue/category-changes.ts';
import { badgeLink } from '#site/components/badge.ts';
import { submitButton } from '#site/components/button.ts';
import { formActions, postForm, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { refusalNotice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { formatCount } from '#site/format/number.ts';
import { Refusal } from '#site/refusal.ts';
import { href } from '#site/routes.ts';
import { isUnseen } from '#site/shown.ts';
import type { Visit } from '#site/visit.ts';
import { inConsole } from './console-views.ts';

const TAGS_SHOWN = 40;
const LATE =
  'Somebody changed the categories since you opened this page. Nothing was done: they stand below as they are now.';

export async function showCategories(visit: Visit): Promise<Response> {
  return await categoriesPage(visit, {});
}

export async function postCategories(visit: Visit): Promise<Response> {
  const { form, parts } = visit;
  const slug = form.text('slug').trim().toLowerCase();
  const name = form.text('name');
  const act = (): Promise<Refusal | undefined> => {
    switch (form.text('action')) {
      case 'add':
        return addCategory(parts.sql, { slug, name });
      case 'rename':
        return renameCategory(parts.sql, { slug, name }, visit.shown);
      case 'up':
        return swapCategory(parts.sql, slug, visit.shown);
      case 'remove':
        return removeCategory(parts.sql, slug);
      default:
        return Promise.resolve(new Refusal('action-unknown', 'There is no such action.', 'name'));
    }
  };
  const refused = await act();
  if (isUnseen(refused)) return await categoriesPage(visit, {}, true);
  if (refused !== undefined) {
    return await categoriesPage(visit, { [refused.field ?? 'name']: refused.message });
  }
  return visit.redirect(href('consoleCategories'), { kind: 'good', text: 'Done.' });
}

async function categoriesPage(visit: Visit, errors: Errors, isLate = false): Promise<Response> {
  const { sql } = visit.parts;
  const categories = await categoryCounts(sql);
  const tags = await commonTags(sql, TAGS_SHOWN);
  const head = pageHead({
    title: 'Categories and tags',
    lead: 'A torrent has one category, and any tags.',
  });
  const tagLines =
    tags.length === 0
      ? html`<p class="muted">No torrent has a tag yet.</p>`
      : html`<ul class="chips">${tags.map((tag) => html`<li>${badgeLink(`${tag.name} ${formatCount(tag.torrents)}`, href('torrents', { tags: tag.name }))}</li>`)}</ul>`;
  const late = isLate ? refusalNotice(LATE) : NOTHING;
  const body = html`${head}<div class="stack">${late}${panel({ title: 'Categories', body: categoryTable(visit, categories), flush: true })}${addPanel(visit, errors, categories)}${panel({ title: 'Most used tags', aside: html`<a href="${href('consoleTags')}">All, rename, join</a>`, body: tagLines })}</div>`;
  const main = inConsole('categories', body);
  const status = isLate ? 409 : Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Categories and tags', main, section: 'console', status });
}

function categoryTable(visit: Visit, categories: readonly CategoryCount[]): Html {
  const form = { csrf: visit.csrfToken, shown: categoriesVersion(categories) };
  const action = (one: CategoryCount, button: readonly [string, string]) =>
    actionForm(form, one, button);
  return table({
    caption: 'Categories in their order',
    rows: categories,
    columns: [
      { label: 'Category', kind: 'title', cell: (one) => one.name },
      { label: 'In addresses', cell: (one) => html`<code>${one.slug}</code>` },
      { label: 'Torrents', kind: 'figure', cell: (one) => formatCount(one.torrents) },
      {
        label: 'Actions',
        kind: 'actions',
        cell: (one) =>
          html`<div class="row">${one === categories[0] ? NOTHING : action(one, ['up', 'Move up'])}${one.torrents === 0 ? action(one, ['remove', 'Remove']) : NOTHING}</div>`,
      },
    ],
  });
}

function actionForm(
  form: { readonly csrf: string; readonly shown: string },
  { slug, name }: CategoryCount,
  [value, label]: readonly [string, string],
): Html {
  const body = html`<input type="hidden" name="slug" value="${slug}">${submitButton({ label, about: name, name: 'action', value, small: true })}`;
  return postForm({
    action: href('consoleCategories'),
    ...form,
    inline: true,
    body,
  });
}

function addPanel(
  { csrfToken: csrf, form }: Visit,
  errors: Errors,
  categories: readonly CategoryCount[],
): Html {
  const isTyped = ['add', 'rename'].includes(form.text('action'));
  const fields = html`${textField({
    name: 'slug',
    label: 'In addresses',
    hint: 'Small letters, digits and hyphens; it stays as it is. One that is there already is renamed.',
    required: true,
    lengthMax: 32,
    value: isTyped ? form.text('slug') : '',
    autocomplete: 'off',
    autocapitalize: 'none',
    error: errors['slug'],
  })}${textField({
    name: 'name',
    label: 'Name',
    required: true,
    lengthMax: 50,
    value: isTyped ? form.text('name') : '',
    autocomplete: 'off',
    error: errors['name'],
  })}${formActions(
    submitButton({ label: 'Add', kind: 'primary', name: 'action', value: 'add' }),
    submitButton({ label: 'Rename', name: 'action', value: 'rename' }),
  )}`;
  const shown = categoriesVersion(categories);
  const body = postForm({ action: href('consoleCategories'), csrf, body: fields, shown });
  return panel({ title: 'Add or rename one', body });
}
