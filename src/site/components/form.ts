// Forms and their fields. A change is always a POST with the visitor's token in a hidden field;
// `postForm` puts it there. Each field has a visible label, its hint and its error before it, tied
// to it by id.

import { html } from 'hono/html';
import { attribute, type Html, NOTHING } from './markup.ts';
import { refusalNotice } from './notice.ts';

/** The field in which every changing form carries its CSRF token. */
export const CSRF_FIELD = 'csrf';
/** In which a form says what it showed; see shown.ts. */
export const SHOWN_FIELD = 'shown';

export interface PostForm {
  readonly action: string;
  /** From `visit.csrfToken`. */
  readonly csrf: string;
  readonly body: Html;
  /** Needed where a file is sent. */
  readonly multipart?: boolean;
  /** Version of what the form shows: over anything else it is not saved. */
  readonly shown?: string;
  /** For a single button within a line of text or a table cell. */
  readonly inline?: boolean;
  /** For its script: `data-uploads`. */
  readonly data?: { readonly uploads: string };
  /** Names the form for screen readers where its heading does not. */
  readonly label?: string;
}

export function postForm(form: PostForm): Html {
  const { action, csrf, body, multipart, inline, label, data, shown } = form;
  const encoding = multipart ? 'multipart/form-data' : undefined;
  return html`<form class="${inline ? 'inline-form' : 'form'}" method="post" action="${action}"${attribute('enctype', encoding)}${attribute('aria-label', label)}${attribute('data-uploads', data?.uploads)}>${csrfField(csrf)}${shown === undefined ? NOTHING : html`<input type="hidden" name="${SHOWN_FIELD}" value="${shown}">`}${body}</form>`;
}

export function csrfField(csrf: string): Html {
  return html`<input type="hidden" name="${CSRF_FIELD}" value="${csrf}">`;
}

export interface FieldBase {
  readonly name: string;
  readonly label: string;
  readonly hint?: string | Html;
  /** What is wrong with the value that was sent, and what would be right. */
  readonly error?: string | undefined;
  readonly required?: boolean;
}

export interface TextField extends FieldBase {
  readonly type?: 'text' | 'password' | 'email' | 'url' | 'search' | 'number' | 'datetime-local';
  readonly value?: string | undefined;
  /** The browser's own words: `username`, `new-password`, `off`. */
  readonly autocomplete?: string;
  readonly lengthMin?: number;
  readonly lengthMax?: number;
  readonly placeholder?: string;
  readonly autofocus?: boolean;
  /** `none` where capitals would be wrong: names, addresses. */
  readonly autocapitalize?: 'none';
}

export function textField(field: TextField): Html {
  const { name, type = 'text', value, required, autocomplete, placeholder } = field;
  return wrap(
    field,
    html`<input class="input" id="${name}" name="${name}" type="${type}"${attribute('value', value)}${attribute('required', required)}${attribute('autocomplete', autocomplete)}${attribute('minlength', field.lengthMin)}${attribute('maxlength', field.lengthMax)}${attribute('placeholder', placeholder)}${attribute('autofocus', field.error === undefined ? field.autofocus : undefined)}${attribute('autocapitalize', field.autocapitalize)}${described(field)}>`,
  );
}

export interface TextArea extends FieldBase {
  readonly value?: string | undefined;
  readonly rows?: number;
  readonly lengthMax?: number;
}

export function textArea(field: TextArea): Html {
  const { name, value = '', rows = 6, required, lengthMax } = field;
  // A leading line break after the tag is dropped by browsers, so one is always given.
  return wrap(
    field,
    html`<textarea class="input" id="${name}" name="${name}" rows="${rows}"${attribute('maxlength', lengthMax)}${attribute('required', required)}${described(field)}>
${value}</textarea>`,
  );
}

