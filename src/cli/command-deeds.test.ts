// What commands leave in the staff log, and that no command is forgotten.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStaffLog, listActions } from '#site/staff-log/staff-log.ts';
import { TestSite } from '#site/test-site.ts';
import type { Item, Output, RoomsCommand } from './command.ts';
import { COMMAND_DEEDS, COMMANDS_NOT_TOLD, runTold, systemUser } from './command-deeds.ts';
import { COMMANDS } from './commands/commands.ts';
import { CliError } from './errors.ts';
import type { Rooms } from './rooms.ts';

const OUTPUT: Output = {
  item: () => undefined,
  progress: () => undefined,
  signal: new AbortController().signal,
};

function command(name: string, run: RoomsCommand['run']): RoomsCommand {
  return { name, summary: '', example: '', run, text: () => '' };
}

test('every command that writes stands in the staff log, or says why not', () => {
  const writing = COMMANDS.flatMap((one) => (one.local || one.readOnly ? [] : [one.name]));
  const told = [...Object.keys(COMMAND_DEEDS), ...Object.keys(COMMANDS_NOT_TOLD)];
  assert.equal(new Set(told).size, told.length, 'one stands in both');
  const isTold = (name: string): boolean => told.includes(name);
  assert.deepEqual(writing.filter((name) => !isTold(name)).sort(), []);
  const there = COMMANDS.map((one) => one.name);
  assert.deepEqual(
    told.filter((name) => !there.includes(name)),
    [],
  );
});

test('a deed of the command line is told before it is done, with the user of the system', async () => {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('mina');
    const rooms = site as unknown as Rooms;
    const by = systemUser({ SUDO_USER: 'alice' });
    const seen: number[] = [];
    const run = async (name: string, input: Item, act: RoomsCommand['run']): Promise<void> => {
      await runTold({ command: command(name, act), rooms, input, output: OUTPUT, by });
    };
    const input = { name: 'mina', reason: 'shared an  account', password: 'hunter2' };
    await run('member ban', input, async () => {
      seen.push((await listActions(site.sql, { limit: 10 })).length);
    });
    assert.deepEqual(seen, [1], 'the line is there before the command acts');
    const [line] = await listActions(site.sql, { limit: 1 });
    assert.deepEqual(
      [line?.memberId, line?.action, line?.subject],
      [0, 'member ban', `member ${id}`],
    );
    assert.equal(line?.words, `by: ${by}; reason: shared an account`);
    assert.match(by, /^\S+, by sudo from alice$/);

    await run('member add', { name: 'otto', role: 'admin' }, async (_rooms, _input, output) =>
      output.item({ name: 'otto', id: 7, password: 'hunter2' }),
    );
    const fails = run('member rm', { name: 'nobody' }, async () => {
      throw new CliError('CLI_NOT_FOUND', 'No member is called "nobody"');
    });
    await assert.rejects(fails, { code: 'CLI_NOT_FOUND' });
    await run('store gc', {}, async () => undefined);
    const lines = [...(await listActions(site.sql, { limit: 10 }))].reverse().slice(1);
    assert.deepEqual(
      lines.map(({ action, subject, words }) => [action, subject, words]),
      [
        ['member add', '', `by: ${by}; role: admin`],
        ['made', 'line 2', 'member 7'],
        ['member rm', 'a member who is not there', `by: ${by}`],
        ['refused', 'line 4', 'It ended with CLI_NOT_FOUND.'],
      ],
    );
    const text = JSON.stringify(lines);
    assert.ok(!text.includes('hunter2') && !text.includes('otto'), 'no secrets, and no names');
    assert.deepEqual(await checkStaffLog(site.sql), { lines: 5, brokenAt: undefined });

    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    const page = await olga.get('/console/staff-log?by=command+line');
    assert.match(page.text, /Member ban<[\s\S]*the command line/);
    assert.match(page.text, /by: \S+, by sudo from alice; reason: shared an account/);
    assert.match((await olga.get('/console/staff-log?by=olga')).text, /Nothing was done by olga/);
  } finally {
    await site.close();
  }
});
