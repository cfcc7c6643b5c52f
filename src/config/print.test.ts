import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from './load.ts';
import { printConfig } from './print.ts';
import { SECTIONS } from './schema.ts';

function reload(text: string): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-config-'));
  try {
    const path = join(folder, 'printed.toml');
    writeFileSync(path, text);
    return loadConfig({ file: { path, required: true }, overrides: [] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('printConfig() writes what loads as the same settings, defaults or not', () => {
  const defaults = loadConfig({ overrides: [] });
  assert.deepEqual(reload(printConfig(defaults)), defaults);
  const changed = loadConfig({
    overrides: [
      'site.publicUrl=https://a.example/"quoted"\\',
      'site.proxies=10.0.0.1,10.0.0.2',
      'tracker.port=0',
      'log.topicsMax=7',
    ],
  });
  assert.notDeepEqual(changed, defaults);
  assert.deepEqual(reload(printConfig(changed)), changed);
});

test('every setting is printed once, below its description', () => {
  const lines = printConfig(loadConfig({ overrides: [] })).split('\n');
  let section = '';
  const printed: string[] = [];
  for (const [at, line] of lines.entries()) {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const key = /^(\w+) = /.exec(line)?.[1];
    if (key === undefined) continue;
    printed.push(`${section}.${key}`);
    assert.match(lines[at - 1] ?? '', /^# /, `${section}.${key} stands without a comment`);
  }
  const known = Object.entries(SECTIONS).flatMap(([name, schema]) =>
    Object.keys(schema.shape).map((key) => `${name}.${key}`),
  );
  assert.deepEqual(printed, known);
});
