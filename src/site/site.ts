// The site: one Hono app made of routes, the permission table and handlers. It sees requests and
// answers, no socket; cli serves it on a port, tests call `fetch`.

import { Hono } from 'hono';
import { codeOf, messageOf } from '#base/errors.ts';
import { requestIdNow } from '#base/request-scope.ts';
import { dialTcp } from '#net/tcp-dial.ts';
import { accountRoutes } from './accounts/account-routes.ts';
import { Passwords } from './accounts/passwords.ts';
import { PortTests } from './accounts/port-tests.ts';
import { Settings } from './accounts/settings.ts';
import { Admission, type RouteHandlers, type SiteEnv } from './admission.ts';
import { mountApi } from './api/api-door.ts';
import { applicationRoutes } from './applications/application-pages.ts';
import { Assets, assetResponse } from './assets.ts';
import { bonusRoutes } from './bonus/bonus-pages.ts';
import { bookmarkRoutes } from './bookmarks/bookmark-pages.ts';
import { catalogueRoutes } from './catalogue/catalogue-routes.ts';
import { classRoutes } from './classes/class-pages.ts';
import { collectionRoutes } from './collections/collection-pages.ts';
import { commentRoutes } from './comments/comment-pages.ts';
import { consoleRoutes } from './console/console-routes.ts';
import { contributionRoutes } from './contributions/contribution-pages.ts';
import { coverRoutes } from './covers/cover-pages.ts';
import { creditRoutes } from './credit/credit-handlers.ts';
import { docRoutes } from './docs/doc-pages.ts';
import { contentRoutes } from './downloads/content-pages.ts';
import { BUSY_CODES, ERROR_WORDS } from './error-pages.ts';
import { feedRoutes } from './feeds/feed-pages.ts';
import { folderRoutes } from './folders/folder-pages.ts';
import { keeperRoutes } from './keepers/keeper-pages.ts';
import { LiveCounts } from './live/live-counts.ts';
import { liveRoutes } from './live/live-pages.ts';
import { stayersOf } from './live/live-stayers.ts';
import { loggingRoutes } from './machine/logging-pages.ts';
import { machineRoutes } from './machine/machine-pages.ts';
import { AddressBans } from './moderation/address-bans.ts';
import { moderationRoutes } from './moderation/moderation-routes.ts';
import { needsSeedsRoutes } from './needs-seeds/needs-seeds-pages.ts';
import { noticeRoutes } from './notices/notice-pages.ts';
import { ROUTE_RULES } from './permissions.ts';
import { previewRoutes } from './previews/preview-pages.ts';
import { Exports } from './privacy/exports.ts';
import { privacyRoutes } from './privacy/privacy-pages.ts';
import { profilePrivacyRoutes } from './privacy/profile-privacy-pages.ts';
import { RateLimit } from './rate-limit.ts';
import { Mails } from './recovery/mails.ts';
import { recoveryRoutes } from './recovery/recovery-pages.ts';
import { reportRoutes } from './reports/report-pages.ts';
import { requestRoutes } from './requests/request-pages.ts';
import { RoleBook } from './roles/role-book.ts';
import { roleRoutes } from './roles/role-pages.ts';
import { href, ROUTES, type RouteName } from './routes.ts';
import { RuleBook } from './rules/rule-book.ts';
import { searchRoutes } from './searches/search-pages.ts';
import { secondFactorRoutes } from './second-factor/second-factor-pages.ts';
import { setSecurityHeaders } from './security-headers.ts';
import { shareRoutes } from './shares/share-pages.ts';
import { SharePasswords } from './shares/share-passwords.ts';
import { ShareTraffic } from './shares/share-traffic.ts';
import { signInKeyRoutes } from './sign-in-keys/sign-in-key-pages.ts';
import { signalRoutes } from './signals/signal-pages.ts';
import { StaffLog } from './staff-log/staff-log.ts';
import { staffLogRoutes } from './staff-log/staff-log-pages.ts';
import { StatusNow } from './status/status-now.ts';
import { tagRoutes } from './tags/tag-pages.ts';
import { historyRoutes } from './torrent-history/history-pages.ts';
import { Streams } from './transfers/streams.ts';
import { transferRoutes } from './transfers/transfer-pages.ts';
import { localPath, type Visit } from './visit.ts';
import type { SiteParts, SiteWorld } from './world.ts';

