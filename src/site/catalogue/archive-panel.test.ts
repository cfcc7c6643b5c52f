import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING } from '#site/components/markup.ts';
import { archivePanel } from './archive-panel.ts';
import { verdictWords } from './torrent-view.ts';

const NOW_MS = 1_800_000_000_000;
const WHOLE = {
  files: 3,
  bytes: 5_000_000,
  damagedFiles: 0,
  damagedSegments: 0,
  checkedMs: NOW_MS - 3 * 86_400_000,
};

test('a torrent page says whether the archive has all of it, and how lately that was proven', async () => {
  assert.equal(archivePanel({ health: undefined, wanted: undefined }, NOW_MS), NOTHING);
  const whole = String(await archivePanel({ health: WHOLE, wanted: undefined }, NOW_MS));
  assert.match(whole, /Kept whole/);
  assert.match(whole, /3 days ago/);
  const red = { ...WHOLE, damagedFiles: 1, damagedSegments: 2 };
  const damaged = String(await archivePanel({ health: red, wanted: undefined }, NOW_MS));
  assert.match(damaged, /health-bad/);
  assert.match(damaged, /2 parts of 1 file cannot be read/);
  const wanted = { torrentId: 1, wantedMs: NOW_MS - 3_600_000, problem: '' };
  const coming = String(await archivePanel({ health: undefined, wanted }, NOW_MS));
  assert.match(coming, /Being taken in[\s\S]*stay and seed[\s\S]*1 hour ago/);
  const stuck = { ...wanted, problem: 'It is of v2 only.' };
  const never = String(await archivePanel({ health: undefined, wanted: stuck }, NOW_MS));
  assert.match(never, /health-bad[\s\S]*It is of v2 only\./);
});

test('what the archive keeps whole is not called dead, what it lost is', () => {
  const nobody = { seeders: 0, leechers: 0, completed: 0 };
  assert.match(verdictWords(nobody, true), /archive alone has all of it now/);
  assert.match(verdictWords(nobody, false), /No client is here/);
  assert.match(verdictWords({ ...nobody, seeders: 1 }, true), /One client and the archive/);
});
