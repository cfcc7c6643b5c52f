import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ROOT } from './child-process.ts';
import { errorTables, generatedDocs } from './generate-docs.ts';
import { blankComments } from './source-text.ts';

test('every code of every room stands in errors.md once, and no other does', async () => {
  const page = (await generatedDocs()).get('errors.md') ?? '';
  const written = [...page.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  const codes = [...(await errorTables()).values()].flatMap((table) => Object.keys(table));
  assert.ok(codes.length > 30, `only ${codes.length} codes found`);
  assert.deepEqual(written, codes);
  assert.equal(new Set(codes).size, codes.length, 'a code belongs to one room');
});

test('every code says in a sentence what it means', async () => {
  for (const table of (await errorTables()).values()) {
    for (const [code, words] of Object.entries(table)) {
      assert.match(code, /^[A-Z]+(?:_[A-Z0-9]+)+$/);
      assert.match(words, /^[A-Z].{15,}\.$/s, code);
    }
  }
});

test('every metric that is made has its name and help as literals, and a page row', async () => {
  const page = (await generatedDocs()).get('metrics.md') ?? '';
  let found = 0;
  for (const path of globSync('src/**/*.ts', { cwd: ROOT })) {
    if (path.endsWith('.test.ts') || path.startsWith('src/metrics/')) continue;
    const code = blankComments(readFileSync(`${ROOT}${path}`, 'utf8'));
    for (const [, name] of code.matchAll(
      /\b(?:metrics|registry)\.(?:counter|gauge|histogram)\(\s*([^,)]*)/g,
    )) {
      found++;
      const literal = /^'(swarmkeep_[a-z0-9_]+)'$/.exec(name ?? '')?.[1];
      assert.ok(literal !== undefined, `${path}: a metric's name is no literal: ${name}`);
      assert.ok(page.includes(`\`${literal}\``), `${path}: ${literal} is not on the page`);
    }
  }
  assert.ok(found > 20, `only ${found} metrics found`);
});

test('a counter ends in _total, and nothing else does', async () => {
  const page = (await generatedDocs()).get('metrics.md') ?? '';
  for (const [, name = '', kind] of page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)) {
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
  }
});
