// Jobs as an operator meets them: listed, run, paused and resumed, with a server and without one.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram, TestServer } from './server.ts';

interface ShownJob {
  readonly name: string;
  readonly isPaused: boolean;
  readonly nextRunMs: number;
  readonly lastRun?: { readonly result: string; readonly startedMs: number };
}

let server: TestServer;

before(async () => {
  server = await TestServer.prepare();
});

after(async () => {
  await server.remove();
});

async function list(): Promise<Map<string, ShownJob>> {
  const jobs = await server.json<ShownJob>(['jobs', 'list']);
  return new Map(jobs.map((job) => [job.name, job]));
}

test('where there is no data folder, jobs are not to be had, and none is made', async () => {
  const data = join(server.dataFolder, 'nowhere');
  for (const words of [['list'], ['run', 'expire'], ['pause', 'expire'], ['resume', 'expire']]) {
    const { exitCode, stderr } = await runProgram(['jobs', ...words, '--data', data]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /There is no data folder/);
    assert.ok(!existsSync(data));
  }
});

test('without a server a command runs the job itself, and says what it cannot', async () => {
  await server.json(['member', 'add', 'ada']);
  const jobs = await list();
  assert.ok(jobs.has('expire') && jobs.has('ratio-watch'));
  assert.ok(!jobs.has('swarm-readings'), 'nobody knows the swarms without a server');
  const [ran] = await server.json<ShownJob>(['jobs', 'run', 'expire']);
  assert.equal(ran?.lastRun?.result, 'done');
  const unknown = await server.command(['jobs', 'run', 'no-such']);
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.stderr, /there are .*expire/);
});

test('a running server runs what it is asked, knows a pause, and keeps it over a restart', async () => {
  await server.start();
  const first = (await list()).get('swarm-readings');
  assert.ok(first !== undefined, 'a server knows its swarms');
  const [ran] = await server.json<ShownJob>(['jobs', 'run', 'swarm-readings']);
  assert.equal(ran?.lastRun?.result, 'done');
  const [paused] = await server.json<ShownJob>(['jobs', 'pause', 'swarm-readings']);
  assert.equal(paused?.isPaused, true);
  const refused = await server.command(['jobs', 'run', 'swarm-readings']);
  assert.deepEqual([refused.exitCode, refused.stderr.includes('is paused')], [1, true]);
  await server.end('SIGKILL');
  await server.start();
  assert.equal((await list()).get('swarm-readings')?.isPaused, true);
  const [resumed] = await server.json<ShownJob>(['jobs', 'resume', 'swarm-readings']);
  assert.equal(resumed?.isPaused, false);
  const [again] = await server.json<ShownJob>(['jobs', 'run', 'swarm-readings']);
  assert.ok((again?.lastRun?.startedMs ?? 0) > (ran?.lastRun?.startedMs ?? 0));
});
