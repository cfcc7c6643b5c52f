import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { logConfig } from '#log/config.ts';
import { deleteHookOf } from './delete-hook.ts';

const SEGMENT = { topic: 'events', path: '', firstOffset: 7, nextOffset: 9 };
const signal = new AbortController().signal;

function hookOf(words: string[], lines: LogLine[] = [], deleteHookMsMax = 60_000) {
  const hook = deleteHookOf(
    logConfig.parse({ deleteHook: words, deleteHookMsMax }),
    memoryLogger(lines),
  );
  assert.ok(hook !== undefined);
  return hook;
}

it('the command has the path of the segment, and what it prints is logged', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-hook-'));
  try {
    const path = join(folder, 'a segment.log');
    await writeFile(path, 'bytes');
    const lines: LogLine[] = [];
    const script = 'cp "$1" "$1.copy"; echo copied';
    await hookOf(['sh', '-c', script, 'hook'], lines).run({ ...SEGMENT, path }, signal);
    assert.equal(await readFile(`${path}.copy`, 'utf8'), 'bytes');
    assert.equal(lines[0]?.fields?.['said'], 'copied');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('another exit than 0, a command that is not there, and one that hangs have failed', async () => {
  await assert.rejects(hookOf(['sh', '-c', 'exit 3']).run(SEGMENT, signal), /exit code 3/);
  await assert.rejects(hookOf(['/no/such/command']).run(SEGMENT, signal), /ENOENT/);
  await assert.rejects(hookOf(['sh', '-c', 'exec sleep 60'], [], 100).run(SEGMENT, signal), {
    name: 'AbortError',
  });
  const ending = new AbortController();
  const running = hookOf(['sh', '-c', 'exec sleep 60']).run(SEGMENT, ending.signal);
  ending.abort();
  await assert.rejects(running, { name: 'AbortError' });
  assert.equal(deleteHookOf(logConfig.parse({}), memoryLogger([])), undefined);
});
