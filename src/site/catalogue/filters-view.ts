// What narrows the list of torrents, as the list's page shows it: the form, what is narrowed already with
// a link that takes each away, what was read for mistyped words, and searches under a name.

import { html } from 'hono/html';
import { badgeLink } from '#site/components/badge.ts';
import { submitButton } from '#site/components/button.ts';
import { postForm, selectField, textField } from '#site/components/form.ts';
import { icon } from '#site/components/icon.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { href } from '#site/routes.ts';
import { type SavedSearch, SEARCH_NAME_CHARS_MAX } from '#site/searches/saved-searches.ts';
import type { Category, TagCount } from './categories.ts';
import {
  type AgeFilter,
  filterFields,
  filtersText,
  isNarrowed,
  type ListFilters,
  type MineFilter,
  type SeedFilter,
  sizeText,
} from './list-filters.ts';
import type { Correction } from './torrent-list.ts';

/** A filter set to undefined is taken away. */
type Change = { readonly [Filter in keyof ListFilters]?: ListFilters[Filter] | undefined };

/** This list with something changed; without `cursor` it is the first page. */
export function listHref(filters: ListFilters, change: Change, cursor?: string): string {
  const next = { ...filters, ...change } as ListFilters;
  return href('torrents', { ...filterFields(next), at: cursor });
}

const AGES: Readonly<Record<AgeFilter, string>> = {
  1: 'in the last day',
  7: 'in the last week',
  30: 'in the last month',
  365: 'in the last year',
};
const SEEDS: Readonly<Record<SeedFilter, string>> = {
  none: 'no seeder',
  some: 'a seeder or more',
  many: 'five seeders or more',
};
const MINE: Readonly<Record<MineFilter, string>> = {
  never: 'never yours',
  seeding: 'you seed it',
  leeching: 'you download it',
  had: 'you had all of it',
  owed: 'you left it too early',
};

export function filterForm(page: {
  readonly filters: ListFilters;
  readonly categories: readonly Category[];
}): Html {
  const { filters, categories } = page;
  const { q = '', sort = '' } = filterFields(filters);
  const category = selectField({
    name: 'category',
    label: 'Category',
    value: filters.category,
    options: [
      { value: '', label: 'All categories' },
      ...categories.map(({ slug, name }) => ({ value: slug, label: name })),
    ],
  });
  const tags = textField({
    name: 'tags',
    label: 'Tags',
    value: filters.tags.join(', '),
    placeholder: 'csv, climate',
    autocomplete: 'off',
    autocapitalize: 'none',
    lengthMax: 400,
  });
  return html`<form class="filters" action="${href('torrents')}" aria-label="Filter torrents">${hidden('q', q)}${hidden('sort', sort)}${category}${tags}${submitButton({ label: 'Show' })}${moreFilters(filters)}</form>`;
}

