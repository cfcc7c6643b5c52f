import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { downloadKeyFor } from './download-keys.ts';
import { importPasskeys } from './import-passkeys.ts';
import { findMember } from './members.ts';

const KEY = (letter: string): string => letter.repeat(32);

forEachDatabase((name, open) => {
  test(`${name}: T17: passkeys of another tracker are taken over, and told to the trackers`, async () => {
    const site = await TestSite.open({ open });
    try {
      const olga = await site.addMember('olga');
      await site.addMember('mina');
      await site.addMember('ida');
      const before = site.changes;
      const world = { ...site.world, passwords: site.passwords };
      const lines = ['name,passkey', `Olga,${KEY('a')}`, '', `"mina", "${'B_-'.repeat(21)}b"`];
      assert.deepEqual(await importPasskeys(world, lines), { imported: 2, unchanged: 0 });
      assert.equal((await findMember(site.sql, 'olga'))?.passkey, KEY('a'));
      assert.equal(site.changes, before + 1);
      const told = (await site.messages()).slice(-2);
      assert.deepEqual(
        told.map((message) => message['passkeys']),
        [[KEY('a')], [`${'B_-'.repeat(21)}b`]],
      );
      assert.equal(told[0]?.['memberId'], olga.id);
      // The same file again changes nothing.
      assert.deepEqual(await importPasskeys(world, lines), { imported: 0, unchanged: 2 });
      assert.equal(site.changes, before + 1);
    } finally {
      await site.close();
    }
  });

  test(`${name}: T17: one wrong line keeps all out, and every wrong line is named`, async () => {
    const site = await TestSite.open({ open });
    try {
      const olga = await site.addMember('olga');
      const mina = await site.addMember('mina');
      const world = { ...site.world, passwords: site.passwords };
      const { id } = await site.addTorrent(mina.id, 'letters');
      const download = await downloadKeyFor(world, { memberId: mina.id, torrentId: id });
      const messages = (await site.messages()).length;
      const result = await importPasskeys(world, [
        `olga,${KEY('a')}`,
        `olga,${KEY('c')}`,
        `mina,${KEY('a')}`,
        'mina,short',
        `mina,${'x'.repeat(65)}`,
        `mina,${KEY('a').slice(1)}/`,
        'mina',
        `mina,${KEY('d')},more`,
        `nobody,${KEY('e')}`,
        `mina,${olga.passkey}`,
      ]);
      assert.ok('problems' in result);
      assert.deepEqual(
        result.problems.map(({ line, problem }) => [line, problem.slice(0, 30)]),
        [
          [2, 'The name is in line 1 as well.'],
          [3, 'The passkey is in line 1 as we'],
          [4, 'The passkey has 5 characters; '],
          [5, 'The passkey has 65 characters;'],
          [6, 'The passkey has other characte'],
          [7, 'It is not `name,passkey`.'],
          [8, 'It is not `name,passkey`.'],
          [9, 'No member is called "nobody".'],
          [10, 'The name is in line 3 as well.'],
        ],
      );
      for (const taken of [olga.passkey, download]) {
        const refused = await importPasskeys(world, [`mina,${taken}`]);
        assert.ok(
          'problems' in refused && /in use here already/.test(refused.problems[0]?.problem ?? ''),
        );
        assert.doesNotMatch(JSON.stringify(refused), new RegExp(taken));
      }
      assert.equal((await findMember(site.sql, 'olga'))?.passkey, olga.passkey);
      assert.equal((await site.messages()).length, messages);
    } finally {
      await site.close();
    }
  });
});
