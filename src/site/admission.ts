// What happens to every request before its handler: find out who asks, ask the permission table, and
// for a POST check where it comes from, read the body within its bound, and compare the CSRF token.
// A handler runs only after all of it.

import type { Context } from 'hono';
import { requestIdNow } from '#base/request-scope.ts';
import { findViewer, isToken, newToken } from './accounts/sessions.ts';
import { publicAddresses } from './announce-urls.ts';
import { callerAddress } from './caller-address.ts';
import { CSRF_FIELD } from './components/form.ts';
import { Cookies } from './cookies.ts';
import { BODY_WORDS, ERROR_WORDS } from './error-pages.ts';
import { readForm } from './form-data.ts';
import { keptFormPage } from './kept-form.ts';
import { PACKABLE_ROUTES } from './packing.ts';
import { type Method, type Permission, ROLE_PERMISSIONS, ROUTE_RULES } from './permissions.ts';
import { digestOf, type Repeated, Repeats } from './repeats.ts';
import { href, type RouteName } from './routes.ts';
import { isStaffDeed, pageDeed, tellDeed } from './staff-log/staff-deeds.ts';
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
const VISITOR_PERMISSIONS: ReadonlySet<Permission> = new Set(ROLE_PERMISSIONS.visitor);
/** When to send a file again that found the line full. */
const BUSY_SECONDS = 10;
/** From the answer to the first click. */
const DOUBLE_CLICK_MS = 10_000;

export class Admission {
  readonly #parts: SiteParts;
  /** Bodies with a file in them, from their first byte to the answer. */
  readonly #uploads: Turns;
  /** Torrent files being taken apart, each in many times the memory of the file. */
  readonly #parsings: Turns;
  /** Forms that were just sent. */
  readonly #repeats: Repeats;

  constructor(parts: SiteParts) {
    const { uploadsMax, uploadsWaitingMax } = parts.config;
    this.#parts = parts;
    this.#uploads = new Turns({ atOnce: uploadsMax, waitingMax: uploadsWaitingMax });
    this.#parsings = new Turns({ atOnce: 1, waitingMax: uploadsMax + uploadsWaitingMax });
    this.#repeats = new Repeats({ clock: parts.clock, keptMs: DOUBLE_CLICK_MS });
  }

  /** The visit of a request, whatever it asks for. */
  async visit(context: Context): Promise<Visit> {
    const parts = this.#parts;
    const settings = await parts.settings.current();
    const cookies = new Cookies(context, this.isSecure(context, settings));
    const token = cookies.get('session');
    const viewer = token === '' ? undefined : await findViewer(parts, token);
    const roles = await parts.roleBook.current();
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
      permissions: viewer === undefined ? VISITOR_PERMISSIONS : roles.permissionsOf(viewer),
      cookieSecret,
      requestId: requestIdNow(parts.random),
      address: this.address(context),
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
    visit.isPackable = PACKABLE_ROUTES.has(route.name);
    // How a page looks is answered to all.
    const isLook = route.name === 'assets' || route.name === 'theme';
    const banned = isLook ? undefined : await this.bannedAddress(visit);
    if (banned !== undefined) return banned;
    if (!visit.may(permission)) return await this.#refuse(visit, route.method, permission);
    const { upload, parses, content, picture } = ROUTE_RULES[route.name];
    const inTurn = parses === true ? this.#inTurn(handler) : handler;
    const isDeed = route.method === 'POST' && isStaffDeed(route.name, permission);
    const handle: Handler = isDeed
      ? (deed) => tellDeed(deed, pageDeed(deed, route.name), async () => await inTurn(deed))
      : inTurn;
    if (route.method === 'GET') return await (upload === true ? handler : handle)(visit);
    if (!this.isOwnForm(visit)) return await visit.error(ERROR_WORDS.crossSite);
    const { formBytesMax, formContentBytesMax, torrentBytesMax, coverBytesMax } =
      this.#parts.config;
    const ownBytesMax = picture === true ? coverBytesMax : torrentBytesMax;
    const fileBytesMax = content === true ? formContentBytesMax : ownBytesMax;
    if (upload !== true) {
      return await this.#post(visit, formBytesMax, (own) => this.#once(own, handle));
    }
    const answer = await this.inUploadTurn(() =>
      this.#post(visit, fileBytesMax + UPLOAD_FIELDS_BYTES, handle),
    );
    return answer ?? (await busy(visit));
  }

