// docs/features.md is a promise with evidence: every line of the product stands there once, and what
// it names as proof exists.

import { strict as assert } from 'node:assert';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const STATES = new Set(['done', 'part', 'open']);
const LINES_MIN = 130;

interface Feature {
  readonly id: string;
  readonly state: string;
  readonly evidence: string;
}

function readFeatures(): Feature[] {
  const text = readFileSync(`${ROOT}docs/features.md`, 'utf8');
  const rows = text.matchAll(/^\| ([A-Z]\d+) \| [^|]+ \| (\w+) \| (.*) \|$/gm);
  return [...rows].map(([, id = '', state = '', evidence = '']) => ({ id, state, evidence }));
}

function testSources(): string {
  const patterns = ['{src,sim,tools,bench}/**/*.test.ts', 'src/**/*.conformance.ts'];
  const paths = globSync(patterns, { cwd: ROOT });
  assert.ok(paths.length > 50, 'the tests are found');
  return paths.map((path) => readFileSync(`${ROOT}${path}`, 'utf8')).join('\n');
}

test('every line stands in docs/features.md once, with a state that is known', () => {
  const features = readFeatures();
  assert.ok(features.length >= LINES_MIN, `${features.length} lines`);
  assert.equal(new Set(features.map(({ id }) => id)).size, features.length);
  for (const { id, state } of features) assert.ok(STATES.has(state), `${id}: ${state}`);
});

test('what is done or done in part names its evidence, and what is named exists', () => {
  const sources = testSources();
  for (const { id, state, evidence } of readFeatures()) {
    if (state !== 'open') assert.notEqual(evidence, '', `${id} has no evidence`);
    checkEvidence(id, evidence, sources);
  }
});

test('what the threat model says stops somebody exists: its files and its tests', () => {
  const sources = testSources();
  const [first = '', ...doors] = readFileSync(`${ROOT}docs/threat-model.md`, 'utf8').split(/^## /m);
  assert.ok(first.startsWith('# Threat model') && doors.length >= 12, `${doors.length} doors`);
  for (const door of doors) {
    const [name = ''] = door.split('\n', 1);
    checkEvidence(name, door.replace(/\s+/g, ' '), sources);
  }
});

/** Files in backticks and tests in quotes. */
function checkEvidence(id: string, evidence: string, sources: string): void {
  for (const [, path = ''] of evidence.matchAll(/`([a-z]+\/[A-Za-z0-9./_-]+)`/g)) {
    assert.ok(existsSync(`${ROOT}${path}`), `${id} names ${path}, which is not there`);
  }
  for (const [, sentence = ''] of evidence.matchAll(/“([^”]+)”/g)) {
    const words = sentence.replace(/ …$/, '');
    assert.ok(sources.includes(words), `${id} names a test that is not there: ${sentence}`);
  }
}
