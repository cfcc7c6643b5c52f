// What every template gives and takes: the result of `html` from hono/html, which escapes all that
// is put into it. Booleans and `undefined` must not be put into attributes; `attribute` says when
// there is one.

import { html } from 'hono/html';

export type Html = ReturnType<typeof html>;

/** Nothing at all, for the other branch of a condition. */
export const NOTHING: Html = html``;

/** ` name="value"`, or nothing when there is no value. `true` gives the bare attribute. */
export function attribute(name: string, value: string | number | boolean | undefined): Html {
  if (value === undefined || value === false) return NOTHING;
  if (value === true) return html` ${name}`;
  return html` ${name}="${value}"`;
}

/** Class names that apply, joined. */
export function classes(...names: readonly (string | false | undefined)[]): string {
  return names.filter((name) => typeof name === 'string' && name !== '').join(' ');
}
