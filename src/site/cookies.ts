// The site's cookies. All are HttpOnly and SameSite=Lax; over https they carry Secure and the
// `__Host-` prefix, by which no other host of the domain can set them.
//
//   swarmkeep          the session's token
//   swarmkeep-visitor  a random secret for visitors without a session: their forms' CSRF tokens
//   swarmkeep-known    who signed in here last, so that strangers cannot lock them out
//   swarmkeep-share    that the password of a share was given
//   swarmkeep-theme    light or dark
//   swarmkeep-flash    a message for the next page

import { createHmac } from 'node:crypto';
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { utf8 } from '#base/bytes.ts';
import type { Flash, ThemeChoice } from './components/layout.ts';

const NAMES = {
  session: 'swarmkeep',
  visitor: 'swarmkeep-visitor',
  known: 'swarmkeep-known',
  share: 'swarmkeep-share',
  theme: 'swarmkeep-theme',
  flash: 'swarmkeep-flash',
} as const;

/** Under which a session's token comes: by http, and by https. */
export const SESSION_COOKIES: readonly string[] = [NAMES.session, `__Host-${NAMES.session}`];

export type CookieName = keyof typeof NAMES;

const FLASH_SECONDS = 120;
const FLASH_LENGTH_MAX = 1000;
const YEAR_SECONDS = 31_536_000;
const FLASH_KINDS = ['info', 'good', 'warn', 'bad'] as const;

export class Cookies {
  readonly #context: Context;
  readonly #isSecure: boolean;

  constructor(context: Context, isSecure: boolean) {
    this.#context = context;
    this.#isSecure = isSecure;
  }

  get(name: CookieName): string {
    return getCookie(this.#context, this.#fullName(name)) ?? '';
  }

  /** Without `maxAgeSeconds` it lasts as long as the browser runs. */
  set(name: CookieName, value: string, maxAgeSeconds?: number): void {
    setCookie(this.#context, this.#fullName(name), value, {
      path: '/',
      httpOnly: true,
      sameSite: 'Lax',
      secure: this.#isSecure,
      ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
    });
  }

  remove(name: CookieName): void {
    deleteCookie(this.#context, this.#fullName(name), { path: '/', secure: this.#isSecure });
  }

  theme(): ThemeChoice {
    const value = this.get('theme');
    return value === 'light' || value === 'dark' ? value : 'system';
  }

  setTheme(choice: ThemeChoice): void {
    if (choice === 'system') this.remove('theme');
    else this.set('theme', choice, YEAR_SECONDS);
  }

  /** The message for the next page that is shown. */
  flash(flash: Flash): void {
    const text = JSON.stringify({ ...flash, text: flash.text.slice(0, FLASH_LENGTH_MAX) });
    this.set('flash', Buffer.from(text).toString('base64url'), FLASH_SECONDS);
  }

  /** Takes the message; the next page has none. */
  takeFlash(): Flash | undefined {
    const value = this.get('flash');
    if (value === '') return undefined;
    this.remove('flash');
    return parseFlash(value);
  }

  #fullName(name: CookieName): string {
    return this.#isSecure ? `__Host-${NAMES[name]}` : NAMES[name];
  }
}

function parseFlash(value: string): Flash | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value, 'base64url').toString());
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    if (!('kind' in parsed) || !('text' in parsed) || typeof parsed.text !== 'string') {
      return undefined;
    }
    const kind = FLASH_KINDS.find((one) => one === parsed.kind);
    return kind === undefined ? undefined : { kind, text: parsed.text.slice(0, FLASH_LENGTH_MAX) };
  } catch {
    return undefined;
  }
}

/** What forms carry: nobody who cannot read the cookie can make it, and it does not tell the cookie. */
export function csrfTokenOf(cookieSecret: string): string {
  return createHmac('sha256', utf8(cookieSecret)).update('csrf').digest('base64url');
}
