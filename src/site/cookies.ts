// The site's cookies. All are HttpOnly and SameSite=Lax; over https they carry Secure and the
// `__Host-` prefix, by which no other host of the domain can set them.
//
//   swarmkeep          the session's token
//   swarmkeep-visitor  a random secret for visitors without a session: their forms' CSRF tokens
//   swarmkeep-known    who signed in here last, so that strangers cannot lock them out
//   swarmkeep-share    that the password of a share was given; under that share's address alone, so that
//                      there may be one of each, and with the prefix `__Secure-` over https
//   swarmkeep-step     a sign-in that is half done: its password was right, or a key was asked for
//   swarmkeep-theme    light or dark
//   swarmkeep-flash    a message for the next page

import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { Flash, ThemeChoice } from './components/layout.ts';

const NAMES = {
  session: 'swarmkeep',
  visitor: 'swarmkeep-visitor',
  known: 'swarmkeep-known',
  share: 'swarmkeep-share',
  step: 'swarmkeep-step',
  theme: 'swarmkeep-theme',
  flash: 'swarmkeep-flash',
} as const;

/** Under which a session's token comes: by http, and by https. */
const SESSION_COOKIES: readonly string[] = [NAMES.session, `__Host-${NAMES.session}`];

/** The session's token in a header of cookies; empty when there is none. */
export function sessionIn(cookies: string): string {
  for (const pair of cookies.split(';')) {
    const at = pair.indexOf('=');
    if (SESSION_COOKIES.includes(pair.slice(0, at).trim())) return pair.slice(at + 1).trim();
  }
  return '';
}

export type CookieName = keyof typeof NAMES;

const FLASH_SECONDS = 120;
const FLASH_LENGTH_MAX = 1000;
const YEAR_SECONDS = 31_536_000;
const FLASH_KINDS = ['info', 'good', 'warn', 'bad'] as const;

export class Cookies {
  readonly #context: Context;
  /** The visitor came by the site's public https address. */
  readonly isSecure: boolean;

  constructor(context: Context, isSecure: boolean) {
    this.#context = context;
    this.isSecure = isSecure;
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
      secure: this.isSecure,
      ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
    });
  }

  /** Sent with requests below that path alone. */
  setBelow(path: string, name: 'share', value: string): void {
    setCookie(this.#context, this.#fullName(name), value, {
      ...{ path, httpOnly: true, sameSite: 'Lax', secure: this.isSecure },
    });
  }

  remove(name: CookieName): void {
    deleteCookie(this.#context, this.#fullName(name), { path: '/', secure: this.isSecure });
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
    if (!this.isSecure) return NAMES[name];
    return `${name === 'share' ? '__Secure' : '__Host'}-${NAMES[name]}`;
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
