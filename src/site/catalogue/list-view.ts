// The list of torrents as a page: filters, the table with sortable columns, the way to other pages.
// Below 640 px the table's rows become cards (components/table.ts).

import { html } from 'hono/html';
import { badge, badgeLink, health } from '#site/components/badge.ts';
import { linkButton } from '#site/components/button.ts';
import { thumb } from '#site/components/cover.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import { icon } from '#site/components/icon.ts';
import { liveText } from '#site/components/live.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { type Column, type Sorting, table } from '#site/components/table.ts';
import { thumbHref } from '#site/covers/cover-pages.ts';
import { creditWords } from '#site/credit/credit-form.ts';
import { formatCount, formatPercent, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { SavedSearch } from '#site/searches/saved-searches.ts';
import type { SwarmCounts } from '#site/swarms.ts';
import type { Category, TagCount } from './categories.ts';
import { chips, corrections, filterForm, listHref, saveForm } from './filters-view.ts';
import { filterFields, isNarrowed, type ListFilters, NO_FILTERS } from './list-filters.ts';
import type { ListMarks } from './list-marks.ts';
import type { MyState } from './my-state.ts';
import type { ListedTorrent, TorrentList, TorrentSort } from './torrent-list.ts';

export interface ListedRow extends ListedTorrent {
  readonly live: SwarmCounts;
  readonly mine: MyState;
  readonly marks: ListMarks;
}

export interface ListPage {
  readonly filters: ListFilters;
  readonly list: Omit<TorrentList, 'rows'>;
  readonly rows: readonly ListedRow[];
  readonly categories: readonly Category[];
  readonly commonTags: readonly TagCount[];
  readonly searches: readonly SavedSearch[];
  readonly csrf: string;
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
  const shown = page.rows.length > 0 ? rows(page) : (nothingYet(page) ?? empty(page));
  return html`${head}${filterForm(page)}${chips(page)}${corrections(page)}${shown}${saveForm(page)}${feedLink(page)}`;
}

/** The same list for feed readers and clients. */
function feedLink({ filters }: ListPage): Html {
  const { sort: _, ...fields } = filterFields(filters);
  return html`<p class="small"><a href="${href('feeds', fields)}">Feed of this list</a></p>`;
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
    : `At least ${plural(list.total, 'torrent')}`;
  if (filters.sort !== undefined) return `${count}.`;
  return filters.words === '' ? `${count}, newest first.` : `${count}, best matches first.`;
}

function rows(page: ListPage): Html {
  const { filters } = page;
  const shown = table({
    caption: headline(filters, page.categories),
    columns: tableColumns(page),
    rows: page.rows,
    isWide: true,
  });
  return html`${shown}${ways(page, `${plural(page.rows.length, 'torrent')} on this page`)}`;
}

/** Where so much was looked at in vain that the page ended (list-order.ts). */
function nothingYet(page: ListPage): Html | undefined {
  const { nextCursor, previousCursor } = page.list;
  if (nextCursor === undefined && previousCursor === undefined) return undefined;
  const summary = 'None of the torrents that were looked at for this page fits all of that.';
  return ways(page, nextCursor === undefined ? summary : `${summary} The next page looks further.`);
}

function ways({ filters, list }: ListPage, summary: string): Html {
  const { nextCursor, previousCursor } = list;
  if (nextCursor === undefined && previousCursor === undefined) return NOTHING;
  return pager({
    summary,
    ...(previousCursor === undefined
      ? {}
      : { previousHref: listHref(filters, {}, previousCursor) }),
    ...(nextCursor === undefined ? {} : { nextHref: listHref(filters, {}, nextCursor) }),
  });
}

function tableColumns({ filters, nowMs }: ListPage): readonly Column<ListedRow>[] {
  const sort = (by: TorrentSort): Sorting => sorting(filters, by);
  // Most rows lead to what other rows of the page lead to.
  const categoryHref = once((category) => listHref(NO_FILTERS, { category }));
  const tagHref = once((tag) => {
    const isActive = filters.tags.includes(tag);
    return listHref(filters, { tags: isActive ? filters.tags : [...filters.tags, tag] });
  });
  return [
    { label: 'Title', kind: 'title', sort: sort('title'), cell: (row) => titleCell(row, tagHref) },
    {
      label: 'Category',
      cell: (row) => html`<a href="${categoryHref(row.category)}">${row.categoryName}</a>`,
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
      cell: (row) => liveText('s', { torrentId: row.id }, formatCount(row.live.seeders)),
    },
    {
      label: 'Leechers',
      kind: 'figure',
      sort: sort('leechers'),
      cell: (row) => liveText('l', { torrentId: row.id }, formatCount(row.live.leechers)),
    },
    {
      label: 'Completed',
      kind: 'figure',
      sort: sort('completed'),
      cell: (row) => liveText('c', { torrentId: row.id }, formatCount(row.live.completed)),
    },
    { label: 'Yours', cell: (row) => myStateBadge(row.mine) },
  ];
}

/** Remembers what was made of each text. */
function once(make: (text: string) => string): (text: string) => string {
  const made = new Map<string, string>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined) return known;
    const one = make(text);
    made.set(text, one);
    return one;
  };
}

function titleCell(row: ListedRow, tagHref: (tag: string) => string): Html {
  const tags = row.tags.slice(0, TAGS_SHOWN).map((tag) => badgeLink(tag, tagHref(tag)));
  const more = row.tags.length - TAGS_SHOWN;
  const rest = more > 0 ? html`<span>+${more}</span>` : NOTHING;
  const { cover } = row.marks;
  const picture = cover === undefined ? NOTHING : thumb(thumbHref(row.infoHash, cover));
  return html`${picture}<a href="${hrefTo('torrent', { hash: row.infoHash })}">${row.title}</a><div class="under">${health(row.live, { torrentId: row.id })}${markBadges(row.marks)}${tags}${rest}</div>`;
}

function markBadges({ isKept, isDamaged, credit }: ListMarks): Html {
  const whole = isKept ? badge('plain', 'Kept by the archive') : NOTHING;
  const kept = isDamaged ? badge('bad', 'Damaged in the archive') : whole;
  const { uploadCreditPercent: up, downloadCreditPercent: down } = credit;
  if (up === 100 && down === 100) return kept;
  return html`${badge('accent', down === 0 && up === 100 ? 'Freeleech' : creditWords(credit))}${kept}`;
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
    case 'owed':
      return badge('warn', 'Seed it again');
  }
}

function empty({ filters, mayUpload }: ListPage): Html {
  if (isNarrowed(filters)) {
    return emptyState({
      title: 'Nothing fits all of that',
      text: 'Fewer words or tags find more. Words of three letters or more match from their beginning, in titles, tags, descriptions and file names.',
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
