// The house rules: each is broken once here, so that a rule that stopped working is noticed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blankComments } from './source-text.ts';
import { sourceFiles, tidyFile } from './tidy.ts';

const HEADER = '// What this file is for.\n\n';

function messages(path: string, code: string): string[] {
  return tidyFile(path, `${HEADER}${code}\n`).map((finding) => finding.message);
}

function finds(path: string, code: string, expected: RegExp): void {
  const found = messages(path, code);
  assert.equal(found.length, 1, `${path}: ${code}: ${found.join(' | ')}`);
  assert.match(found[0] ?? '', expected);
}

test('the tree that `npm run check` walks is the real one', () => {
  const paths = sourceFiles();
  assert.ok(paths.length > 50, `only ${paths.length} files found`);
  for (const room of ['base', 'log', 'swarm', 'tracker', 'site', 'cli']) {
    assert.ok(
      paths.some((path) => path.startsWith(`src/${room}/`)),
      `no file of ${room}/ was read`,
    );
  }
  assert.ok(paths.includes('tools/tidy.ts'));
});

test('a tidy file has no findings', () => {
  const code = "import { sha256 } from '#base/hash.ts';\nimport type { Log } from './log.ts';";
  assert.deepEqual(messages('src/log/segment/segment.ts', code), []);
});

test('a folder may import lower ranks only, types and dynamic imports included', () => {
  finds('src/log/a.ts', "import { Swarm } from '#swarm/swarm.ts';", /log\/ may not import swarm\//);
  finds(
    'src/swarm/a.ts',
    "import type { D } from '#accounting/d.ts';",
    /may not import accounting/,
  );
  finds('src/base/a.ts', "const late = await import('#cli/main.ts');", /may not import cli/);
  finds(
    'src/log/a.ts',
    "import type {\n  Swarm,\n} from '#swarm/swarm.ts';",
    /may not import swarm/,
  );
  assert.deepEqual(messages('src/cli/a.ts', "import { Swarm } from '#swarm/swarm.ts';"), []);
});

test('sim/ is for tests, and tests may look up', () => {
  const sim = "import { SimClock } from '#sim/clock.ts';";
  finds('src/log/a.ts', sim, /only tests/);
  assert.deepEqual(messages('src/log/a.test.ts', sim), []);
  assert.deepEqual(messages('src/log/log.conformance.ts', sim), []);
});

test('a folder without a rank, a path upwards, a bare import and a re-export are found', () => {
  finds('src/attic/a.ts', 'const a = 1;', /no rank/);
  finds('src/log/a.ts', "import { b } from '../base/bytes.ts';", /write '#folder/);
  finds('src/log/a.ts', "import './side-effect.ts';", /side effect/);
  finds('src/log/a.ts', "export { b } from './b.ts';", /where it is made/);
  finds('src/log/a.ts', "export * from './b.ts';", /where it is made/);
  assert.deepEqual(messages('src/log/a.ts', "export const NAME = 'segment';"), []);
});

test('what belongs to one seam is found elsewhere, with its replacement', () => {
  const path = 'src/log/a.ts';
  finds(path, 'const now = Date.now();', /Clock/);
  finds(path, 'const now = new Date();', /Clock/);
  finds(path, 'const now = performance.now();', /Clock/);
  finds(path, 'setTimeout(run, 5);', /clock\.after/);
  finds(path, 'setInterval(run, 5);', /clock\.after/);
  finds(path, 'const id = randomUUID();', /Random/);
  finds(path, "import { readFileSync } from 'node:fs';", /Disk/);
  finds(path, "import { connect } from 'node:net';", /net\//);
  finds(path, 'const home = process.env.HOME;', /config/);
  finds(path, "console.log('here');", /Logger/);
  finds('sim/world.ts', 'const now = Date.now();', /Clock/);
  assert.deepEqual(messages('src/base/clock.ts', 'const now = Date.now();'), []);
  assert.deepEqual(messages('src/log/a.test.ts', "import { rmSync } from 'node:fs';"), []);
  assert.deepEqual(messages(path, '// Unlike Date.now(), a clock may be simulated.'), []);
  assert.deepEqual(messages(path, 'this.#clock.setTimeout(run);'), []);
});

test('randomness without a seed is found in tests and tools too', () => {
  finds('src/log/a.test.ts', 'const draw = Math.random();', /SeededRandom/);
  finds('tools/a.ts', 'const draw = Math.random();', /SeededRandom/);
});

test('a template in an assertion and a test that hides others are found', () => {
  finds('src/log/a.ts', 'assert(a > 0, `a is ${a}`);', /constant message/);
  finds('src/log/a.test.ts', "test.only('this', run);", /always runs/);
});

test('names, headers, lengths and leftovers are found', () => {
  finds('src/log/utils.ts', 'const a = 1;', /one noun/);
  finds('src/site/accounts/types.ts', 'const a = 1;', /one noun/);
  assert.match(tidyFile('src/log/a.ts', 'const a = 1;\n')[0]?.message ?? '', /without a comment/);
  finds('src/log/a.ts', 'a();\n'.repeat(500), /has 50[0-9] lines/);
  finds('src/log/a.ts', `// ${'word '.repeat(30)}`, /columns/);
  finds('src/log/a.ts', `// ${'TO'}${'DO'}: this`, /finish it/);
  finds('src/log/a.ts', `throw new Error('not ${'implemented'}');`, /finish it/);
  finds('src/log/a.ts', `// @ts-${'ignore'}`, /types true/);
});

test('a finding names its line', () => {
  assert.equal(tidyFile('src/log/a.ts', `${HEADER}a();\nDate.now();\n`)[0]?.line, 4);
});

test('blankComments() knows strings, templates and regular expressions', () => {
  const kept = [
    "const url = 'http://a';",
    'const text = `${/* in a hole */ 1} // text`;',
    'const slash = /[/"]\\/\\//g;',
    'const half = a / b;',
  ];
  for (const code of kept) assert.equal(blankComments(`${code} // gone`).trimEnd(), code);
  assert.equal(blankComments('a /* b\nc */ d'), 'a     \n     d');
  assert.equal(blankComments("const a = '\\''; // gone").trimEnd(), "const a = '\\'';");
});
