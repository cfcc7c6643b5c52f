// What a member may have so many of, asked for many times at once: no request passes the bound.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addReport, OPEN_MAX } from '#site/reports/reports.ts';
import { addRequest } from '#site/requests/requests.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { addInvite, listInvites } from './invites.ts';

const AT_ONCE = 6;

async function atOnce(run: (at: number) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => run(at)));
}

forEachDatabase((database, open) => {
  test(`${database}: of many invites asked for at once as many are made as may be open`, async () => {
    const site = await TestSite.open({ open, config: { invitesOpenMax: 2 } });
    const { id } = await site.addMember('mina');
    const world = { ...site.world, passwords: site.passwords };
    for (let round = 0; round < 3; round++) await atOnce(() => addInvite(world, id, ''));
    assert.equal((await listInvites(site.world, id)).length, 2);
    await site.close();
  });

  test(`${database}: nor are there more open requests or reports of one member`, async () => {
    const site = await TestSite.open({ open });
    const { id: memberId } = await site.addMember('mina');
    const ask = (at: number) =>
      addRequest(site.world, { memberId, title: `Rain ${at}`, description: '' });
    const report = (subjectId: number) =>
      addReport(site.world, { memberId, kind: 'torrent', subjectId, words: 'Wrong' });
    for (let at = 0; at < 49; at++) await ask(at);
    await atOnce(ask);
    for (let at = 0; at < OPEN_MAX - 1; at++) await report(at);
    await atOnce((at) => report(100 + at));
    const reading = site.sql.read<{ request: { id: number }; report: { id: number } }>();
    assert.equal((await reading.selectFrom('request').select('id').execute()).length, 50);
    assert.equal((await reading.selectFrom('report').select('id').execute()).length, OPEN_MAX);
    await site.close();
  });
});
