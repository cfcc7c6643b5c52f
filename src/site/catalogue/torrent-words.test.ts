// Words that members type, as they are kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanTitle } from './torrent-words.ts';

test('a title can be seen, in any script, and turns nothing around that stands behind it', () => {
  const flag = '\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}';
  for (const title of ['שלום', 'مرحبا', '測量', 'Ὀδύσσεια', '👩‍🔬', flag, '1', '…', 'n\u0303']) {
    assert.equal(cleanTitle(`  ${title}\n`), title);
  }
  for (const blank of ['', ' \t', '\u200b\u200b', '\u2060 \u200d', '\u3164', '\u2800', '\ufeff']) {
    assert.equal(cleanTitle(blank), '', JSON.stringify(blank));
  }
  assert.equal(cleanTitle('invoice\u202egpj.exe\u2066'), 'invoicegpj.exe');
});
