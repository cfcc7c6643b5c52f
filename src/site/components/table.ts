// A table of things: one row each, the first title column names it. Below 640 px rows become cards,
// each value led by its column's label.

import { html } from 'hono/html';
import { icon } from './icon.ts';
import { attribute, classes, type Html, NOTHING } from './markup.ts';

export interface Sorting {
  /** The address of this list sorted by this column, in the other direction when it already is. */
  readonly href: string;
  /** Present when the list is sorted by this column now. */
  readonly direction?: 'ascending' | 'descending';
}

export interface Column<Row> {
  readonly label: string;
  readonly cell: (row: Row) => string | number | Html;
  /** `title` names the row and is its heading; `figure` is right-aligned; `actions` has buttons. */
  readonly kind?: 'title' | 'text' | 'figure' | 'actions';
  readonly sort?: Sorting;
}

export interface Table<Row> {
  /** What the table shows, for screen readers. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** Has so many columns that rows are cards below 992 px already, instead of below 640 px. */
  readonly isWide?: boolean;
}

export function table<Row>({ caption, columns, rows, isWide }: Table<Row>): Html {
  const hasSort = columns.some((column) => column.sort !== undefined);
  const lines = rows.map(
    (row) => html`<tr role="row">${columns.map((column) => cell(column, row))}</tr>`,
  );
  return html`<div class="table-frame"><table class="${classes('table', isWide && 'table-wide', hasSort && 'has-sort')}" role="table"><caption class="visually-hidden">${caption}</caption><thead role="rowgroup"><tr role="row">${columns.map(heading)}</tr></thead><tbody role="rowgroup">${lines}</tbody></table></div>`;
}

function heading<Row>({ label, kind, sort }: Column<Row>): Html {
  const className = classes(kind === 'figure' && 'end', sort !== undefined && 'sortable');
  const classText = attribute('class', className === '' ? undefined : className);
  if (kind === 'actions') {
    return html`<th role="columnheader" scope="col"><span class="visually-hidden">${label}</span></th>`;
  }
  if (sort === undefined)
    return html`<th role="columnheader" scope="col"${classText}>${label}</th>`;
  const arrow =
    sort.direction === undefined ? NOTHING : icon(sort.direction === 'ascending' ? 'up' : 'down');
  return html`<th role="columnheader" scope="col"${classText}${attribute('aria-sort', sort.direction)}><a href="${sort.href}">${label}${arrow}</a></th>`;
}

function cell<Row>({ label, cell: content, kind = 'text' }: Column<Row>, row: Row): Html {
  switch (kind) {
    case 'title':
      return html`<th role="rowheader" scope="row" class="title">${content(row)}</th>`;
    case 'actions':
      return html`<td role="cell" class="actions">${content(row)}</td>`;
    case 'figure':
      return html`<td role="cell" class="end" data-label="${label}">${content(row)}</td>`;
    case 'text':
      return html`<td role="cell" data-label="${label}">${content(row)}</td>`;
  }
}
