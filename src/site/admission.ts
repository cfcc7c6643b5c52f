// What happens to every request before its handler: find out who asks, ask the permission table, and
// for a POST check where it comes from, read the body within its bound, and compare the CSRF token.
// A handler runs only after all of it.

import type { Context } from 'hono';
import { toHex, utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import { findViewer, isToken, newToken } from './accounts/sessions.ts';
import { publicAddresses } from './announce-urls.ts';
import { CSRF_FIELD } from './components/form.ts';
import { Cookies } from './cookies.ts';
import { BODY_WORDS, ERROR_WORDS } from './error-pages.ts';
import { readForm } from './form-data.ts';
import { type Method, type Permission, ROUTE_RULES } from './permissions.ts';
import { href, type RouteName } from './routes.ts';
import { Turns } from './turns.ts';
import { Visit } from './visit.ts';
import type { SiteParts } from './world.ts';

/** What the listener knows beside the request. */
export interface SiteEnv {
  /** The socket's other end. */
  readonly peerAddress?: string;
}

export type Handler = (visit: Visit) => Response | Promise<Response>;

/** What a feature registers (`catalogueRoutes`): a handler for each of its routes and methods. */
export type RouteHandlers = {
  readonly [Name in RouteName]?: { readonly [M in Method]?: Handler };
};

/** Room in a body for the fields around a file. */
const UPLOAD_FIELDS_BYTES = 65_536;
const REQUEST_ID_BYTES = 8;
/** When to send a file again that found the line full. */
const BUSY_SECONDS = 10;

export class Admission {
  readonly #parts: SiteParts;
  /** Bodies with a file in them, from their first byte to the answer. */
  readonly #uploads: Turns;
  /** Torrent files being taken apart, each in many times the memory of the file. */
  readonly #parsings: Turns;

  constructor(parts: SiteParts) {
    const { uploadsMax, uploadsWaitingMax } = parts.config;
    this.#parts = parts;
    this.#uploads = new Turns({ atOnce: uploadsMax, waitingMax: uploadsWaitingMax });
    this.#parsings = new Turns({ atOnce: 1, waitingMax: uploadsMax + uploadsWaitingMax });
  }

  /** The visit of a request, whatever it asks for. */
  async visit(context: Context): Promise<Visit> {
    const parts = this.#parts;
    const settings = await parts.settings.current();
    const cookies = new Cookies(context, this.#isSecure(context, settings));
    const token = cookies.get('session');
    const viewer = token === '' ? undefined : await findViewer(parts, token);
    let cookieSecret = token;
    if (viewer === undefined) {
      cookieSecret = cookies.get('visitor');
      if (!isToken(cookieSecret)) {
        cookieSecret = newToken(parts.random);
        cookies.set('visitor', cookieSecret);
      }
    }
    return new Visit({
      parts,
      context,
      cookies,
      settings,
      viewer,
      cookieSecret,
      requestId: toHex(parts.random.bytes(REQUEST_ID_BYTES)),
      address: this.#address(context),
    });
  }

  /** Admits to the handler, or answers why not. */
  async admit(
    visit: Visit,
    route: { readonly name: RouteName; readonly method: Method },
    handler: Handler,
  ): Promise<Response> {
    const permission = ROUTE_RULES[route.name][route.method];
    if (permission === undefined) return await visit.error(ERROR_WORDS.method);
    if (!visit.may(permission)) return await refuse(visit, route.method, permission);
    const { upload, parses, content } = ROUTE_RULES[route.name];
    const handle = parses === true ? this.#inTurn(handler) : handler;
    if (route.method === 'GET') return await (upload === true ? handler : handle)(visit);
    if (!this.#isOwnForm(visit)) return await visit.error(ERROR_WORDS.crossSite);
    const { formBytesMax, formContentBytesMax, torrentBytesMax } = this.#parts.config;
    const fileBytesMax = content === true ? formContentBytesMax : torrentBytesMax;
    if (upload !== true) return await this.#post(visit, formBytesMax, handle);
    const answer = await this.#uploads.take(() =>
      this.#post(visit, fileBytesMax + UPLOAD_FIELDS_BYTES, handle),
    );
    return answer ?? (await busy(visit));
  }

  #inTurn(handler: Handler): Handler {
    return async (visit) =>
      (await this.#parsings.take(async () => await handler(visit))) ?? (await busy(visit));
  }

  async #post(visit: Visit, bytesMax: number, handler: Handler): Promise<Response> {
    const form = await readForm(visit.request, bytesMax);
    if (typeof form === 'string') return await visit.error(BODY_WORDS[form]);
    const sent = form.text(CSRF_FIELD);
    if (!secretEqual(utf8(sent), utf8(visit.csrfToken))) {
      return await visit.error(ERROR_WORDS.staleForm);
    }
    visit.form = form;
    return await handler(visit);
  }

  /** Browsers say where a form comes from; one that says nothing is left to the token. */
  #isOwnForm(visit: Visit): boolean {
    const site = visit.header('sec-fetch-site');
    if (site !== '') return site === 'same-origin' || site === 'none';
    const origin = visit.header('origin');
    if (origin === '') return true;
    if (!URL.canParse(origin)) return false;
    const { host } = new URL(origin);
    return host === visit.header('host') || host === hostOf(visit.addresses.siteUrl);
  }

  /** Whether this visitor came by the site's public https address. */
  #isSecure(context: Context, settings: Visit['settings']): boolean {
    const { siteUrl } = publicAddresses(settings, this.#parts.addresses);
    return siteUrl.startsWith('https://') && hostOf(siteUrl) === context.req.header('host');
  }

  #address(context: Context): string {
    const peer = (context.env as SiteEnv | undefined)?.peerAddress ?? '';
    if (!this.#parts.config.proxies.includes(peer)) return peer;
    // Each proxy adds at the end, so the last one is what the trusted proxy saw.
    const forwarded = context.req.header('x-forwarded-for')?.split(',').at(-1)?.trim() ?? '';
    return forwarded === '' ? peer : forwarded.slice(0, 64);
  }
}

async function busy(visit: Visit): Promise<Response> {
  const response = await visit.error(ERROR_WORDS.uploadsBusy);
  response.headers.set('retry-after', String(BUSY_SECONDS));
  return response;
}

async function refuse(visit: Visit, method: Method, permission: Permission): Promise<Response> {
  if (visit.viewer !== undefined) return await visit.error(ERROR_WORDS.forbidden);
  if (method === 'POST') return await visit.error(ERROR_WORDS.signedOut);
  // Someone who opens a link should land on it after signing in.
  const next = permission === 'anyone' || visit.path === href('torrents') ? undefined : visit.path;
  return visit.redirect(href('signIn', { next }));
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}
