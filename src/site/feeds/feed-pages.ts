// Feeds as they are asked for, and the page on which members find the addresses of theirs. Feeds are open
// to anyone by the permission table, because a feed reader cannot sign in: the key in the address says who
// asks, and what that member may do is asked anew each time.

import { createHash } from 'node:crypto';
import { type Credit, creditAt, REAL_BYTES } from '#accounting/credit.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { listCategories } from '#site/catalogue/categories.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { filterFields, listQueryOf, readFilters } from '#site/catalogue/list-filters.ts';
import { SEARCH_LIMITS } from '#site/catalogue/search-words.ts';
import { torrentFileAnswer } from '#site/catalogue/torrent-handlers.ts';
import { windowsOfTorrents } from '#site/credit/credit-windows.ts';
import type { Permission } from '#site/permissions.ts';
import { addressKey } from '#site/rate-limit.ts';
import { href, hrefTo } from '#site/routes.ts';
import { savedSearchesOf, savedSearchOf } from '#site/searches/saved-searches.ts';
import type { Visit } from '#site/visit.ts';
import { atom, type Feed, newestMs, rss, torznab, torznabError } from './feed-documents.ts';
import { FEED_ITEMS_MAX, type FeedItem, feedItems } from './feed-items.ts';
import { type FeedHolder, feedKeyOf, findFeedHolder, resetFeedKey } from './feed-keys.ts';
import { type FeedOf, feedQuery, feedResetMain, feedsMain, feedTitle } from './feed-views.ts';
import {
  capabilities,
  numberedCategories,
  readSearch,
  type TorznabSearch,
} from './torznab-search.ts';

export const feedRoutes: RouteHandlers = {
  feeds: { GET: showFeeds },
  feedsReset: { GET: showReset, POST: postReset },
  feedRss: { GET: (visit) => answerFeed(visit, 'rss') },
  feedAtom: { GET: (visit) => answerFeed(visit, 'atom') },
  feedTorrent: { GET: feedTorrent },
  torznab: { GET: answerTorznab },
};

const TYPES = { rss: 'application/rss+xml', atom: 'application/atom+xml' } as const;
const XML = 'application/xml';
const PEERS_MAX = 1000;

async function answerFeed(visit: Visit, kind: 'rss' | 'atom'): Promise<Response> {
  const key = visit.param('key');
  const holder = await holderOf(visit, key, 'browse');
  if (holder instanceof Response) return holder;
  const { sql, swarms } = visit.parts;
  const { memberId } = holder;
  const of = await readFeed(visit, memberId);
  if (of === undefined) return plain(404, 'This saved search is not there any more.');
  const reader = { memberId, nowMs: visit.nowMs, peers: swarms.peersOfMember(memberId, PEERS_MAX) };
  const query = listQueryOf(of.filters, reader);
  const items = await feedItems(sql, { ...query, limit: FEED_ITEMS_MAX });
  const route = kind === 'rss' ? 'feedRss' : 'feedAtom';
  const { siteUrl } = visit.addresses;
  const feed: Feed = {
    ...linksOf(visit, key, items),
    title: `${visit.settings.siteName}: ${feedTitle(of)}`,
    description: 'New torrents, the newest first.',
    selfUrl: siteUrl + hrefTo(route, { key }, feedQuery(of)),
    pageUrl: siteUrl + href('torrents', filterFields(of.filters)),
  };
  return xmlAnswer(visit, {
    text: kind === 'rss' ? rss(feed) : atom(feed),
    type: TYPES[kind],
    changedMs: newestMs(items),
  });
}

function linksOf(visit: Visit, key: string, items: readonly FeedItem[]) {
  const { siteUrl } = visit.addresses;
  return {
    items,
    itemUrl: ({ infoHash }: FeedItem) => siteUrl + hrefTo('torrent', { hash: infoHash }),
    torrentUrl: ({ infoHash }: FeedItem) =>
      siteUrl + hrefTo('feedTorrent', { key, hash: infoHash }),
  };
}

/** The same file as on the site, for those who have a feed's key and no session. */
async function feedTorrent(visit: Visit): Promise<Response> {
  const holder = await holderOf(visit, visit.param('key'), 'download');
  if (holder instanceof Response) return holder;
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  if (torrent === undefined) return await visit.notFound();
  return await torrentFileAnswer(visit, torrent, holder.memberId);
}

async function answerTorznab(visit: Visit): Promise<Response> {
  const { parts, settings, addresses } = visit;
  const key = visit.query('apikey');
  const holder = await holderOf(visit, key, 'browse');
  if (holder instanceof Response) {
    // Programs read these errors in XML; only being too quick is told by the status alone.
    return holder.status === 429 ? holder : torznabRefusal(visit, 100, 'The API key is not good.');
  }
  const kind = visit.query('t');
  if (kind === '') return torznabRefusal(visit, 200, 'The parameter t is missing.');
  const categories = await numberedCategories(parts.sql);
  if (kind === 'caps') {
    return xmlAnswer(visit, { text: capabilities(settings.siteName, categories), type: XML });
  }
  const search = readSearch(kind, categories, (name) => visit.query(name).toWellFormed());
  if (!('limit' in search)) return torznabRefusal(visit, search.code, search.words);
  const items = await torznabItems(visit, search);
  const credit = await creditOf(visit, holder.memberId, items);
  const numbers = new Map(categories.map(({ slug, numbers: all }) => [slug, all]));
  const text = torznab({
    ...linksOf(visit, key, items),
    title: settings.siteName,
    description: 'What the search finds, the newest first.',
    selfUrl: addresses.siteUrl + visit.path,
    pageUrl: addresses.siteUrl + href('torrents', { q: search.words }),
    counts: ({ id, completed }) =>
      parts.swarms.counts(id) ?? { seeders: 0, leechers: 0, completed },
    categoriesOf: ({ category }) => numbers.get(category) ?? [],
    creditOf: credit,
  });
  return xmlAnswer(visit, { text, type: XML });
}

