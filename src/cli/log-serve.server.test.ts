// `log serve` as a person has it: the program itself, its commands, and curl.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SystemClock, sleep } from '#base/clock.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const WORDS = ['-C', 'swarmkeep-src', MAIN];
const clock = new SystemClock();
const COMMANDS =
  'HELLO AUTH PING CONFIG TOPICS STATS CREATE APPEND BATCH READ TAIL CANCEL COMMIT POSITION CLOSE'.split(
    ' ',
  );
const REFUSALS = [
  'LOG_TOPIC_UNKNOWN',
  'LOG_TOPIC_NAME_INVALID',
  'LOG_BATCH_INVALID',
  'LOG_BATCH_TOO_LARGE',
  'LOG_OFFSET_BEYOND_END',
  'LOG_CANCELLED',
];

describe('log serve', () => {
  const folder = mkdtempSync(`${tmpdir()}/sk-serve-`);
  const data = `${folder}/data`;
  const url = `unix:${folder}/log.sock`;
  const children: ChildProcess[] = [];
  let http = '';
  let server: ChildProcess;

  function run(
    words: readonly string[],
    input = '',
  ): { readonly status: number | null; readonly out: string; readonly err: string } {
    const options = { input, encoding: 'utf8', cwd: folder, timeout: 120_000 } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [...WORDS, ...words], options);
    return { status, out: stdout, err: stderr };
  }

  async function serve(): Promise<ChildProcess> {
    const words = `log serve --data ${data} --listen ${url} --http 127.0.0.1:0`.split(' ');
    const child = spawn(process.execPath, [...WORDS, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    let text = '';
    child.stdout.on('data', (part) => {
      text += String(part);
    });
    while (!text.includes('log: ')) await sleep(clock, 10);
    http = /http: (\S+)/.exec(text)?.[1] ?? '';
    return child;
  }

  async function ended(child: ChildProcess): Promise<number | null> {
    while (child.exitCode === null && child.signalCode === null) await sleep(clock, 10);
    return child.exitCode;
  }

  const curl = (...words: string[]): string =>
    execFileSync('curl', ['-s', '--max-time', '60', ...words], { encoding: 'utf8' });

  before(async () => {
    server = await serve();
  });

  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('L2: a topic is made with its size and what happens at it, from the command line', () => {
    const create = (topic: string, ...words: string[]) =>
      run(['log', 'create', topic, ...words, '--url', url, '--json']);
    assert.deepEqual(JSON.parse(create('box', '--bytes-max', '4096').out), {
      topic: 'box',
      new: true,
    });
    const ring = ['ring', '--bytes-max', '4 KiB', '--when-full', 'removeOldest'] as const;
    assert.deepEqual(JSON.parse(create(...ring).out), { topic: 'ring', new: true });
    const append = (topic: string, ...words: string[]) =>
      run(['log', 'append', topic, ...words, '--url', url, '--json'], `${'x'.repeat(3000)}\n`);
    assert.equal(append('box', '--create').status, 0);
    const full = append('box');
    assert.deepEqual([full.status, /LOG_TOPIC_FULL/.test(full.err)], [1, true]);
    for (let nth = 0; nth < 2; nth++) assert.equal(append('ring').status, 0);
    const gone = run(['log', 'read', 'ring', '--offset', '0', '--url', url]);
    assert.match(gone.err, /LOG_OFFSET_REMOVED/);
    assert.match(create('odd', '--bytes-max', '17').err, /LOG_TOPIC_OPTIONS_INVALID/);
    assert.equal(create('odd', '--when-full', 'refuse').status, 2);
  });

  it('the log commands work on it by --url and by its data folder', () => {
    const appended = run(
      ['log', 'append', 'notes', '--create', '--url', url, '--json'],
      'a\nb\nc\n',
    );
    assert.deepEqual(JSON.parse(appended.out), { topic: 'notes', firstOffset: 0, count: 3 });
    const read = run(['log', 'read', 'notes', '--offset', '1', '--data', data, '--json']);
    assert.deepEqual(
      read.out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { value: string }).value),
      ['b', 'c'],
    );
    assert.match(run(['log', 'topics', '--url', url]).out, /notes/);
    assert.match(run(['log', 'tail', 'notes', '--url', url, '--limit', '1']).out, /2 c/);
    assert.equal(run(['log', 'read', 'notes', '--offset', '3', '--url', url]).out, '');
    const beyond = run(['log', 'read', 'notes', '--offset', '9', '--url', url]);
    assert.equal(beyond.status, 1);
    assert.match(beyond.err, /the end is 3/);
    assert.equal(run(['log', 'stats', '--url', 'carrier-pigeon:x']).status, 2);
    assert.equal(run(['log', 'append', 'transfers', '--url', url], 'x\n').status, 2);
    assert.match(run(['member', 'list', '--data', data]).err, /only the log is served/);
  });

  /** What curl prints of a stream that does not end, up to the end of its first event. */
  async function firstEvent(words: readonly string[]): Promise<string> {
    const child = spawn('curl', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    let text = '';
    for await (const part of child.stdout) {
      text += String(part);
      if (text.includes('\n\n')) break;
    }
    child.kill();
    return text;
  }

  it('curl reads JSON lines and server-sent events, from an offset on', async () => {
    const lines = curl(`${http}notes?from=1`).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { offset: number }).offset),
      [1, 2],
    );
    const asked = ['accept: text/event-stream', 'last-event-id: 2'].flatMap((one) => ['-H', one]);
    const events = await firstEvent(['-sN', ...asked, `${http}notes`]);
    assert.match(events, /^id: 3\ndata: \{"offset":2,"timeMs":\d+,"value":"c"\}\n\n/);
    assert.match(curl('-w', '%{http_code}', `${http}nothing`), /LOG_TOPIC_UNKNOWN.*404$/);
    assert.match(curl('-w', '%{http_code}', `${http}notes?from=99`), /"offset":3.*416$/);
    assert.match(curl('-w', '%{http_code}', `${http}notes?from=x`), /400$/);
    assert.match(curl('-w', '%{http_code}', '-X', 'POST', `${http}notes`), /405$/);
  });

  it('log forward loses and doubles no line when file, server and itself are lost', async () => {
    const file = `${folder}/app.log`;
    writeFileSync(file, '');
    const words = `log forward lines ${file} --url ${url} --create --state ${folder}/state`.split(
      ' ',
    );
    const forward = (): ChildProcess => {
      const child = spawn(process.execPath, [...WORDS, ...words], { stdio: 'ignore', cwd: folder });
      children.push(child);
      return child;
    };
    let number = 0;
    const write = (count: number): void => {
      let text = '';
      for (let nth = 0; nth < count; nth++) text += `line ${number++}\n`;
      appendFileSync(file, text);
    };
    const arrived = (): string[] => {
      const lines = curl(`${http}lines`)
        .split('\n')
        .filter((line) => line !== '');
      return lines.map((line) => (JSON.parse(line) as { value: string }).value);
    };
    /** However slow the machine is: a forwarder that has ended brings no more. */
    const untilArrived = async (count: number): Promise<string[]> => {
      for (let found: string[] = []; ; await sleep(clock, 100)) {
        assert.equal(forwarder.exitCode, null, 'the forwarder goes on');
        found = arrived();
        if (found.length >= count) return found;
      }
    };
    let forwarder = forward();
    write(500);
    // It knows the file: what is renamed before anybody has looked at it is not followed.
    await untilArrived(number);
    server.kill('SIGKILL');
    await ended(server);
    write(500);
    renameSync(file, `${file}.1`);
    write(500);
    server = await serve();
    await sleep(clock, 300);
    forwarder.kill('SIGKILL');
    await ended(forwarder);
    write(500);
    renameSync(`${file}.1`, `${file}.2`);
    renameSync(file, `${file}.1`);
    await sleep(clock, 20);
    write(500);
    forwarder = forward();
    const found = await untilArrived(number);
    assert.deepEqual(
      found,
      Array.from({ length: number }, (_, nth) => `line ${nth}`),
    );
    forwarder.kill('SIGTERM');
    assert.equal(await ended(forwarder), 0);
  });

  it('metrics and stats tell what was written', () => {
    const told = (): { readonly records: number; readonly bytes: number } => {
      const text = curl(new URL('/metrics', http).href);
      const of = (name: string): number =>
        Number(new RegExp(`^swarmkeep_log_${name}_total(?:\\{\\})? (\\d+)$`, 'm').exec(text)?.[1]);
      return { records: of('appended_records'), bytes: of('written_bytes') };
    };
    const before = told();
    const lines = Array.from({ length: 300 }, (_, nth) => 'x'.repeat(nth));
    const words = `log append counted --create --url ${url}`.split(' ');
    for (const part of [lines.slice(0, 150), lines.slice(150)]) {
      assert.equal(run(words, `${part.join('\n')}\n`).status, 0);
    }
    const after = told();
    const { topics } = JSON.parse(run(['log', 'stats', '--url', url, '--json']).out) as {
      topics: { name: string; firstOffset: number; nextOffset: number; bytes: number }[];
    };
    const topic = topics.find(({ name }) => name === 'counted');
    assert.deepEqual([topic?.firstOffset, topic?.nextOffset], [0, lines.length]);
    assert.equal(after.records - before.records, lines.length);
    assert.equal(after.bytes - before.bytes, topic?.bytes);
    assert.ok(after.bytes - before.bytes > lines.join('').length, 'no less than the values');
  });

  it('log bench measures start, stop, every command and every answer that is an error', () => {
    const { out, status } = run(['log', 'bench', '--seconds', '0', '--json']);
    const lines = out.trim().split('\n');
    const items = lines.map((line) => JSON.parse(line) as { what: string; perSecond: number });
    const measured = items.map(({ what }) => what).join('\n');
    for (const command of COMMANDS) assert.match(measured, new RegExp(`\\b${command}\\b`));
    for (const code of REFUSALS) assert.match(measured, new RegExp(`: ${code}$`, 'm'));
    assert.deepEqual([items[0]?.what, items.at(-1)?.what], ['start, to the first answer', 'stop']);
    for (const { what, perSecond } of items) assert.ok(perSecond > 0, what);
    assert.equal(status, 0);
  });

  it('it refuses to listen for strangers without a secret, and ends in order', async () => {
    const refused = run([
      'log',
      'serve',
      '--data',
      `${folder}/other`,
      '--listen',
      'tcp://0.0.0.0:0',
    ]);
    assert.equal(refused.status, 2);
    assert.match(refused.err, /without --secret-file/);
    server.kill('SIGINT');
    assert.equal(await ended(server), 0);
    assert.equal(run(['log', 'verify', '--data', data]).status, 0);
  });

  it('verify names damage in a copy of real data, and repair leaves what is good readable', () => {
    const [segment = ''] = readdirSync(`${data}/log/counted`).filter((name) => /\.log$/.test(name));
    const bytes = readFileSync(`${data}/log/counted/${segment}`);
    const middle = Math.floor(bytes.byteLength / 2);
    const copy = `${folder}/copy`;
    cpSync(data, copy, { recursive: true });
    // In the second of two batches.
    const damaged = bytes.with(middle, (bytes[middle] ?? 0) ^ 0x55);
    writeFileSync(`${copy}/log/counted/${segment}`, damaged);
    const found = run(['log', 'verify', '--data', copy]);
    assert.equal(found.status, 1, `${found.out}${found.err}`);
    assert.match(`${found.out}${found.err}`, /counted/);
    assert.equal(run(['log', 'repair', '--data', copy]).status, 0);
    assert.equal(run(['log', 'verify', '--data', copy]).status, 0);
    const read = ['log', 'read', 'counted', '--offset', '0', '--limit', '300', '--data'];
    const [left, all] = [
      run([...read, copy]).out.split('\n'),
      run([...read, data]).out.split('\n'),
    ];
    assert.equal(all.filter((line) => line !== '').length, 300);
    assert.ok(left.includes('(offsets 150 to 300 are damaged)'), left.join('\n'));
    const good = left.filter((line) => /^\d/.test(line));
    assert.deepEqual(good, all.slice(0, 150));
    assert.equal(run(['log', 'verify', '--data', data]).status, 0);
  });
});
