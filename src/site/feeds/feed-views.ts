// The page of a member's feeds, and the words for what a feed tells.

import { html } from 'hono/html';
import type { Category } from '#site/catalogue/categories.ts';
import { filterFields, type ListFilters } from '#site/catalogue/list-filters.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { selectField, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { reveal, secret } from '#site/components/secret.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { SavedSearch } from '#site/searches/saved-searches.ts';

/** What a feed tells of: a saved search has an id and a name. */
export interface FeedOf {
  readonly filters: ListFilters;
  readonly id?: number;
  readonly name?: string;
}

export interface FeedsView {
  readonly siteUrl: string;
  /** A secret. */
  readonly key: string;
  readonly of: FeedOf;
  readonly categories: readonly Category[];
  readonly searches: readonly SavedSearch[];
}

/** What its address says beside the key; feeds have one order. */
export function feedQuery({ id, filters }: FeedOf): Readonly<Record<string, string | number>> {
  if (id !== undefined) return { saved: id };
  const { sort: _, ...fields } = filterFields(filters);
  return fields;
}

/** `all torrents`, `“survey” in datasets, tagged coast`, `saved search “Rain”`. */
export function feedTitle({ name, filters }: FeedOf): string {
  if (name !== undefined) return `saved search “${name}”`;
  const { words, category, tags } = filters;
  const found = words === '' ? 'all torrents' : `“${words}”`;
  const within = category === '' ? '' : ` in ${category}`;
  const tagged = tags.length === 0 ? '' : `, tagged ${tags.join(', ')}`;
  const told = ['q', 'category', 'tags', 'sort'];
  const isMore = Object.keys(filterFields(filters)).some((field) => !told.includes(field));
  return `${found}${within}${tagged}${isMore ? ', filtered' : ''}`;
}

export function feedsMain(view: FeedsView): Html {
  const head = pageHead({
    title: 'Feeds',
    lead: 'A feed reader shows what is new here; a client with an RSS rule downloads it by itself.',
  });
  return html`<div class="medium">${head}<div class="stack">${addressesPanel(view)}${choicePanel(view)}${torznabPanel(view)}${keyPanel()}</div></div>`;
}

function addressesPanel({ siteUrl, key, of }: FeedsView): Html {
  const query = feedQuery(of);
  const isAll = Object.keys(query).length === 0;
  const rssUrl = siteUrl + hrefTo('feedRss', { key }, query);
  const atomUrl = siteUrl + hrefTo('feedAtom', { key }, query);
  const addresses = html`<h3>RSS</h3>${secret(rssUrl)}<h3>Atom</h3>${secret(atomUrl)}`;
  const all = isAll
    ? NOTHING
    : html`<p>${linkButton({ label: 'The feed of everything', href: href('feeds') })}</p>`;
  const body = html`<p>RSS is what torrent clients read. The addresses hold your key, so keep them to yourself: whoever has one downloads in your name.</p>${reveal('Show the addresses', addresses)}${all}`;
  return panel({ title: `Feed of ${feedTitle(of)}`, id: 'addresses', body });
}

function choicePanel({ of, categories, searches }: FeedsView): Html {
  const { words, category, tags } = of.filters;
  const options = [
    { value: '', label: 'All categories' },
    ...categories.map(({ slug, name }) => ({ value: slug, label: name })),
  ];
  const fields = html`${textField({
    name: 'q',
    label: 'Words',
    type: 'search',
    hint: 'As in the search of the site. Empty is everything.',
    value: words,
    autocomplete: 'off',
  })}${selectField({ name: 'category', label: 'Category', options, value: category })}${textField({
    name: 'tags',
    label: 'Tags',
    hint: 'With commas between them; a torrent must have all of them.',
    value: tags.join(', '),
    autocomplete: 'off',
    autocapitalize: 'none',
  })}`;
  const saved = searches.map(
    ({ id, name }) => html`<li><a href="${href('feeds', { saved: id })}">${name}</a></li>`,
  );
  const list =
    saved.length === 0
      ? html`<p class="muted">A search that you save on the list of torrents has a feed, too.</p>`
      : html`<h3>Your saved searches</h3><ul>${saved}</ul>`;
  const body = html`<form class="form" method="get" action="${href('feeds')}">${fields}<div class="form-actions">${submitButton({ label: 'Show this feed', kind: 'primary' })}</div></form>${list}`;
  return panel({ title: 'A feed of your choice', body });
}

function torznabPanel({ siteUrl, key }: FeedsView): Html {
  const path = href('torznab');
  const address = siteUrl + path.slice(0, path.lastIndexOf('/'));
  const body = html`<p>Programs that search many sites at once, such as Prowlarr and Jackett, ask for an address and a key. Their path for the API is <code>/api</code>.</p><h3>Address</h3>${secret(address)}${reveal('Show the key', secret(key))}`;
  return panel({ title: 'Torznab', body });
}

function keyPanel(): Html {
  const reset = linkButton({ label: 'Reset the key', href: href('feedsReset'), kind: 'danger' });
  const body = html`<p>Did somebody else see one of these addresses? Another key makes all of them worthless. Your passkey and your torrents in clients are not touched.</p><div class="row">${reset}</div>`;
  return panel({ title: 'Your key', body });
}

export function feedResetMain(csrf: string): Html {
  return confirmation({
    question: 'Reset the key of your feeds?',
    consequence:
      'Every feed and every Torznab address of yours stops at once, wherever it is set up, and has to be put in anew. There is no way back to the old key.',
    action: href('feedsReset'),
    csrf,
    confirmLabel: 'Reset the key',
    cancelHref: href('feeds'),
  });
}
