// Buttons. One primary button a page; a danger button only asks, the solid one on its confirmation
// page acts.

import { html } from 'hono/html';
import { attribute, classes, type Html } from './markup.ts';

export type ButtonKind = 'primary' | 'plain' | 'quiet' | 'danger' | 'danger-solid';

export interface ButtonLook {
  readonly kind?: ButtonKind;
  readonly small?: boolean;
  readonly wide?: boolean;
}

export interface SubmitButton extends ButtonLook {
  readonly label: string | Html;
  /** Sent with the form when this button is the one pressed. */
  readonly name?: string;
  readonly value?: string;
  /** For "Revoke" in a list: what is revoked, read after the label. */
  readonly about?: string;
}

/** Submits the form it stands in. */
export function submitButton(button: SubmitButton): Html {
  const { label, name, value, about } = button;
  return html`<button type="submit" class="${look(button)}"${attribute('name', name)}${attribute('value', value)}>${label}${aboutText(about)}</button>`;
}

export interface LinkButton extends ButtonLook {
  readonly label: string | Html;
  readonly href: string;
  readonly about?: string;
}

/** Goes somewhere; changes nothing. */
export function linkButton(button: LinkButton): Html {
  return html`<a class="${look(button)}" href="${button.href}">${button.label}${aboutText(button.about)}</a>`;
}

function aboutText(about: string | undefined): Html {
  return about === undefined ? html`` : html` <span class="visually-hidden">${about}</span>`;
}

function look({ kind = 'plain', small, wide }: ButtonLook): string {
  const kinds = {
    primary: 'button-primary',
    plain: '',
    quiet: 'button-quiet',
    danger: 'button-danger',
    'danger-solid': 'button-danger button-solid',
  } as const;
  return classes('button', kinds[kind], small && 'button-small', wide && 'button-wide');
}
