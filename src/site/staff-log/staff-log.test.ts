// The staff log: that nothing is missing in it, and that nothing in it can be changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import type { JobContext, JobResult } from '#base/job.ts';
import { inRequest } from '#base/request-scope.ts';
import { type Permission, ROUTE_RULES } from '#site/permissions.ts';
import { ROUTES, type RouteName } from '#site/routes.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { isStaffDeed } from './staff-deeds.ts';
import { checkStaffLog, listActions, StaffLog, type StaffTables } from './staff-log.ts';
import { STAFF_TOPIC, staffLogJob } from './staff-log-job.ts';

async function runJob(site: TestSite): Promise<JobResult> {
  const signal = new AbortController().signal;
  return await staffLogJob(site).run({ signal } as JobContext);
}

test('every action of the staff stands in the log before it is done, with who, whom and why', async () => {
  const site = await TestSite.open();
  try {
    const { id: adminId } = await site.addMember('olga', 'admin');
    const { id } = await site.addMember('mina');
    const olga = await site.signedIn('olga');
    await olga.get('/console/members/mina/ban');
    const fields = { reason: 'shared an account', password: 'hunter2' };
    assert.equal((await olga.post('/console/members/mina/ban', fields)).status, 303);
    const [line] = await listActions(site.sql, { limit: 10 });
    assert.ok(line !== undefined);
    assert.deepEqual(
      [line.number, line.memberId, line.action, line.subject],
      [1, adminId, 'consoleMemberBan', `member ${id}`],
    );
    assert.equal(line.words, 'reason: shared an account; password: (not told)');
    // What was refused is told by a line behind.
    await olga.post('/console/members/olga/ban', { reason: 'oops' });
    const [refused, tried] = await listActions(site.sql, { limit: 10 });
    assert.equal(tried?.action, 'consoleMemberBan');
    assert.deepEqual([refused?.action, refused?.subject], ['refused', 'line 2']);
  } finally {
    await site.close();
  }
});

test('no POST that demands a permission of the staff does anything without a line in the log', async () => {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('olga', 'admin');
    await site.addMember('mina');
    await site.addTorrent(id, 'A torrent');
    const olga = await site.signedIn('olga');
    let walked = 0;
    for (const [name, rule] of Object.entries(ROUTE_RULES)) {
      const route = name as RouteName;
      const permission = (rule as { readonly POST?: Permission }).POST;
      if (permission === undefined || !['moderate', 'administer'].includes(permission)) continue;
      await olga.get('/console');
      const before = (await listActions(site.sql, { limit: 1 }))[0]?.number ?? 0;
      const path = ROUTES[route].replaceAll(/:(\w+)/g, (_, parameter: string) =>
        parameter === 'name' ? 'mina' : '1',
      );
      const page = await olga.post(path, {});
      assert.ok(page.status < 500, `${path}: ${page.status}`);
      const told = await listActions(site.sql, { limit: 2 });
      const mine = told.find((line) => line.number === before + 1);
      assert.equal(mine?.action, isStaffDeed(route, permission) ? route : undefined, path);
      walked += 1;
    }
    assert.ok(walked > 15, `${walked} routes`);
  } finally {
    await site.close();
  }
});

test('what a moderator does to the words and torrents of others stands there too', async () => {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('mina');
    await site.addMember('mona', 'moderator');
    const { infoHash: hash } = await site.addTorrent(id, 'Rain');
    const mina = await site.signedIn('mina');
    await mina.get(`/torrents/${hash}`);
    await mina.post(`/torrents/${hash}/comments`, { text: 'first words' });
    await mina.post('/comments/1', { text: 'second words' });
    assert.equal((await listActions(site.sql, { limit: 9 })).length, 0);
    const mona = await site.signedIn('mona');
    await mona.get('/comments/1');
    await mona.post('/comments/1', { text: 'third words' });
    await mona.post('/comments/1/remove');
    const edit = { title: 'Rain, daily', category: 'other', tags: '', description: '' };
    await mona.post(`/torrents/${hash}/edit`, edit);
    await mona.post(`/torrents/${hash}/remove`, { reason: 'broken' });
    const actions = (await listActions(site.sql, { limit: 9 })).map((line) => line.action);
    const expected = ['torrentRemove', 'torrentEdit', 'commentRemove', 'commentEdit'];
    assert.deepEqual(actions, expected);
  } finally {
    await site.close();
  }
});

