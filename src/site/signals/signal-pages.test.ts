import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { SignalTables } from '#accounting/signals/signal-tables.ts';
import { writeSignals } from '#accounting/signals/signals.ts';
import { TestSite } from '#site/test-site.ts';

let site: TestSite;

before(async () => {
  site = await TestSite.open();
  await site.addMember('olga', 'admin');
  await site.addMember('ben');
});

after(async () => {
  await site.close();
});

test('signals are shown to admins with their evidence, and dismissed', async () => {
  const olga = await site.signedIn('olga');
  assert.match((await olga.get('/console/signals')).text, /Nothing to look at/);
  const evidence = { bytes: 2 ** 40, seconds: 600, bytesPerSecond: 1_832_519_379 };
  const signal = { memberId: 2, torrentId: 0, kind: 'too-fast', atMs: 5, evidence } as const;
  await site.sql.transaction<SignalTables, void>((transaction) =>
    writeSignals(transaction, [signal, signal]),
  );
  const page = await olga.get('/console/signals');
  assert.match(page.text, /Faster than a line/);
  assert.match(page.text, /Gave 1\.00 TiB in 10 minutes: 1\.71 GiB a second/);
  assert.match(page.text, /console\/members\/ben/);
  const dismiss = /action="(\/console\/signals\/\d+\/dismiss)"/.exec(page.text)?.[1] ?? '';
  const ben = await site.signedIn('ben');
  assert.equal((await ben.get('/console/signals')).status, 403);
  assert.equal((await ben.post(dismiss)).status, 403);
  await olga.get('/console/signals');
  assert.equal((await olga.post(dismiss)).status, 303);
  assert.equal((await olga.post(dismiss)).status, 404);
  assert.match((await olga.get('/console/signals')).text, /Nothing to look at/);
});
