// The list of torrents as a page: filters, the table with sortable columns, the way to other pages.
// Below 640 px the table's rows become cards (components/table.ts).

import { html } from 'hono/html';
import { badge, badgeLink, health } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import { selectField, textField } from '#site/components/form.ts';
import { icon } from '#site/components/icon.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { type Column, type Sorting, table } from '#site/components/table.ts';
import { formatCount, formatPercent, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { SwarmCounts } from '#site/swarms.ts';
import type { Category, TagCount } from './categories.ts';
import type { MyState } from './my-state.ts';
import type { ListedTorrent, TorrentList, TorrentSort } from './torrent-list.ts';

export interface ListFilters {
  readonly words: string;
  readonly category: string;
  readonly tags: readonly string[];
  readonly sort: { readonly by: TorrentSort; readonly descending: boolean } | undefined;
}

export interface ListedRow extends ListedTorrent {
  readonly live: SwarmCounts;
  readonly mine: MyState;
}

export interface ListPage {
  readonly filters: ListFilters;
  readonly list: Omit<TorrentList, 'rows'>;
  readonly rows: readonly ListedRow[];
  readonly categories: readonly Category[];
  readonly commonTags: readonly TagCount[];
  readonly mayUpload: boolean;
  readonly nowMs: number;
}

const TAGS_SHOWN = 4;

export function listView(page: ListPage): Html {
  const upload = page.mayUpload
    ? {
        actions: linkButton({
          label: html`${icon('plus')} Upload`,
          href: href('upload'),
          kind: 'primary',
        }),
      }
    : {};
  const head = pageHead({
    title: headline(page.filters, page.categories),
    lead: lead(page),
    ...upload,
  });
  return html`${head}${filterForm(page)}${chips(page)}${page.rows.length === 0 ? empty(page) : rows(page)}`;
}

export function headline(filters: ListFilters, categories: readonly Category[]): string {
  if (filters.words !== '') return `Torrents with “${filters.words}”`;
  const category = categories.find((one) => one.slug === filters.category);
  return category === undefined ? 'Torrents' : category.name;
}

function lead({ list, filters }: ListPage): string {
  if (list.total === 0) return '';
  const count = list.isTotalExact
    ? plural(list.total, 'torrent')
    : `More than ${plural(list.total, 'torrent')}`;
  if (filters.sort !== undefined) return `${count}.`;
  return filters.words === '' ? `${count}, newest first.` : `${count}, best matches first.`;
}

interface Change {
  readonly words?: string;
  readonly category?: string;
  readonly tags?: readonly string[];
  readonly sort?: ListFilters['sort'];
  readonly cursor?: string;
}

/** This list with something changed; without `cursor` it is the first page. */
export function listHref(filters: ListFilters, change: Change): string {
  const next = { ...filters, ...change };
  return href('torrents', {
    q: next.words,
    category: next.category,
    tags: next.tags.join(','),
    sort: sortText(next.sort),
    at: change.cursor,
  });
}

function filterForm({ filters, categories }: ListPage): Html {
  const { words, category, tags } = filters;
  const any = { value: '', label: 'All categories' };
  return html`<form class="filters" action="${href('torrents')}" aria-label="Filter torrents">${hidden('q', words)}${hidden('sort', sortText(filters.sort))}${selectField(
    {
      name: 'category',
      label: 'Category',
      value: category,
      options: [any, ...categories.map(({ slug, name }) => ({ value: slug, label: name }))],
    },
  )}${textField({
    name: 'tags',
    label: 'Tags',
    value: tags.join(', '),
    placeholder: 'csv, climate',
    autocomplete: 'off',
    autocapitalize: 'none',
    lengthMax: 400,
  })}${submitButton({ label: 'Show' })}</form>`;
}

function hidden(name: string, value: string): Html {
  return value === '' ? NOTHING : html`<input type="hidden" name="${name}" value="${value}">`;
}

function sortText(sort: ListFilters['sort']): string {
  return sort === undefined ? '' : `${sort.descending ? '-' : ''}${sort.by}`;
}

/** What narrows the list, each with a link that takes it away; or the tags to begin with. */
function chips({ filters, categories, commonTags }: ListPage): Html {
  const active: Html[] = [];
  const remove = (text: string, target: string): void => {
    active.push(
      html`<li><a class="badge badge-accent" href="${target}">${text} ${icon('cross')}<span class="visually-hidden"> remove this filter</span></a></li>`,
    );
  };
  if (filters.words !== '') remove(`“${filters.words}”`, listHref(filters, { words: '' }));
  const category = categories.find((one) => one.slug === filters.category);
  if (filters.category !== '') {
    remove(category?.name ?? filters.category, listHref(filters, { category: '' }));
  }
  for (const tag of filters.tags) {
    remove(tag, listHref(filters, { tags: filters.tags.filter((one) => one !== tag) }));
  }
  if (active.length > 0) return html`<ul class="chips" aria-label="Active filters">${active}</ul>`;
  if (commonTags.length === 0) return NOTHING;
  const tags = commonTags.map(
    ({ name }) => html`<li>${badgeLink(name, listHref(filters, { tags: [name] }))}</li>`,
  );
  return html`<ul class="chips chips-common" aria-label="Common tags">${tags}</ul>`;
}

function rows(page: ListPage): Html {
  const { filters, list } = page;
  const shown = table({
    caption: headline(filters, page.categories),
    columns: tableColumns(page),
    rows: page.rows,
    isWide: true,
  });
  const { nextCursor, previousCursor } = list;
  const ways = {
    ...(previousCursor === undefined
      ? {}
      : { previousHref: listHref(filters, { cursor: previousCursor }) }),
    ...(nextCursor === undefined ? {} : { nextHref: listHref(filters, { cursor: nextCursor }) }),
  };
  const hasWays = nextCursor !== undefined || previousCursor !== undefined;
  const summary = `${plural(page.rows.length, 'torrent')} on this page`;
  return html`${shown}${hasWays ? pager({ summary, ...ways }) : NOTHING}`;
}

function tableColumns({ filters, nowMs }: ListPage): readonly Column<ListedRow>[] {
  const sort = (by: TorrentSort): Sorting => sorting(filters, by);
  return [
    { label: 'Title', kind: 'title', sort: sort('title'), cell: (row) => titleCell(row, filters) },
    {
      label: 'Category',
      cell: (row) =>
        html`<a href="${listHref(NO_FILTERS, { category: row.category })}">${row.categoryName}</a>`,
    },
    { label: 'Size', kind: 'figure', sort: sort('size'), cell: (row) => bytes(row.sizeBytes) },
    {
      label: 'Files',
      kind: 'figure',
      sort: sort('files'),
      cell: (row) => formatCount(row.fileCount),
    },
    {
      label: 'Added',
      kind: 'figure',
      sort: sort('added'),
      cell: (row) => timeAgo(row.createdMs, nowMs),
    },
    {
      label: 'Seeders',
      kind: 'figure',
      sort: sort('seeders'),
      cell: (row) => formatCount(row.live.seeders),
    },
    {
      label: 'Leechers',
      kind: 'figure',
      sort: sort('leechers'),
      cell: (row) => formatCount(row.live.leechers),
    },
    {
      label: 'Completed',
      kind: 'figure',
      sort: sort('completed'),
      cell: (row) => formatCount(row.live.completed),
    },
    { label: 'Yours', cell: (row) => myStateBadge(row.mine) },
  ];
}

const NO_FILTERS: ListFilters = { words: '', category: '', tags: [], sort: undefined };

function titleCell(row: ListedRow, filters: ListFilters): Html {
  const tags = row.tags.slice(0, TAGS_SHOWN).map((tag) => {
    const isActive = filters.tags.includes(tag);
    const next = isActive ? filters.tags : [...filters.tags, tag];
    return badgeLink(tag, listHref(filters, { tags: next }));
  });
  const more = row.tags.length - TAGS_SHOWN;
  const rest = more > 0 ? html`<span>+${more}</span>` : NOTHING;
  return html`<a href="${hrefTo('torrent', { hash: row.infoHash })}">${row.title}</a><div class="under">${health(row.live)}${tags}${rest}</div>`;
}

function sorting(filters: ListFilters, by: TorrentSort): Sorting {
  const now =
    filters.sort ?? (filters.words === '' ? { by: 'added', descending: true } : undefined);
  const isCurrent = now?.by === by;
  const descending = isCurrent ? !now.descending : by !== 'title';
  const target = listHref(filters, { sort: { by, descending } });
  if (!isCurrent) return { href: target };
  return { href: target, direction: now.descending ? 'descending' : 'ascending' };
}

export function myStateBadge(mine: MyState): Html {
  switch (mine.kind) {
    case 'never':
      return NOTHING;
    case 'leeching':
      return badge('accent', `Leeching ${formatPercent(mine.part)}`);
    case 'seeding':
      return badge('good', 'Seeding');
    case 'completed':
      return badge('plain', 'Completed');
    case 'begun':
      return badge('plain', 'Begun');
  }
}

function empty({ filters, mayUpload }: ListPage): Html {
  const isFiltered = filters.words !== '' || filters.category !== '' || filters.tags.length > 0;
  if (isFiltered) {
    return emptyState({
      title: 'Nothing fits all of that',
      text: 'Fewer words or tags find more. Words match from their beginning, in titles, tags, descriptions and file names.',
      action: linkButton({ label: 'Show all torrents', href: href('torrents') }),
      icon: 'search',
    });
  }
  return emptyState({
    title: 'No torrents yet',
    text: 'Make a torrent of a file or folder with your client, upload the .torrent file here, and seed it. Others can then get it from you and from each other.',
    ...(mayUpload
      ? {
          action: linkButton({
            label: 'Upload the first one',
            href: href('upload'),
            kind: 'primary',
          }),
        }
      : {}),
  });
}
