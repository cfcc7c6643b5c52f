// Keepers: another server and a member hold copies of what is kept and prove it; a server that lost its
// whole store gets everything back from the other one; who only says that he holds something is found out.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram, TestServer, waitFor } from './server.ts';

const MS_MAX = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-keepers-'));
let alpha: TestServer;
let beta: TestServer;

interface KeeperState {
  readonly name: string;
  readonly heldCopies: number;
  readonly wantedCopies: number;
  readonly failedCopies: number;
  readonly provenMs: number | null;
  readonly seenMs: number;
}

const keeper = async (name: string): Promise<KeeperState | undefined> =>
  (await alpha.json<KeeperState>(['keeper', 'list'])).find((one) => one.name === name);

async function addKeeper(name: string, words: readonly string[]): Promise<string> {
  const [added] = await alpha.json<{ token: string }>(['keeper', 'add', name, ...words]);
  const file = join(folder, `${name}.token`);
  writeFileSync(file, `${added?.token}\n`);
  return file;
}

before(async () => {
  alpha = await TestServer.prepare({
    settings: { 'archive.keeperCopies': 2, 'archive.keeperProofEveryMs': 1000 },
  });
  await alpha.start();
});

after(async () => {
  await Promise.all([alpha?.remove(), beta?.remove()]);
  rmSync(folder, { recursive: true, force: true });
});

const runHolder = async (tokenFile: string): Promise<Record<string, number>> => {
  const words = ['keeper', 'run', join(folder, 'held'), '--server', alpha.siteUrl];
  const run = await runProgram([...words, '--token-file', tokenFile, '--once', '--json']);
  assert.equal(run.exitCode, 0, run.stderr);
  return JSON.parse(run.stdout) as Record<string, number>;
};

test('a server and a member hold copies; a store that is lost comes back from the server', async () => {
  const source = join(folder, 'survey');
  mkdirSync(source);
  writeFileSync(join(source, 'a.bin'), Buffer.alloc(9_000_000, 'a few bytes again and again'));
  writeFileSync(join(source, 'b.txt'), 'small');
  await alpha.json(['put', source]);
  await alpha.json(['member', 'add', 'alice']);
  const [betaToken, homeToken] = [
    await addKeeper('beta', ['--bytes', '1 GiB']),
    await addKeeper('home', ['--member', 'alice', '--sealed']),
  ];
  beta = await TestServer.prepare({
    settings: { 'archive.keepFor': `${alpha.siteUrl} ${betaToken}` },
  });
  await beta.start();
  await runHolder(homeToken);
  await waitFor('the other server to ask', MS_MAX, async () =>
    ((await keeper('beta'))?.seenMs ?? 0) > 0 ? true : undefined,
  );
  await alpha.json(['jobs', 'run', 'archive-keepers']);
  const round = await runHolder(homeToken);
  assert.deepEqual([round['fetched'], round['refused']], [2, 0]);
  assert.ok((round['proven'] ?? 0) >= 2, 'a first proof of each');
  await waitFor('the other server to hold and prove both files', MS_MAX, async () => {
    const state = await keeper('beta');
    return state?.heldCopies === 2 && (state.provenMs ?? 0) > 0 ? true : undefined;
  });
  // Garbage collection there knows what is held for others.
  const [gc] = await beta.json<{ waitingBlobs: number; reachableBlobs: number }>([
    ...['store', 'gc', '--dry-run'],
  ]);
  assert.deepEqual([gc?.waitingBlobs, (gc?.reachableBlobs ?? 0) >= 6], [0, true]);
  await alpha.end('SIGKILL');
  rmSync(join(alpha.dataFolder, 'store'), { recursive: true });
  await alpha.start();
  const healed = await waitFor('the store to come back', MS_MAX, async () => {
    const verify = await alpha.command(['archive', 'verify', '--json']);
    return verify.exitCode === 0 ? verify : undefined;
  });
  assert.match(healed.stdout, /"bytes":9000005/);
  assert.match(healed.stdout, /"damagedSegments":0/);
});

test('who says that he holds a copy and does not is found by its proof', async () => {
  const token = (await alpha.json<{ token: string }>(['keeper', 'add', 'liar']))[0]?.token ?? '';
  const ask = async (path: string, body: unknown): Promise<Response> =>
    await fetch(`${alpha.siteUrl}/api/keeper${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
  const work = async () =>
    (await (await ask('/work', { bytesMax: 2 ** 40, waitMs: 0 })).json()) as {
      fetch: { copy: number }[];
      prove: { copy: number; number: number }[];
    };
  await work();
  // The member's holder is gone for good, so both files need another copy.
  await alpha.json(['keeper', 'rm', 'home']);
  await alpha.json(['jobs', 'run', 'archive-keepers']);
  const { fetch: wanted } = await work();
  assert.equal(wanted.length, 2);
  for (const { copy } of wanted) await ask(`/copies/${copy}`, { state: 'held' });
  const { prove } = await work();
  assert.equal(prove.length, 2);
  const headers = { authorization: `Bearer ${token}` };
  for (const { copy, number } of prove) {
    // What he should hold is not given to him now.
    const blob = await fetch(`${alpha.siteUrl}/api/keeper/copies/${copy}/blobs/${number}`, {
      headers,
    });
    assert.equal(blob.status, 404);
    const answer = await ask(`/copies/${copy}/proof`, { proof: 'ab'.repeat(32) });
    assert.deepEqual(await answer.json(), { accepted: false });
  }
  const state = await keeper('liar');
  assert.deepEqual([state?.heldCopies, state?.failedCopies], [0, 2]);
  const stranger = await fetch(`${alpha.siteUrl}/api/keeper/work`, { method: 'POST' });
  assert.equal(stranger.status, 401);
});
