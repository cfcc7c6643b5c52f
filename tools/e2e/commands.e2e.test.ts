// Every command of bin/swarmkeep as a program sees it: exit codes, JSON, and the same answers from a
// running server as from the data folder alone.

import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { systemUser } from '#cli/command-deeds.ts';
import { SQLITE_FILE } from '#sql/open.ts';
import { smallTorrent } from './content.ts';
import { runProgram, TestServer } from './server.ts';

interface Member {
  readonly id: number;
  readonly name: string;
  readonly passkey: string;
  readonly role: string;
  readonly state: string;
  readonly password?: string;
  readonly announceUrls: { readonly http: string; readonly udp: string };
}

interface Torrent {
  readonly infoHash: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly private: boolean;
}

const server = await TestServer.prepare();
after(() => server.remove());

async function offline(): Promise<void> {
  await server.end('SIGTERM');
}

async function online(): Promise<void> {
  await server.start();
}

interface StaffLine {
  readonly member_id: number;
  readonly action: string;
  readonly subject: string;
  readonly words: string;
}

/** As it stands in the database, the oldest line first. */
function staffLog(): readonly StaffLine[] {
  const path = join(server.dataFolder, 'sql', SQLITE_FILE);
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare('select * from staff_action order by number')
      .all() as unknown[] as StaffLine[];
  } finally {
    database.close();
  }
}

function smallTorrentFile(name: string): string {
  const path = join(server.dataFolder, `${name}.torrent`);
  writeFileSync(path, smallTorrent(name));
  return path;
}

test('help, version and wrong words exit 0, 0 and 2 and open no data folder', async () => {
  const help = await runProgram(['member', 'add', '--help']);
  assert.equal(help.exitCode, 0);
  assert.match(help.stdout, /Example:\n {2}\$ swarmkeep member add/);
  assert.equal((await runProgram(['--version'])).exitCode, 0);
  const asked = await runProgram(['help', 'member', 'add']);
  assert.deepEqual([asked.exitCode, asked.stdout], [0, help.stdout]);
  assert.match((await runProgram(['help'])).stdout, /Usage: swarmkeep/);
  assert.equal((await runProgram(['help', 'bogus'])).exitCode, 2);
  for (const words of [['bogus'], ['member', 'add'], ['member', 'add', 'a', '--role', 'king']]) {
    assert.equal((await runProgram([...words])).exitCode, 2, words.join(' '));
  }
  const unknown = await runProgram(['config', 'print', '--set', 'tracker.prot=1']);
  assert.equal(unknown.exitCode, 2);
  assert.match(unknown.stderr, /nearest is "tracker\.port" \[CONFIG_UNKNOWN_KEY\]/);
});

test('config print is a file that config check takes', async () => {
  const printed = await runProgram(['config', 'print', '--set', 'site.port=8081']);
  const path = join(server.dataFolder, 'printed.toml');
  writeFileSync(path, printed.stdout);
  assert.match(printed.stdout, /^port = 8081$/m);
  const checked = await runProgram(['config', 'check', path]);
  assert.equal(checked.exitCode, 0, checked.stderr);
  writeFileSync(path, '[tracker]\nport = "many"\n');
  const wrong = await runProgram(['config', 'check', path]);
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /tracker\.port/);
  // Whatever is wrong with a file is the same failure.
  for (const text of ['[tracker\n', '[trakcer]\n', 'tracker = 5\n']) {
    writeFileSync(path, text);
    assert.equal((await runProgram(['config', 'check', path])).exitCode, 2, text);
  }
  assert.equal((await runProgram(['config', 'check', `${path}.not`])).exitCode, 2);
});

test('with --json a failure is one object on standard output, and words for people beside it', async () => {
  const missing = join(server.dataFolder, 'missing');
  for (const [words, exitCode, failure] of [
    [['bogus'], 2, 'CLI_USAGE'],
    [['member', 'add'], 2, 'CLI_USAGE'],
    [['member', 'add', 'x', '--role', 'king'], 2, 'CLI_USAGE'],
    [['config', 'check', missing], 2, 'CONFIG_UNREADABLE'],
    [['config', 'print', '--set', 'site.port=99999'], 2, 'CONFIG_INVALID'],
    [['member', 'list', '--data', missing], 1, 'CLI_NOT_FOUND'],
    [['torrent', 'add', missing], 1, 'CLI_NOT_FOUND'],
  ] as const) {
    const result = await runProgram([...words, '--json']);
    assert.equal(result.exitCode, exitCode, words.join(' '));
    assert.notEqual(result.stderr, '', words.join(' '));
    const { error } = JSON.parse(result.stdout) as { error: { code: string; message: string } };
    assert.deepEqual([error.code, error.message.length > 5], [failure, true], words.join(' '));
  }
});

