import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryWords, SEARCH_LIMITS, sortKey, wordsOf } from './search-words.ts';

test('wordsOf() cuts at what is no letter, digit or mark, and folds case and accents', () => {
  assert.deepEqual(wordsOf('Ångström_v2.1.tar GZ'), ['angstrom', 'v2', '1', 'tar', 'gz']);
  assert.deepEqual(wordsOf('ﬁnal ² Ⅷ'), ['final', '2', 'viii']);
  assert.deepEqual(wordsOf('Ёлка Ψυχή'), ['елка', 'ψυχη']);
  assert.deepEqual(wordsOf('हिन्दी शब्द'), ['हिन्दी', 'शब्द']);
  assert.deepEqual(wordsOf('— … !'), []);
});

test('wordsOf() gives each character of a script without spaces', () => {
  assert.deepEqual(wordsOf('東京2020オリンピック'), [
    '東',
    '京',
    '2020',
    ...'オリンピック'.normalize('NFC'),
  ]);
});

test('queryWords() bounds the query and drops repeats', () => {
  assert.deepEqual(queryWords('Tar tar TAR'), ['tar']);
  const many = Array.from({ length: 60 }, (_, at) => `w${at}`).join(' ');
  assert.equal(queryWords(many).length, SEARCH_LIMITS.queryWordsMax);
  assert.ok((queryWords('x'.repeat(5000))[0] ?? '').length <= SEARCH_LIMITS.wordCharsMax);
});

test('sortKey() sorts titles without case and accents', () => {
  assert.ok(sortKey('Élan') < sortKey('elbow'));
  assert.equal(sortKey(' ABC '), 'abc');
});