/** Open when one of them narrows the list. */
function moreFilters(filters: ListFilters): Html {
  const { sizeMin, sizeMax, ageDays, seeds, mine } = filters;
  const isOpen = [sizeMin, sizeMax, ageDays, seeds, mine].some((one) => one !== undefined);
  const size = (name: string, label: string, value: number | undefined): Html =>
    textField({
      name,
      label,
      value: value === undefined ? '' : sizeText(value),
      placeholder: '700 MiB',
      autocomplete: 'off',
      lengthMax: 30,
    });
  const choice = (
    field: { readonly name: string; readonly label: string; readonly value: string },
    words: Readonly<Record<string, string>>,
  ): Html =>
    selectField({
      ...field,
      options: [
        { value: '', label: 'Any' },
        ...Object.entries(words).map(([value, label]) => ({ value, label: capital(label) })),
      ],
    });
  return html`<details class="more-filters"${isOpen ? html` open` : NOTHING}><summary>Size, age, seeders, yours</summary><div class="filters">${size('size-from', 'Size from', sizeMin)}${size('size-to', 'Size to', sizeMax)}${choice({ name: 'added', label: 'Added', value: String(ageDays ?? '') }, AGES)}${choice({ name: 'seeds', label: 'Seeders', value: seeds ?? '' }, SEEDS)}${choice({ name: 'mine', label: 'Yours', value: mine ?? '' }, MINE)}</div></details>`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function hidden(name: string, value: string): Html {
  return value === '' ? NOTHING : html`<input type="hidden" name="${name}" value="${value}">`;
}

/** What narrows the list, each with a link that takes it away; or the tags and searches to begin with. */
export function chips(page: {
  readonly filters: ListFilters;
  readonly categories: readonly Category[];
  readonly commonTags: readonly TagCount[];
  readonly searches: readonly SavedSearch[];
}): Html {
  const { filters, commonTags } = page;
  const saved = page.searches.filter((one) => filtersText(one.filters) !== filtersText(filters));
  const begin = saved.map(
    ({ name, filters: kept }) =>
      html`<li><a class="badge" href="${listHref(kept, {})}">${icon('search')} ${name}</a></li>`,
  );
  const active = activeFilters(page).map(
    ([text, change]) =>
      html`<li><a class="badge badge-accent" href="${listHref(filters, change)}">${text} ${icon('cross')}<span class="visually-hidden"> remove this filter</span></a></li>`,
  );
  const tags = commonTags.map(
    ({ name }) => html`<li>${badgeLink(name, listHref(filters, { tags: [name] }))}</li>`,
  );
  const searches =
    begin.length === 0
      ? NOTHING
      : html`<ul class="chips" aria-label="Your saved searches">${begin}</ul>`;
  if (active.length > 0) {
    return html`<ul class="chips" aria-label="Active filters">${active}</ul>`;
  }
  if (tags.length === 0) return searches;
  return html`${searches}<ul class="chips chips-common" aria-label="Common tags">${tags}</ul>`;
}

function activeFilters(page: {
  readonly filters: ListFilters;
  readonly categories: readonly Category[];
}): readonly (readonly [text: string, change: Change])[] {
  const { words, category, tags, sizeMin, sizeMax, ageDays, seeds, mine } = page.filters;
  const named = page.categories.find((one) => one.slug === category)?.name ?? category;
  return [
    ...(words === '' ? [] : ([[`“${words}”`, { words: '' }]] as const)),
    ...(category === '' ? [] : ([[named, { category: '' }]] as const)),
    ...tags.map((tag) => [tag, { tags: tags.filter((one) => one !== tag) }] as const),
    ...(sizeMin === undefined
      ? []
      : ([[`from ${sizeText(sizeMin)}`, { sizeMin: undefined }]] as const)),
    ...(sizeMax === undefined
      ? []
      : ([[`up to ${sizeText(sizeMax)}`, { sizeMax: undefined }]] as const)),
    ...(ageDays === undefined ? [] : ([[AGES[ageDays], { ageDays: undefined }]] as const)),
    ...(seeds === undefined ? [] : ([[SEEDS[seeds], { seeds: undefined }]] as const)),
    ...(mine === undefined ? [] : ([[MINE[mine], { mine: undefined }]] as const)),
  ];
}

/** For words that nothing has, what was looked for instead. */
export function corrections(page: {
  readonly list: { readonly corrections: readonly Correction[] };
}): Html {
  const said = page.list.corrections.map(
    ({ asked, read }) =>
      html`<p>Nothing has the word “${asked}”. This is what has ${read.map((word, at) => html`${at === 0 ? '' : ' or '}“${word}”`)}.</p>`,
  );
  return said.length === 0
    ? NOTHING
    : html`<div class="flashes">${notice('info', html`${said}`)}</div>`;
}

/** Keeps what narrows the list under a name. */
export function saveForm(page: {
  readonly filters: ListFilters;
  readonly searches: readonly SavedSearch[];
  readonly csrf: string;
}): Html {
  const { filters, csrf } = page;
  if (!isNarrowed(filters)) return NOTHING;
  const text = filtersText(filters);
  const known = page.searches.find((one) => filtersText(one.filters) === text);
  if (known !== undefined) {
    return html`<p class="muted">This is your saved search “${known.name}”. <a href="${href('searches')}">Your saved searches</a></p>`;
  }
  const form = postForm({
    action: href('searches'),
    csrf,
    label: 'Save this search',
    body: html`${hidden('filters', text)}<div class="filters">${textField({
      name: 'name',
      label: 'Name of this search',
      required: true,
      lengthMax: SEARCH_NAME_CHARS_MAX,
      autocomplete: 'off',
    })}${submitButton({ label: 'Save' })}</div>`,
  });
  return html`<details class="save-search"><summary>Save this search</summary>${form}</details>`;
}
