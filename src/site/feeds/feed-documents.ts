// RSS 2.0, Atom (RFC 4287) and Torznab from the same items. All three lead to the torrent's page and to
// its .torrent by the reader's own key. Torznab is RSS with attributes of its own, which programs that
// search many sites read: https://torznab.github.io/spec-1.3-draft/

import type { Credit } from '#accounting/credit.ts';
import { markdown } from '#site/format/markdown.ts';
import { formatIso } from '#site/format/time.ts';
import type { SwarmCounts } from '#site/swarms.ts';
import type { FeedItem } from './feed-items.ts';
import { document, element, type Xml } from './xml.ts';

export interface Feed {
  readonly title: string;
  readonly description: string;
  /** Of this feed. */
  readonly selfUrl: string;
  /** Of the page that shows the same. */
  readonly pageUrl: string;
  readonly items: readonly FeedItem[];
  itemUrl(item: FeedItem): string;
  torrentUrl(item: FeedItem): string;
}

/** Of a description; the page has all of it. A hundred long ones take a second to be made into HTML. */
const DESCRIPTION_CHARS_MAX = 4000;
const TORRENT_TYPE = 'application/x-bittorrent';
const ATOM = 'http://www.w3.org/2005/Atom';
const TORZNAB = 'http://torznab.com/schemas/2015/feed';

export function rss(feed: Feed): string {
  return rssDocument(feed, (item) => rssItem(feed, item));
}

/** What a swarm tells, and the numbers of an item's categories. */
export interface TorznabFeed extends Feed {
  counts(item: FeedItem): SwarmCounts;
  categoriesOf(item: FeedItem): readonly number[];
  /** What of a transfer counts for who reads. */
  creditOf(item: FeedItem): Credit;
}

export function torznab(feed: TorznabFeed): string {
  return rssDocument(feed, (item) => {
    const { seeders, leechers, completed } = feed.counts(item);
    const credit = feed.creditOf(item);
    const attributes: readonly (readonly [string, string | number])[] = [
      ...feed.categoriesOf(item).map((category) => ['category', category] as const),
      ['size', item.sizeBytes],
      ['files', item.fileCount],
      ['grabs', completed],
      ['seeders', seeders],
      ['peers', seeders + leechers],
      // Programs call a torrent free when its factor is 0.
      ['downloadvolumefactor', credit.downloadCreditPercent / 100],
      ['uploadvolumefactor', credit.uploadCreditPercent / 100],
      ...(item.infoHashV1 === undefined ? [] : [['infohash', item.infoHashV1] as const]),
      ...item.tags.map((tag) => ['tag', tag] as const),
    ];
    return rssItem(
      feed,
      item,
      element('size', {}, item.sizeBytes),
      ...attributes.map(([name, value]) => element('torznab:attr', { name, value })),
    );
  });
}

/** As a client of Torznab reads it; codes are the specification's. */
export function torznabError(code: number, description: string): string {
  return document(element('error', { code, description }));
}

function rssDocument(feed: Feed, itemOf: (item: FeedItem) => Xml): string {
  const newest = newestMs(feed.items);
  const channel = element(
    'channel',
    {},
    element('title', {}, feed.title),
    element('link', {}, feed.pageUrl),
    element('description', {}, feed.description),
    element('atom:link', { rel: 'self', type: 'application/rss+xml', href: feed.selfUrl }),
    ...(newest === undefined ? [] : [element('lastBuildDate', {}, rfc822(newest))]),
    ...feed.items.map(itemOf),
  );
  const names = { version: '2.0', 'xmlns:atom': ATOM, 'xmlns:torznab': TORZNAB };
  return document(element('rss', names, channel));
}

function rssItem(feed: Feed, item: FeedItem, ...more: readonly Xml[]): Xml {
  const { title, categoryName, tags, sizeBytes } = item;
  return element(
    'item',
    {},
    element('title', {}, title),
    element('link', {}, feed.itemUrl(item)),
    element('guid', { isPermaLink: 'false' }, nameOf(item)),
    element('comments', {}, `${feed.itemUrl(item)}#comments`),
    element('pubDate', {}, rfc822(item.createdMs)),
    ...[categoryName, ...tags].map((name) => element('category', {}, name)),
    element('description', {}, descriptionOf(item)),
    // Readers of torrent feeds take the length for the content's, not for the small file's.
    element('enclosure', { url: feed.torrentUrl(item), length: sizeBytes, type: TORRENT_TYPE }),
    ...more,
  );
}

export function atom(feed: Feed): string {
  const entries = feed.items.map((item) =>
    element(
      'entry',
      {},
      element('id', {}, nameOf(item)),
      element('title', {}, item.title),
      element('link', { rel: 'alternate', type: 'text/html', href: feed.itemUrl(item) }),
      element('link', { rel: 'enclosure', type: TORRENT_TYPE, href: feed.torrentUrl(item) }),
      element('published', {}, formatIso(item.createdMs)),
      element('updated', {}, formatIso(item.changedMs)),
      element('category', { term: item.category, label: item.categoryName }),
      ...item.tags.map((tag) => element('category', { term: tag })),
      element('content', { type: 'html' }, descriptionOf(item)),
    ),
  );
  return document(
    element(
      'feed',
      { xmlns: ATOM },
      element('id', {}, feed.pageUrl),
      element('title', {}, feed.title),
      element('subtitle', {}, feed.description),
      element('author', {}, element('name', {}, feed.title)),
      element('link', { rel: 'self', type: 'application/atom+xml', href: feed.selfUrl }),
      element('link', { rel: 'alternate', type: 'text/html', href: feed.pageUrl }),
      element('updated', {}, formatIso(newestMs(feed.items) ?? 0)),
      ...entries,
    ),
  );
}

/** When something of these changed last; undefined when there is none. */
export function newestMs(items: readonly FeedItem[]): number | undefined {
  return items.length === 0 ? undefined : Math.max(...items.map((item) => item.changedMs));
}

/** HTML. */
function descriptionOf({ description }: FeedItem): string {
  if (description.length <= DESCRIPTION_CHARS_MAX) return String(markdown(description));
  return String(markdown(`${description.slice(0, DESCRIPTION_CHARS_MAX).toWellFormed()}…`));
}

/** Stays the same when the site moves: a reader would take everything for new. */
function nameOf({ infoHash }: FeedItem): string {
  return `urn:btih:${infoHash}`;
}

function rfc822(atMs: number): string {
  return new Date(atMs).toUTCString();
}