for (const [where, open] of [
  ['offline', offline],
  ['through the server', online],
] as const) {
  test(`member commands ${where}`, async () => {
    await open();
    const name = where === 'offline' ? 'olga' : 'ines';
    const [added] = await server.json<Member>(['member', 'add', name]);
    assert.match(added?.announceUrls.http ?? '', new RegExp(`/${added?.passkey}/announce$`));
    assert.match(added?.announceUrls.udp ?? '', /^udp:\/\//);
    assert.ok(added?.password, 'without --password-stdin a password is made and returned');
    const again = await server.command(['member', 'add', name.toUpperCase()]);
    assert.equal(again.exitCode, 1);
    const withPassword = await server.command(
      ['member', 'add', `${name}2`, '--role', 'admin', '--password-stdin', '--json'],
      'correct horse battery\n',
    );
    assert.equal(withPassword.exitCode, 0, withPassword.stderr);
    assert.ok(!withPassword.stdout.includes('correct horse'));
    const [shown] = await server.json<Member>(['member', 'show', name]);
    assert.equal(shown?.passkey, added?.passkey);
    assert.equal((await server.command(['member', 'show', 'nobody'])).exitCode, 1);
    const names = (await server.json<Member>(['member', 'list'])).map((member) => member.name);
    assert.ok(names.includes(name));
    const [banned] = await server.json<Member>(['member', 'ban', name, '--reason', 'testing']);
    assert.equal(banned?.state, 'banned');
    assert.equal((await server.json<Member>(['member', 'unban', name]))[0]?.state, 'active');
    const [reset] = await server.json<Member>(['member', 'reset-passkey', name]);
    assert.notEqual(reset?.passkey, added?.passkey);
    await server.json(['member', 'reset-password', name]);
    const [removed] = await server.json<Member>(['member', 'rm', name]);
    // Each of them stands in the staff log, with who ran it.
    const about = `member ${added?.id}`;
    const told = staffLog().filter(({ subject }) => subject === about);
    assert.deepEqual(
      told.map(({ action }) => action),
      ['ban', 'unban', 'reset-passkey', 'reset-password', 'rm'].map((verb) => `member ${verb}`),
    );
    assert.equal(told[0]?.words, `by: ${systemUser(process.env)}; reason: testing`);
    assert.deepEqual([...new Set(told.map((line) => line.member_id))], [0]);
    // Nobody can announce as somebody who is gone.
    assert.deepEqual([removed?.passkey, removed?.announceUrls], ['', {}]);
    assert.equal((await server.command(['member', 'show', name])).exitCode, 1);
  });

  test(`torrent commands ${where}`, async () => {
    await open();
    const tag = where === 'offline' ? 'off' : 'on';
    const path = smallTorrentFile(`${tag}.bin`);
    const [added] = await server.json<Torrent>(['torrent', 'add', path, '--category', 'datasets']);
    assert.match(added?.infoHash ?? '', /^[0-9a-f]{40}$/);
    assert.equal(added?.sizeBytes, 1000);
    assert.equal(added?.private, true);
    assert.equal((await server.command(['torrent', 'add', path])).exitCode, 1);
    const hash = added?.infoHash ?? '';
    const [shown] = await server.json<Torrent>(['torrent', 'show', hash]);
    assert.equal(shown?.name, `${tag}.bin`);
    const listed = (await server.json<Torrent>(['torrent', 'list'])).map((one) => one.infoHash);
    assert.ok(listed.includes(hash));
    const [member] = await server.json<Member>(['member', 'add', `reader-${tag}`]);
    const file = join(server.dataFolder, `${tag}-mine.torrent`);
    await server.json(['torrent', 'download', hash, '--member', `reader-${tag}`, '-o', file]);
    assert.ok(readFileSync(file).includes(`/${member?.passkey}/announce`));
    if (where === 'offline') {
      // As on the site, a file has a key of its own where the operator wants it.
      const download = ['torrent', 'download', hash, '--member', `reader-${tag}`, '-o', file];
      await server.json([...download, '--set', 'site.downloadKeys=true']);
      const key = /\/([\w-]{32})\/announce/.exec(readFileSync(file).toString('latin1'))?.[1] ?? '';
      assert.notEqual(key, member?.passkey);
      const [owner] = await server.json<{ member: string }>(['member', 'of-key', key]);
      assert.equal(owner?.member, `reader-${tag}`);
    }
    await server.json(['torrent', 'rm', hash, '--reason', 'a better one exists']);
    const gone = ['torrent', 'download', hash, '--member', `reader-${tag}`, '-o', file];
    assert.equal((await server.command(gone)).exitCode, 1);
    writeFileSync(path, 'not a torrent');
    assert.equal((await server.command(['torrent', 'add', path])).exitCode, 1);
    assert.equal((await server.command(['torrent', 'show', 'f'.repeat(40)])).exitCode, 1);
  });

  test(`log commands ${where}`, async () => {
    await open();
    const topic = where === 'offline' ? 'notes-off' : 'notes-on';
    const unknown = await server.command(['log', 'append', topic], 'one\n');
    assert.equal(unknown.exitCode, 1);
    assert.match(unknown.stderr, /LOG_TOPIC_UNKNOWN/);
    const lines = Array.from({ length: 2500 }, (_, at) => `line ${at}`).join('\n');
    const [appended] = await server.json<{ firstOffset: number; count: number }>(
      ['log', 'append', topic, '--create'],
      `${lines}\n`,
    );
    assert.deepEqual([appended?.firstOffset, appended?.count], [0, 2500]);
    const read = await server.json<{ offset: number; value: string }>([
      'log',
      'read',
      topic,
      '--offset',
      '1499',
      '--limit',
      '1001',
    ]);
    assert.equal(read.length, 1001);
    assert.deepEqual([read[0]?.value, read.at(-1)?.value], ['line 1499', 'line 2499']);
    assert.deepEqual(await server.json(['log', 'read', topic, '--offset', '2500']), []);
    const beyond = await server.command(['log', 'read', topic, '--offset', '2501']);
    assert.equal(beyond.exitCode, 1);
    assert.match(beyond.stderr, /2500/);
    const tail = await server.json<{ value: string }>(['log', 'tail', topic, '--limit', '2']);
    assert.deepEqual(
      tail.map((record) => record.value),
      ['line 2498', 'line 2499'],
    );
    const [stats] = await server.json<{ topics: { name: string; nextOffset: number }[] }>([
      'log',
      'stats',
    ]);
    assert.equal(stats?.topics.find((one) => one.name === topic)?.nextOffset, 2500);
    assert.equal((await server.command(['log', 'verify'])).exitCode, 0);
    const own = await server.command(['log', 'append', 'control'], 'x\n');
    assert.equal(own.exitCode, 2, 'what the program trusts is not written by hand');
  });

  test(`ledger, db and doctor ${where}`, async () => {
    await open();
    const audit = await server.command(['ledger', 'audit', '--json']);
    assert.equal(audit.exitCode, 0, audit.stdout);
    assert.equal((await server.command(['ledger', 'rebuild'])).exitCode, 0);
    assert.equal((await server.command(['ledger', 'show', 'nobody'])).exitCode, 1);
    const steps = await server.json<{ appliedMs: number | null }>(['db', 'status']);
    assert.ok(steps.length > 3 && steps.every((step) => step.appliedMs !== null));
    assert.equal((await server.command(['db', 'migrate', '--dry-run'])).exitCode, 0);
    const doctor = await server.command(['doctor']);
    assert.equal(doctor.exitCode, 1, 'a member would announce to 127.0.0.1');
    assert.match(doctor.stdout, /tracker\.publicUrls/);
  });
}

test('each line of the log names its module once', async () => {
  await online();
  const lines = server.output.split('\n').filter((line) => line.startsWith('{'));
  assert.ok(lines.length > 0);
  for (const line of lines) {
    assert.ok(line.split('"module":').length <= 2, line);
    JSON.parse(line);
  }
  assert.ok(lines.some((line) => line.includes('"module":"tracker')));
});

test('a second process is told that the data folder is in use', async () => {
  await online();
  const second = await server.command(['serve']);
  assert.equal(second.exitCode, 1);
  assert.match(second.stderr, /CLI_DATA_LOCKED/);
});

test('a port that is taken ends the start and is named', async () => {
  await online();
  const other = await TestServer.prepare({
    settings: { 'tracker.port': server.trackerPort, 'tracker.addresses': '127.0.0.1' },
  });
  try {
    await assert.rejects(() => other.start(), new RegExp(String(server.trackerPort)));
  } finally {
    await other.remove();
  }
});
