// docs/crash-tests.md names, for each defect of other logs, the test that would see it here: each of
// them exists.

import { strict as assert } from 'node:assert';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { logConfig } from '#log/config.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/crash-tests.md`, 'utf8');
const DEFECTS_MIN = 30;

function textOf(patterns: readonly string[]): string {
  const paths = globSync([...patterns], { cwd: ROOT });
  assert.ok(paths.length > 20, 'the files are found');
  return paths.map((path) => readFileSync(`${ROOT}${path}`, 'utf8')).join('\n');
}

test('every defect of another log has a test here, or a reason, and what is named exists', () => {
  const [, table = ''] = PAGE.split('## What other logs have lost');
  const rows = [...table.matchAll(/^\| ([A-Z]: .+) \| (.+) \|$/gm)];
  assert.ok(rows.length >= DEFECTS_MIN, `${rows.length} defects`);
  for (const [, defect, here = ''] of rows) {
    const isSaid = /“|`|cannot occur/.test(here);
    assert.ok(isSaid, `nothing is said of: ${defect}`);
  }
  const tests = textOf(['{src,tools}/**/*.test.ts', 'src/**/*.conformance.ts']);
  // A line of prose may break inside a sentence.
  const flat = PAGE.replace(/\n\s*/g, ' ');
  const sentences = [...flat.matchAll(/“([^”]+)”/g)].map(([, sentence = '']) => sentence);
  for (const sentence of sentences) {
    assert.ok(tests.includes(sentence), `a test that is not there: ${sentence}`);
  }
  for (const [, path = ''] of flat.matchAll(/`((?:src|sim|docs|tools)\/[A-Za-z0-9./_-]+)`/g)) {
    assert.ok(existsSync(`${ROOT}${path}`), `${path} is not there`);
  }
});

test('every setting of the log is read by somebody', () => {
  const own = `${ROOT}src/log/config.ts`;
  const sources = globSync(['src/{log,cli,config,site,accounting,tracker}/**/*.ts'], { cwd: ROOT })
    .filter((path) => `${ROOT}${path}` !== own && !/\.(?:test|conformance)\.ts$/.test(path))
    .map((path) => readFileSync(`${ROOT}${path}`, 'utf8'))
    .join('\n');
  for (const name of Object.keys(logConfig.shape)) {
    assert.ok(new RegExp(`\\b${name}\\b`).test(sources), `nobody reads log.${name}`);
  }
});
