// The documentation at /docs: guides, decisions, and what is generated from the sources.

import { html, raw } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { markdown } from '#site/format/markdown.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { type DocShelf, docName, docPage, docPath, withDocLinks } from './doc-shelf.ts';

const GROUPS = [
  { title: 'Guides', holds: (name: string) => !name.includes('/') },
  {
    title: 'Reference',
    holds: (name: string) => /^generated\/(\w+\/index|[\w-]+)\.\w+$/.test(name),
  },
  { title: 'Decisions', holds: (name: string) => name.startsWith('decisions/') },
] as const;
const FIRST = 'getting-started.md';

async function showDocs(visit: Visit): Promise<Response> {
  const { docs } = visit.parts;
  if (docs === undefined) return await visit.notFound();
  const names = await docs.names();
  const groups = await Promise.all(
    GROUPS.map(async ({ title, holds }) => {
      const held = names.filter(holds).toSorted(byName);
      return panel({ title, body: await linkList(docs, held) });
    }),
  );
  const head = pageHead({
    title: 'Documentation',
    lead: 'Of the version that runs here.',
  });
  const main = html`<div class="medium">${head}<div class="stack">${groups}</div></div>`;
  return await visit.page({ title: 'Documentation', main });
}

function byName(one: string, other: string): number {
  if (one === FIRST || other === FIRST) return one === FIRST ? -1 : 1;
  return one < other ? -1 : 1;
}

async function linkList(docs: DocShelf, names: readonly string[]): Promise<Html> {
  const pages = await Promise.all(
    names.map(async (name) => ({ name, text: (await docs.read(name)) ?? '' })),
  );
  const items = pages.map(
    ({ name, text }) => html`<li><a href="${docPath(name)}">${docPage(name, text).title}</a></li>`,
  );
  return html`<ul class="plain stack-tight">${items}</ul>`;
}

async function showDoc(visit: Visit): Promise<Response> {
  const { docs } = visit.parts;
  if (docs === undefined) return await visit.notFound();
  const names = await docs.names();
  const parts = ['one', 'two', 'three'].map((part) => visit.param(part));
  const name = docName(names, parts.filter((part) => part !== '').join('/'));
  const text = name === undefined ? undefined : await docs.read(name);
  if (name === undefined || text === undefined) {
    return await visit.notFound('No page of the documentation is called so.');
  }
  const page = docPage(name, text);
  const head = pageHead({
    title: page.title,
    crumbs: [{ label: 'Documentation', href: href('docs') }],
  });
  const body = withHeadings(markdown(withDocLinks(page.text, name, names)));
  const main = html`<div class="medium">${head}<div class="markdown prose">${body}</div></div>`;
  return await visit.page({ title: page.title, main });
}

/** Here `##` is what stands below the page's title; in a description it stands deeper. */
function withHeadings(body: Html): Html {
  const lifted = String(body).replaceAll(
    /<(\/?)h([3-6])>/g,
    (_, end: string, level: string) => `<${end}h${Number(level) - 2}>`,
  );
  return raw(lifted) as Html;
}

export const docRoutes: RouteHandlers = {
  docs: { GET: showDocs },
  doc: { GET: showDoc },
  docInFolder: { GET: showDoc },
  docBelow: { GET: showDoc },
};