export interface Option {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

export interface SelectField extends FieldBase {
  readonly options: readonly Option[];
  readonly value?: string | undefined;
}

export function selectField(field: SelectField): Html {
  const { name, options, value, required } = field;
  const items = options.map(
    (option) =>
      html`<option value="${option.value}"${attribute('selected', option.value === value)}>${option.label}</option>`,
  );
  return wrap(
    field,
    html`<select class="input" id="${name}" name="${name}"${attribute('required', required)}${described(field)}>${items}</select>`,
  );
}

/** One of a few, each with its consequence beside it. */
export function radioField(field: SelectField): Html {
  const items = field.options.map(
    (option) =>
      html`<label class="choice"><input type="radio" name="${field.name}" value="${option.value}"${attribute('checked', option.value === field.value)}${attribute('required', field.required)}><span>${option.label}${option.hint === undefined ? NOTHING : html`<span class="hint">${option.hint}</span>`}</span></label>`,
  );
  return html`<fieldset class="field" id="${field.name}"${attribute('tabindex', field.error === undefined ? undefined : '-1')}${described(field)}><legend>${field.label}</legend>${below(field)}${items}</fieldset>`;
}

export interface CheckField extends Omit<SelectField, 'value'> {
  /** Those that are ticked. */
  readonly values: readonly string[];
}

/** Any of several, sent under one name. */
export function checkField(field: CheckField): Html {
  const items = field.options.map(
    (option) =>
      html`<label class="choice"><input type="checkbox" name="${field.name}" value="${option.value}"${attribute('checked', field.values.includes(option.value))}><span>${option.label}${option.hint === undefined ? NOTHING : html`<span class="hint">${option.hint}</span>`}</span></label>`,
  );
  return html`<fieldset class="field" id="${field.name}"${attribute('tabindex', field.error === undefined ? undefined : '-1')}${described(field)}><legend>${field.label}</legend>${below(field)}${items}</fieldset>`;
}

export interface FileField extends FieldBase {
  /** Endings or media types, `.torrent,application/x-bittorrent`. */
  readonly accept?: string;
}

export function fileField(field: FileField): Html {
  const { name, accept, required } = field;
  return wrap(
    field,
    html`<input class="input" id="${name}" name="${name}" type="file"${attribute('accept', accept)}${attribute('required', required)}${described(field)}>`,
  );
}

/** Above a form that was sent back: how many fields to look at, each a link to it. */
export function errorSummary(errors: Readonly<Record<string, string>>): Html {
  const entries = Object.entries(errors);
  if (entries.length === 0) return NOTHING;
  const lines = entries.map(([name, text]) => html`<li><a href="#${name}">${text}</a></li>`);
  const title =
    entries.length === 1 ? 'One thing to correct' : `${entries.length} things to correct`;
  return refusalNotice(html`<strong>${title}</strong><ul>${lines}</ul>`);
}

/** The buttons that end a form. */
export function formActions(...buttons: readonly Html[]): Html {
  return html`<div class="form-actions">${buttons}</div>`;
}

function wrap(field: FieldBase, control: Html): Html {
  return html`<div class="field"><label for="${field.name}">${field.label}</label>${below(field)}${control}</div>`;
}

function below({ name, hint, error }: FieldBase): Html {
  const hintLine =
    hint === undefined ? NOTHING : html`<p class="hint" id="${name}-hint">${hint}</p>`;
  const errorLine =
    error === undefined ? NOTHING : html`<p class="error" id="${name}-error">${error}</p>`;
  return html`${hintLine}${errorLine}`;
}

/** Of all that have the focus when a page comes, the first one gets it: the summary where there is one. */
function described({ name, hint, error }: FieldBase): Html {
  const ids = [
    hint === undefined ? '' : `${name}-hint`,
    error === undefined ? '' : `${name}-error`,
  ];
  const described = ids.filter((id) => id !== '').join(' ');
  return html`${attribute('aria-describedby', described === '' ? undefined : described)}${error === undefined ? NOTHING : html` aria-invalid="true" autofocus`}`;
}
