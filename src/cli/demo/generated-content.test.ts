import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEMO_MEMBERS, DEMO_TORRENTS } from './demo-plan.ts';
import { GeneratedContent, makeTorrentFile } from './generated-content.ts';

for (const version of ['v1', 'hybrid'] as const) {
  test(`every piece of a generated ${version} torrent can be made by itself and is the right one`, async () => {
    const files = { 'a/one.bin': 100_003, 'two.bin': 65_536, 'empty.txt': 0, 'z.bin': 7 };
    const plan = { name: 'some', version, files };
    const bytes = await makeTorrentFile(plan, 0);
    assert.deepEqual(await makeTorrentFile(plan, 0), bytes);
    const content = new GeneratedContent(bytes);
    for (let piece = content.pieceCount - 1; piece >= 0; piece--) {
      const size = content.pieceBytes(piece);
      const whole = content.read(piece, 0, size);
      assert.ok(content.isPiece(piece, whole));
      const start = Math.min(5, size - 1);
      assert.deepEqual(content.read(piece, start, size - start), whole.subarray(start));
      whole[0] = (whole[0] ?? 0) ^ 1;
      assert.ok(!content.isPiece(piece, whole));
    }
  });
}

test('the plan names members that are there, and sizes that stay small', () => {
  const names = new Set(DEMO_MEMBERS.map((member) => member.name));
  assert.ok(names.size >= 12 && DEMO_TORRENTS.length >= 12);
  for (const plan of DEMO_TORRENTS) {
    for (const name of [plan.uploader, ...plan.seeders, ...plan.leechers])
      assert.ok(names.has(name));
    const size = Object.values(plan.files).reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(size > 1_000_000 && size < 24_000_000, plan.title);
    assert.ok(
      plan.seeders.every((name) => !plan.leechers.includes(name)),
      plan.title,
    );
  }
});
