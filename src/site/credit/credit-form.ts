// The form that opens a window of credit: what counts instead, from when, until when. Times are UTC, as
// everywhere on the site.

import { html } from 'hono/html';
import { type Credit, NO_END_MS } from '#accounting/credit.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import { selectField, textField } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import type { Form } from '#site/form-data.ts';

interface Kind {
  readonly value: string;
  readonly label: string;
  readonly credit: Credit;
}

const KINDS: readonly Kind[] = [
  {
    value: 'free',
    label: 'Freeleech: taking is free',
    credit: { uploadCreditPercent: 100, downloadCreditPercent: 0 },
  },
  {
    value: 'half',
    label: 'Half: taking counts for half',
    credit: { uploadCreditPercent: 100, downloadCreditPercent: 50 },
  },
  {
    value: 'double',
    label: 'Double: giving counts twice',
    credit: { uploadCreditPercent: 200, downloadCreditPercent: 100 },
  },
  {
    value: 'free-double',
    label: 'Freeleech, and giving counts twice',
    credit: { uploadCreditPercent: 200, downloadCreditPercent: 0 },
  },
];

/** As typed. */
export interface CreditValues {
  readonly credit: string;
  readonly from: string;
  readonly until: string;
}

export const NO_CREDIT_VALUES: CreditValues = { credit: 'free', from: '', until: '' };

export function creditValues(form: Form): CreditValues {
  const text = (name: string): string => form.text(name).trim().slice(0, 30);
  return { credit: text('credit'), from: text('from'), until: text('until') };
}

export interface ReadWindow extends Credit {
  readonly fromMs: number;
  readonly untilMs: number;
}

export function readCredit(
  values: CreditValues,
  nowMs: number,
): { readonly window: ReadWindow } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  const kind = KINDS.find((one) => one.value === values.credit);
  if (kind === undefined) errors['credit'] = 'Choose what counts.';
  const fromMs = values.from === '' ? nowMs : readUtc(values.from);
  if (fromMs === undefined) errors['from'] = TIME_FORM;
  const untilMs = values.until === '' ? NO_END_MS : readUtc(values.until);
  if (untilMs === undefined) errors['until'] = TIME_FORM;
  if (kind === undefined || fromMs === undefined || untilMs === undefined) return { errors };
  return { window: { ...kind.credit, fromMs, untilMs } };
}

const TIME_FORM = 'A day and a time in UTC are needed, such as 2026-12-24 18:00, or nothing.';

/** `2026-12-24T18:00` as browsers send it; a blank for the T and seconds are fine. */
export function readUtc(text: string): number | undefined {
  const [, day = '', time = '00:00', seconds = ':00'] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?)?Z?$/.exec(text) ?? [];
  const atMs = day === '' ? Number.NaN : Date.parse(`${day}T${time}${seconds}Z`);
  // The 30th of February is read as a day of March, and 24:00 as the next day's midnight.
  const isThatDay = !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(day);
  return isThatDay ? atMs : undefined;
}

export function creditFields(values: CreditValues, errors: Errors): Html {
  const kind = selectField({
    name: 'credit',
    label: 'What counts',
    value: values.credit,
    options: KINDS.map(({ value, label }) => ({ value, label })),
    error: errors['credit'] ?? errors['percent'],
  });
  const from = textField({
    name: 'from',
    label: 'Begins',
    type: 'datetime-local',
    hint: 'In UTC. Empty is now.',
    value: values.from,
    error: errors['from'],
  });
  const until = textField({
    name: 'until',
    label: 'Ends',
    type: 'datetime-local',
    hint: 'In UTC. Empty is when you end it.',
    value: values.until,
    error: errors['until'],
  });
  return html`${kind}${from}${until}`;
}

/** `Freeleech`, `Giving counts twice`, `Taking counts for 25 %`. */
export function creditWords({
  uploadCreditPercent: up,
  downloadCreditPercent: down,
}: Credit): string {
  const taking = down === 100 ? '' : down === 0 ? 'Freeleech' : `Taking counts for ${down} %`;
  const giving = up === 100 ? '' : up === 200 ? 'giving counts twice' : `giving counts for ${up} %`;
  const both = [taking, giving].filter((words) => words !== '').join(', ');
  return both === '' ? 'Everything counts in full' : both.slice(0, 1).toUpperCase() + both.slice(1);
}