test('a deed that failed has a line behind that says so', async () => {
  const site = await TestSite.open();
  try {
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    site.jobs.views.push({
      ...{ name: 'purge', summary: '', isPaused: false, isRequested: false, nextRunMs: 0 },
      ...{ failures: 0, progress: undefined, lastRun: undefined },
    });
    Object.assign(site.world.jobs, { pause: () => Promise.reject(new Error('no lease')) });
    await olga.get('/console/jobs/purge');
    assert.equal((await olga.post('/console/jobs/purge', { deed: 'pause' })).status, 500);
    const lines = await listActions(site.sql, { limit: 9 });
    assert.deepEqual(
      lines.map(({ action, subject }) => `${action} ${subject}`),
      ['refused line 1', 'consoleJob purge'],
    );
  } finally {
    await site.close();
  }
});

forEachDatabase((database, open) => {
  test(`${database}: no line of the staff log can be changed or removed, and one that was is found`, async () => {
    const site = await TestSite.open({ open });
    try {
      const { staffLog } = siteParts(site);
      for (const action of ['one', 'two', 'three']) {
        await staffLog.record({ memberId: 1, action, subject: '', words: '' });
      }
      assert.deepEqual(await checkStaffLog(site.sql), { lines: 3, brokenAt: undefined });
      const change = async (words: string): Promise<void> => {
        await site.sql.transaction<StaffTables, void>(async (transaction) => {
          await raw.raw(words).execute(transaction);
        });
      };
      await assert.rejects(change(`update staff_action set words = 'x' where number = 2`));
      await assert.rejects(change('delete from staff_action where number = 2'));
      // Whoever may drop triggers can edit; the chain tells it, and so does the copy in the log.
      await runJob(site);
      await change(
        database === 'sqlite'
          ? 'drop trigger staff_action_no_update'
          : 'drop trigger staff_action_stays on staff_action',
      );
      await change(`update staff_action set words = 'x' where number = 2`);
      assert.deepEqual(await checkStaffLog(site.sql), { lines: 1, brokenAt: 2 });
      await change(`update staff_action set words = 'x' where number = 3`);
      await assert.rejects(runJob(site), { code: 'SITE_STAFF_LOG_APART' });
    } finally {
      await site.close();
    }
  });
});

test('line n is the record at offset n - 1 of the topic, copied once, whenever the job runs', async () => {
  const site = await TestSite.open();
  try {
    const { staffLog } = siteParts(site);
    const add = (action: string) =>
      staffLog.record({ memberId: 7, action, subject: '', words: 'why' });
    await runJob(site);
    for (const action of ['one', 'two']) await add(action);
    await runJob(site);
    await runJob(site);
    // The answer to an append is lost; the records are there.
    await add('three');
    site.log.afterAppend = () => {
      throw new Error('lost');
    };
    await assert.rejects(runJob(site), /lost/);
    site.log.afterAppend = undefined;
    await add('four');
    await runJob(site);
    const { records } = await site.log.read(STAFF_TOPIC, { from: 0 });
    const lines = records.map(({ offset, value }) => {
      const line = JSON.parse(Buffer.from(value).toString()) as { number: number; action: string };
      return [offset, line.number, line.action];
    });
    assert.deepEqual(lines, [
      [0, 1, 'one'],
      [1, 2, 'two'],
      [2, 3, 'three'],
      [3, 4, 'four'],
    ]);
  } finally {
    await site.close();
  }
});

function siteParts(site: TestSite): { readonly staffLog: StaffLog } {
  return { staffLog: new StaffLog(site) };
}

forEachDatabase((database, open) => {
  test(`${database}: the number of a request stands in its line, in what the trackers are told, and in the topic`, async () => {
    const site = await TestSite.open({ open });
    try {
      const { staffLog } = siteParts(site);
      await site.addMember('olga', 'admin');
      await site.addMember('mina');
      const olga = await site.signedIn('olga');
      await staffLog.record({ memberId: 0, action: 'member ban', subject: '', words: '' });
      const told = (await site.messages()).length;
      await inRequest('00112233445566ff', async () => {
        await olga.get('/console/members/mina/ban');
        await olga.post('/console/members/mina/ban', { reason: 'shared an account' });
      });
      const [line, before] = await listActions(site.sql, { limit: 9 });
      assert.deepEqual([line?.requestId, before?.requestId], ['00112233445566ff', '']);
      const messages = (await site.messages()).slice(told);
      assert.deepEqual(
        messages.map(({ kind, requestId }) => `${kind} ${requestId}`),
        ['member 00112233445566ff'],
      );
      const page = await olga.get('/console/staff-log?check=all');
      assert.match(page.text, /Every line follows from the one before/);
      assert.match(page.text, /Request <span class="mono">00112233445566ff/);
      await runJob(site);
      const { records } = await site.log.read(STAFF_TOPIC, { from: 'beginning' });
      const texts = records.map(({ value }) => new TextDecoder().decode(value));
      assert.deepEqual(
        texts.map((text) => /"requestId":"(\w+)"/.exec(text)?.[1]),
        [undefined, '00112233445566ff'],
      );
    } finally {
      await site.close();
    }
  });
});