async function torznabItems(visit: Visit, search: TorznabSearch): Promise<readonly FeedItem[]> {
  const { offset, limit, categories } = search;
  if (limit === 0) return [];
  const words = search.words.slice(0, SEARCH_LIMITS.queryCharsMax).toWellFormed();
  const within = categories === undefined ? {} : { categories };
  return await feedItems(visit.parts.sql, { words, tags: [], offset, limit, ...within });
}

/** What counts for this member now, of each torrent. */
async function creditOf(
  { parts, nowMs }: Visit,
  memberId: number,
  items: readonly FeedItem[],
): Promise<(item: FeedItem) => Credit> {
  const torrentIds = items.map(({ id }) => id);
  const windows = await windowsOfTorrents(parts.sql, { memberId, torrentIds }, nowMs);
  return ({ id }) => {
    const own = windows.filter(({ torrentId }) => torrentId === 0 || torrentId === id);
    return creditAt(REAL_BYTES, own, nowMs);
  };
}

function torznabRefusal(visit: Visit, code: number, words: string): Response {
  return xmlAnswer(visit, { text: torznabError(code, words), type: XML });
}

/** Who asks, when their key is good and they may; else the answer. */
async function holderOf(
  visit: Visit,
  key: string,
  permission: Permission,
): Promise<FeedHolder | Response> {
  const { sql, limits, roleBook } = visit.parts;
  const holder = await findFeedHolder(sql, key);
  const who = holder === undefined ? addressKey(visit.address) : `member ${holder.memberId}`;
  const waitMs = limits.feeds.take(who);
  if (waitMs > 0) {
    const words = 'Feeds are asked for too often with this key. Once in five minutes is plenty.';
    return plain(429, words, { 'retry-after': String(Math.ceil(waitMs / 1000)) });
  }
  if (holder === undefined) {
    return plain(404, 'This address is not good any more: the page Feeds on the site has another.');
  }
  const roles = await roleBook.current();
  if (!roles.holderMay(holder, permission)) return plain(403, 'This is not open to you.');
  return holder;
}

function plain(status: number, words: string, more: Record<string, string> = {}): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8', ...more };
  return new Response(`${words}\n`, { status, headers });
}

interface XmlAnswer {
  readonly text: string;
  readonly type: string;
  /** Unix milliseconds; absent where nothing in it has a date. */
  readonly changedMs?: number | undefined;
}

/** With validators, so that a reader that comes again gets nothing twice. */
function xmlAnswer(visit: Visit, { text, type, changedMs }: XmlAnswer): Response {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`;
  const headers = new Headers({ etag, 'cache-control': 'private, no-cache' });
  // A date of the running second could hide what is added in the rest of it.
  const isSettled = changedMs !== undefined && visit.nowMs - changedMs > 1000;
  if (isSettled) headers.set('last-modified', new Date(changedMs).toUTCString());
  if (isKnown(visit, etag, isSettled ? changedMs : undefined)) {
    return new Response(null, { status: 304, headers });
  }
  headers.set('content-type', `${type}; charset=utf-8`);
  return new Response(text, { headers });
}

/** The tag decides where one is sent (RFC 9110, 13.2.2). */
function isKnown(visit: Visit, etag: string, changedMs: number | undefined): boolean {
  const tags = visit.header('if-none-match');
  if (tags !== '') {
    return tags.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
  }
  const sinceMs = Date.parse(visit.header('if-modified-since'));
  return changedMs !== undefined && Math.floor(changedMs / 1000) * 1000 <= sinceMs;
}

/** Of a saved search, or of what the address says. Undefined when the saved search is not theirs. */
async function readFeed(visit: Visit, memberId: number): Promise<FeedOf | undefined> {
  if (visit.query('saved') === '') {
    return { filters: readFilters((field) => visit.queries(field)) };
  }
  const saved = visit.numberQuery('saved');
  if (saved === undefined) return undefined;
  return await savedSearchOf(visit.parts.sql, memberId, saved);
}

async function showFeeds(visit: Visit): Promise<Response> {
  const { parts, addresses } = visit;
  const { memberId } = visit.signedIn();
  const of = await readFeed(visit, memberId);
  if (of === undefined) return await visit.notFound('This saved search is not there any more.');
  const main = feedsMain({
    siteUrl: addresses.siteUrl,
    key: await feedKeyOf(parts, memberId),
    of,
    categories: await listCategories(parts.sql),
    searches: await savedSearchesOf(parts.sql, memberId),
  });
  return await visit.page({ title: 'Feeds', main, section: 'me' });
}

async function showReset(visit: Visit): Promise<Response> {
  const main = feedResetMain(visit.csrfToken);
  return await visit.page({ title: 'Reset the key of your feeds', main, section: 'me' });
}

async function postReset(visit: Visit): Promise<Response> {
  await resetFeedKey(visit.parts, visit.signedIn().memberId);
  const text = 'You have a new key. Put the new addresses into your readers and clients.';
  return visit.redirect(href('feeds'), { kind: 'good', text });
}