export interface Site {
  /** Answers every request; never rejects. */
  fetch(request: Request, env?: SiteEnv): Promise<Response>;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const SECONDS_BOUNDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export function createSite(world: SiteWorld): Site {
  const parts = partsOf(world);
  const app = new Hono({ strict: false });
  const admission = new Admission(parts);
  const counted = countRequests(parts);
  const handlers: RouteHandlers = {
    ...coreRoutes,
    ...accountRoutes,
    ...applicationRoutes,
    ...catalogueRoutes,
    ...classRoutes,
    ...bookmarkRoutes,
    ...collectionRoutes,
    ...commentRoutes,
    ...consoleRoutes,
    ...contentRoutes,
    ...contributionRoutes,
    ...coverRoutes,
    ...creditRoutes,
    ...feedRoutes,
    ...docRoutes,
    ...folderRoutes,
    ...historyRoutes,
    ...keeperRoutes,
    ...machineRoutes,
    ...loggingRoutes,
    ...liveRoutes,
    ...moderationRoutes,
    ...noticeRoutes,
    ...needsSeedsRoutes,
    ...reportRoutes,
    ...requestRoutes,
    ...staffLogRoutes,
    ...tagRoutes,
    ...bonusRoutes,
    ...signalRoutes,
    ...previewRoutes,
    ...searchRoutes,
    ...privacyRoutes,
    ...profilePrivacyRoutes,
    ...recoveryRoutes,
    ...roleRoutes,
    ...secondFactorRoutes,
    ...signInKeyRoutes,
    ...shareRoutes,
    ...transferRoutes,
  };
  for (const [name, path] of Object.entries(ROUTES) as [RouteName, string][]) {
    for (const method of ['GET', 'POST'] as const) {
      const handler = handlers[name]?.[method];
      if (handler === undefined) continue;
      app.on(method, path, (context) =>
        counted(name, async () => {
          const visit = await admission.visit(context);
          return await answer(visit, () => admission.admit(visit, { name, method }, handler));
        }),
      );
    }
  }
  mountApi(app, { parts, admission, counted });
  // Known addresses with another method; they come after every handler of their own.
  for (const [name, path] of Object.entries(ROUTES) as [RouteName, string][]) {
    app.all(path, async (context) => {
      const response = await (await admission.visit(context)).error(ERROR_WORDS.method);
      response.headers.set('allow', Object.keys(ROUTE_RULES[name]).filter(isMethod).join(', '));
      return response;
    });
  }
  app.notFound(async (context) => await (await admission.visit(context)).notFound());
  app.onError((error) => {
    throw error;
  });
  return { fetch: guard(parts, app) };
}

function partsOf(world: SiteWorld): SiteParts {
  const { clock, config } = world;
  const limit = (attempts: number, periodMs: number): RateLimit =>
    new RateLimit({ clock, attempts, periodMs, entriesMax: config.rateLimitEntriesMax });
  const passwords = new Passwords(world);
  const addressBans = new AddressBans(world);
  return {
    ...world,
    changed: () => world.changed(),
    status: () => world.status(),
    passwords,
    settings: new Settings(world),
    mails: new Mails(world),
    roleBook: new RoleBook(world),
    staffLog: new StaffLog(world),
    addressBans,
    ruleBook: new RuleBook(world),
    assets: new Assets(),
    portTests: new PortTests({
      clock: world.clock,
      dial: world.dial ?? dialTcp,
      isPrivateTried: config.portTestPrivate,
    }),
    exports: new Exports(),
    streams: new Streams(config.streamsMax),
    liveCounts: new LiveCounts({
      ...world,
      stayers: (watching) => stayersOf({ ...world, addressBans }, watching),
    }),
    shareTraffic: new ShareTraffic(world),
    sharePasswords: new SharePasswords({ ...world, passwords }),
    statusNow: new StatusNow(world),
    limits: {
      signInAddress: limit(config.signInsPerMinute, MINUTE_MS),
      signInName: limit(config.signInsPerNamePerMinute, MINUTE_MS),
      signUpAddress: limit(config.signUpsPerHour, HOUR_MS),
      apiCalls: limit(config.apiCallsPerMinute, MINUTE_MS),
      feeds: limit(config.feedsPerMinute, MINUTE_MS),
    },
  };
}

/** What belongs to no feature: files, the theme, the start. */
const coreRoutes: RouteHandlers = {
  assets: {
    GET: (visit) => {
      const asset = visit.parts.assets.find(visit.param('file'));
      if (asset === undefined) return visit.notFound();
      const { headers } = visit.request;
      return assetResponse(asset, {
        hash: visit.param('hash'),
        ifNoneMatch: headers.get('if-none-match'),
        acceptEncoding: headers.get('accept-encoding'),
      });
    },
  },
  theme: {
    POST: (visit) => {
      const theme = visit.form.text('theme');
      visit.cookies.setTheme(theme === 'light' || theme === 'dark' ? theme : 'system');
      return visit.redirect(localPath(visit.form.text('back')) ?? href('home'));
    },
  },
};

/** Failures of a handler become a page; only what the operator must know is logged as an error. */
async function answer(visit: Visit, run: () => Promise<Response>): Promise<Response> {
  try {
    return await run();
  } catch (error) {
    if (BUSY_CODES.has(codeOf(error))) {
      const response = await visit.error(ERROR_WORDS.busy);
      response.headers.set('retry-after', '5');
      return response;
    }
    visit.parts.logger.error('A page failed', {
      requestId: visit.requestId,
      error: messageOf(error),
      ...(error instanceof Error ? { stack: error.stack } : {}),
    });
    return await visit.error(ERROR_WORDS.failed);
  }
}

/** The bound on pages at once, the headers of every answer, and the last resort. */
function guard(parts: SiteParts, app: Hono): Site['fetch'] {
  const { config, logger, random, addresses } = parts;
  const isSecure = [addresses.configured, addresses.listening].some(({ siteUrl }) =>
    siteUrl.startsWith('https://'),
  );
  let running = 0;
  const respond = async (request: Request, env: SiteEnv): Promise<Response> => {
    if (running >= config.requestsMax) {
      return plain('Too many requests at once. Try again in a few seconds.\n');
    }
    running += 1;
    try {
      return await app.fetch(request, env);
    } catch (error) {
      // Not even the error page could be made: the database is away, most likely.
      const requestId = requestIdNow(random);
      logger.error('A request failed', { requestId, error: messageOf(error) });
      return plain(`This site cannot answer right now. Request ${requestId}.\n`);
    } finally {
      running -= 1;
    }
  };
  return async (request, env = {}) => {
    const response = await respond(request, env);
    setSecurityHeaders(response, isSecure);
    return response;
  };
}

function plain(text: string): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '5' };
  return new Response(text, { status: 503, headers });
}

/** Counts by the route's name: paths may hold secrets. */
function countRequests(parts: SiteParts) {
  const { metrics, clock } = parts;
  const requests = metrics.counter(
    'swarmkeep_site_requests_total',
    'Requests that pages answered, by route and status.',
  );
  const seconds = metrics.histogram(
    'swarmkeep_site_request_seconds',
    'Time from a request to its answer, in seconds.',
    SECONDS_BOUNDS,
  );
  return async (route: string, run: () => Promise<Response>): Promise<Response> => {
    const startMs = clock.monotonicMs();
    const response = await run();
    requests.add(1, { route, status: String(response.status) });
    seconds.observe((clock.monotonicMs() - startMs) / 1000);
    return response;
  };
}

function isMethod(text: string): boolean {
  return text === 'GET' || text === 'POST';
}
