import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { docShelf } from './doc-shelf.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-docs-'));
const FILES: Readonly<Record<string, string>> = {
  'docs/getting-started.md':
    '# Getting <b>started</b>\n\nSee [settings](generated/config.toml), [code](../README.md).\n\n## Then\n\n| a | b |\n|---|---|\n| `x` | <i> |\n',
  'docs/generated/config.toml': '[site]\nport = 8080\n',
  'docs/generated/commands/index.md': '# Commands\n\n[put](put.md)\n',
  'docs/generated/commands/put.md': '# put\n',
  'docs/secret.txt': 'of no ending that is shown',
  'secret.md': '# outside\n',
};

let site: TestSite;
let visitor: TestBrowser;

before(async () => {
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  site = await TestSite.open({ docs: docShelf(join(folder, 'docs')) });
  visitor = site.browser();
});

after(async () => {
  await site.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a page is shown with its title, headings in order, tables, and links to where pages are shown', async () => {
  const { status, text } = await visitor.get('/docs/getting-started');
  assert.equal(status, 200);
  assert.match(text, /<h1[^>]*>Getting &lt;b&gt;started&lt;\/b&gt;<\/h1>/);
  assert.match(text, /<h2>Then<\/h2>/);
  assert.match(text, /<td role="cell" data-label="b">&lt;i&gt;<\/td>/);
  assert.match(text, /<a href="\/docs\/generated\/config">settings<\/a>, code\./);
  assert.match((await visitor.get('/docs/generated/config.toml')).text, /port = 8080/);
  const commands = await visitor.get('/docs/generated/commands');
  assert.match(commands.text, /<a href="\/docs\/generated\/commands\/put">put<\/a>/);
  assert.match((await visitor.get('/docs/generated/commands/put.md')).text, /<h1[^>]*>put</);
});

test('the list of pages begins with how to start', async () => {
  const { text } = await visitor.get('/docs');
  const first = /<li><a href="([^"]+)"/.exec(text)?.[1];
  assert.equal(first, '/docs/getting-started');
});

test('no path leads out of the documentation, nor to a file of another kind', async () => {
  const paths = [
    ...['secret.txt', 'secret', '..%2Fsecret.md', '..%2Fsecret', '%2e%2e/secret.md'],
    ...['generated/..%2F..%2Fsecret', '%2Fetc%2Fpasswd', 'getting-started%00.md', 'nothing'],
    ...['generated/commands/..%2F..%2F..%2Fsecret.md', '__proto__', 'a/b/c'],
  ];
  for (const path of paths) {
    assert.equal((await visitor.get(`/docs/${path}`)).status, 404, path);
  }
});

test('a site without its documentation says that there is none', async () => {
  const bare = await TestSite.open();
  try {
    assert.equal((await bare.browser().get('/docs')).status, 404);
  } finally {
    await bare.close();
  }
});
