// Every command of bin/swarmkeep stands in a test that runs it as a program.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COMMANDS } from '#cli/commands/commands.ts';
import { ROOT } from './child-process.ts';

test('every command is run by an end-to-end test', () => {
  const text = globSync(['tools/e2e/**/*.ts', 'src/cli/**/*.test.ts'], { cwd: ROOT })
    .map((path) => readFileSync(`${ROOT}${path}`, 'utf8'))
    .join('\n');
  const missing = COMMANDS.map((command) => command.name).filter((name) => {
    const words = name
      .split(' ')
      .map((word) => `'${word}'`)
      .join(',\\s*');
    // As a list of words, or as the beginning of a line of them.
    return !new RegExp(words).test(text) && !text.includes(`\`${name} `);
  });
  assert.deepEqual(missing, []);
});
