import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namesAtClients, shortenedName } from './client-names.ts';

const a = (count: number): string => 'a'.repeat(count);
const e = (count: number): string => 'e'.repeat(count);

test('a long name is what libtorrent 2.0.8 makes of it', () => {
  // Asked of the library: torrent_info(…).files().file_path(0).
  const same = [`${a(235)}.bin`, `${a(236)}.bin`, a(239), a(240), 'é'.repeat(120)];
  for (const name of same) assert.equal(shortenedName(name), name);
  const others: readonly (readonly [string, string])[] = [
    [`${a(239)}.bin`, `${a(239)}.`],
    [`${a(241)}.bin`, `${a(240)}.bin`],
    [`${a(246)}.tar.gz`, `${a(240)}.gz`],
    [a(241), a(240)],
    [a(250), a(240)],
    [`${a(240)}.${e(9)}`, a(240)],
    [`${a(243)}.${e(8)}`, `${a(240)}.${e(8)}`],
    [`${a(243)}.${e(9)}`, a(240)],
    [`${a(237)}.${e(8)}`, `${a(237)}.ee`],
    [`${a(233)}.${e(9)}`, `${a(233)}.${e(6)}`],
    [`${a(100)}.${'b'.repeat(150)}`, `${a(100)}.${'b'.repeat(139)}`],
    [`${'é'.repeat(120)}.bin`, `${'é'.repeat(120)}.bin`],
    [`x${'é'.repeat(125)}.bin`, `x${'é'.repeat(120)}.bin`],
    [`${'€'.repeat(81)}.bin`, `${'€'.repeat(80)}.bin`],
  ];
  for (const [name, short] of others) assert.equal(shortenedName(name), short, name);
});

test('a path has the names of each kind of client, folders too', () => {
  assert.deepEqual(namesAtClients(`set/${a(250)}/what?.bin`), [
    `set/${a(250)}/what_.bin`,
    `set/${a(240)}/what?.bin`,
  ]);
});

test('a path that every client writes as it is has one name, any other as many as it needs', () => {
  assert.deepEqual(namesAtClients('set/a b (c).d [e]/1.bin'), ['set/a b (c).d [e]/1.bin']);
  for (const name of ['a:b', 'a\\b', 'a|b', 'a"', '<a', ' a', 'a ', 'a.', 'a*', a(241)]) {
    for (const path of [name, `set/${name}`, `${name}/file`]) {
      assert.ok(
        namesAtClients(path).some((other) => other !== path),
        path,
      );
    }
  }
});
