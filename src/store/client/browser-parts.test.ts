// The part of the client that a page of a browser loads must not need Node, whoever changes what it imports.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../../', import.meta.url));

/** What a file imports to run, types aside, as paths in src/ or as it is. */
function importsOf(path: string): string[] {
  const code = readFileSync(`${SOURCES}${path}`, 'utf8');
  return [...code.matchAll(/^import (?!type )[^;]*? from '([^']+)';/gms)].map(([, from = '']) =>
    from.startsWith('./') ? path.replace(/[^/]*$/, from.slice(2)) : from.replace(/^#/, ''),
  );
}

test('the link and its WebSocket load in a browser: they import nothing of Node', () => {
  const loaded = ['store/client/store-link.ts', 'store/client/web-socket-messages.ts'];
  for (const path of loaded) {
    for (const from of importsOf(path)) {
      assert.ok(from.endsWith('.ts'), `"${path}" imports "${from}"`);
      if (!loaded.includes(from)) loaded.push(from);
    }
  }
  assert.ok(loaded.includes('base/bytes.ts'), 'imports of imports are looked at');
});
