// Classes on both databases: the job day by day, killed on the way, and what member and operator see.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClassTables } from '#accounting/classes/class-tables.ts';
import { classStandings } from '#accounting/classes/member-classes.ts';
import { promotionsJob } from '#accounting/jobs/promotions-job.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { JobContext, JobResult } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { listNotices } from '#site/notices/notices.ts';
import { judgedMembers } from '#site/rules/standing-effects.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { classesInForce } from './class-book.ts';
import { classEffects, uploadCounts } from './class-effects.ts';

const GIB = 2 ** 30;
const DAY_MS = 86_400_000;
const CLASSES = {
  lines: [
    'Member',
    'Giver: given 10 GiB, ratio 1; keeps ratio 0.5',
    'Elder: given 10 GiB, age 30 d',
  ],
  graceMs: 7 * DAY_MS,
};

/** Sets what the ledger says of a member. */
async function moved(site: TestSite, memberId: number, given: number, taken: number) {
  const row = {
    uploaded_bytes: given,
    downloaded_bytes: taken,
    credited_uploaded_bytes: given,
    credited_downloaded_bytes: taken,
  };
  const rest = { seed_seconds: 0, records: 1, completed: 0, first_seen_ms: 0, last_seen_ms: 0 };
  await site.sql.transaction<LedgerTables, unknown>((transaction) =>
    transaction
      .insertInto('ledger_member')
      .values({ member_id: memberId, ...row, ...rest })
      .onConflict((conflict) => conflict.column('member_id').doUpdateSet(row))
      .execute(),
  );
}

class Checks {
  readonly #site: TestSite;
  #checkpoint: unknown;
  /** Called before each transaction of the job. */
  fenced: () => Promise<void> = async () => undefined;

  constructor(site: TestSite) {
    this.#site = site;
  }

  run(): Promise<JobResult> {
    const { sql, clock } = this.#site;
    const context: JobContext = {
      signal: new AbortController().signal,
      clock,
      logger: silentLogger,
      fence: 1,
      progress: () => undefined,
      checkpoint: {
        load: async () => this.#checkpoint,
        save: async (value) => {
          this.#checkpoint = value;
        },
      },
      fenced: () => this.fenced(),
    };
    const job = promotionsJob({
      recordsBehind: async () => 0,
      sql,
      members: judgedMembers(sql),
      uploads: (ids) => uploadCounts(sql, ids),
      effects: classEffects,
      rules: () => classesInForce({ sql, classes: CLASSES }),
    });
    return job.run(context);
  }
}

forEachDatabase((database, open) => {
  test(`${database}: members rise, are warned and go down, and are told once of each`, async () => {
    const site = await TestSite.open({ open, classes: CLASSES });
    const mina = await site.addMember('mina');
    const checks = new Checks(site);
    const classOf = async () => (await classStandings(site.sql, [mina.id])).get(mina.id)?.name;
    const titles = async () =>
      (await listNotices(site.sql, mina.id, { limit: 20 })).map((notice) => notice.title);
    await checks.run();
    assert.equal(await classOf(), undefined, 'nothing happened yet');
    await moved(site, mina.id, 12 * GIB, 10 * GIB);
    assert.deepEqual((await checks.run()).counts, { looked: 1, promoted: 1 });
    assert.equal(await classOf(), 'Giver');
    await checks.run();
    assert.deepEqual(await titles(), ['You are a Giver now']);
    await moved(site, mina.id, 12 * GIB, 40 * GIB);
    await checks.run();
    site.clock.advance(6 * DAY_MS);
    await checks.run();
    assert.equal(await classOf(), 'Giver', 'warned, and the time is not up');
    site.clock.advance(DAY_MS);
    await checks.run();
    assert.equal(await classOf(), 'Member');
    assert.deepEqual(await titles(), [
      'You are a Member now',
      'You are about to lose your class, Giver',
      'You are a Giver now',
    ]);
    const events = await site.sql
      .read<ClassTables>()
      .selectFrom('class_event')
      .selectAll()
      .execute();
    assert.deepEqual(
      events.map((event) => event.step),
      ['promoted', 'warned', 'demoted'],
    );
    await site.close();
  });

  test(`${database}: a check that is killed halfway makes each step once`, async () => {
    const site = await TestSite.open({ open, classes: CLASSES });
    const members = [];
    for (const name of ['mina', 'noor', 'pim']) members.push(await site.addMember(name));
    for (const { id } of members) await moved(site, id, 12 * GIB, 0);
    const checks = new Checks(site);
    checks.fenced = async () => {
      throw new Error('planted: killed');
    };
    await assert.rejects(checks.run(), /planted/);
    checks.fenced = async () => undefined;
    await checks.run();
    await checks.run();
    for (const { id } of members) {
      assert.equal((await classStandings(site.sql, [id])).get(id)?.name, 'Giver');
      assert.equal((await listNotices(site.sql, id, { limit: 20 })).length, 1);
    }
    await site.close();
  });
});

test('a member sees the class, and what the next one asks for, on the profile', async () => {
  const site = await TestSite.open({ classes: CLASSES });
  const mina = await site.addMember('mina');
  await moved(site, mina.id, 4 * GIB, 2 * GIB);
  const browser = await site.signedIn('mina');
  const page = await browser.get('/members/mina');
  assert.match(page.text, /Next: Giver/);
  assert.match(page.text, /You have given 4\.00 GiB; 10\.0 GiB is required\./);
  assert.match(page.text, /You have given 2 times what you took; 1 is required\./);
  await site.addMember('olga', 'admin');
  const olga = await site.signedIn('olga');
  assert.match((await olga.get('/members/mina')).text, /Has given 2 times what they took; 1 is/);
  await site.close();
});

test('an admin tries classes on the members before they are in force, and goes back', async () => {
  const site = await TestSite.open({ classes: CLASSES });
  await site.addMember('olga', 'admin');
  const mina = await site.addMember('mina');
  await moved(site, mina.id, 4 * GIB, 0);
  const olga = await site.signedIn('olga');
  await olga.get('/console/classes');
  const classes = 'Reader\r\nHelper: given 3 GiB';
  const wrong = await olga.post('/console/classes/try', { classes: 'Reader\nHelper: karma 3' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /expected given, ratio/);
  const trial = await olga.post('/console/classes/try', { classes });
  assert.match(trial.text, /members\/mina/);
  assert.match(trial.text, /Helper/);
  const world = { sql: site.sql, classes: CLASSES };
  assert.equal((await classesInForce(world)).isFromSite, false, 'nothing is saved by trying');
  await olga.post('/console/classes', { classes });
  const inForce = await classesInForce(world);
  assert.deepEqual(inForce.lines, ['Reader', 'Helper: given 3 GiB']);
  await olga.get('/console/classes');
  await olga.post('/console/classes', { deed: 'reset' });
  assert.equal((await classesInForce(world)).isFromSite, false);
  await site.close();
});