  /** For what holds a file in memory; undefined, and nothing ran, when the line is full. */
  async inUploadTurn(run: () => Promise<Response>): Promise<Response | undefined> {
    return await this.#uploads.take(run);
  }

  /** For what takes a torrent file apart; undefined as above. */
  async inParsingTurn(run: () => Promise<Response>): Promise<Response | undefined> {
    return await this.#parsings.take(run);
  }

  /** Why nothing is answered to this network, when it is so. */
  async bannedAddress(visit: Visit): Promise<Response | undefined> {
    const ban = await this.#parts.addressBans.find(visit.address);
    if (ban === undefined) return undefined;
    const text = ban.reason === '' ? 'The staff did so.' : `The staff did so: ${ban.reason}`;
    return await visit.error({ ...ERROR_WORDS.bannedAddress, text });
  }

  #inTurn(handler: Handler): Handler {
    return async (visit) =>
      (await this.inParsingTurn(async () => await handler(visit))) ?? (await busy(visit));
  }

  async #post(visit: Visit, bytesMax: number, handler: Handler): Promise<Response> {
    const form = await readForm(visit.request, bytesMax);
    if (typeof form === 'string') return await visit.error(BODY_WORDS[form]);
    const sent = form.text(CSRF_FIELD);
    if (!visit.isOwnToken(sent)) return await keptFormPage(visit, ERROR_WORDS.staleForm, form);
    visit.form = form;
    return await handler(visit);
  }

  async #refuse(visit: Visit, method: Method, permission: Permission): Promise<Response> {
    if (visit.viewer !== undefined) return await visit.error(ERROR_WORDS.forbidden);
    if (method === 'POST') {
      const { signedOut } = ERROR_WORDS;
      if (!this.isOwnForm(visit)) return await visit.error(signedOut);
      const form = await readForm(visit.request, this.#parts.config.formBytesMax);
      if (typeof form === 'string') return await visit.error(signedOut);
      return await keptFormPage(visit, signedOut, form);
    }
    // Someone who opens a link should land on it after signing in.
    const next =
      permission === 'anyone' || visit.path === href('torrents') ? undefined : visit.path;
    return visit.redirect(href('signIn', { next }));
  }

  /** A double click sends the same form of the same page twice: each page's token is another. */
  async #once(visit: Visit, handler: Handler): Promise<Response> {
    const { viewer, form } = visit;
    const run = async (): Promise<Response> => await handler(visit);
    if (viewer === undefined) return await run();
    const fields = form.names().flatMap((name) => [name, ...form.texts(name), '']);
    const asked: Repeated = {
      key: digestOf([`member ${viewer.memberId}`, visit.request.url, ...fields]),
      content: '',
      isKept: ({ status }) => status < 400 && !visit.saidNo,
    };
    return (await this.#repeats.once(asked, run)) ?? (await run());
  }

  /** Browsers say where a form comes from; one that says nothing is left to the token. */
  isOwnForm(visit: Visit): boolean {
    const site = visit.header('sec-fetch-site');
    if (site !== '') return site === 'same-origin' || site === 'none';
    const origin = visit.header('origin');
    if (origin === '') return true;
    if (!URL.canParse(origin)) return false;
    const { host } = new URL(origin);
    return host === visit.header('host') || host === hostOf(visit.addresses.siteUrl);
  }

  /** Whether this visitor came by the site's public https address. */
  isSecure(context: Context, settings: Visit['settings']): boolean {
    const { siteUrl } = publicAddresses(settings, this.#parts.addresses);
    return siteUrl.startsWith('https://') && hostOf(siteUrl) === context.req.header('host');
  }

  /** Whoever asks, as far as it is known: the peer, or whom a trusted proxy names. */
  address(context: Context): string {
    const peer = (context.env as SiteEnv | undefined)?.peerAddress ?? '';
    const forwarded = context.req.header('x-forwarded-for') ?? '';
    return callerAddress({ peer, forwarded }, this.#parts.config.proxies);
  }
}

async function busy(visit: Visit): Promise<Response> {
  const response = await visit.error(ERROR_WORDS.uploadsBusy);
  response.headers.set('retry-after', String(BUSY_SECONDS));
  return response;
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}
