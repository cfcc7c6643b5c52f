// Runs the examples of docs/log-client.md, each as it stands there.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import { listenNode } from '#net/stream-node.ts';
import { connectLog, LOG_CLIENT_VERSION, type LogClient } from './connect.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/log-client.md', import.meta.url), 'utf8');
const SECRET = 'sixteen bytes at least';
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The code under a heading. */
function example(heading: string): string {
  const section = DOCUMENT.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1];
  assert.ok(code, `an example under "${heading}"`);
  return code;
}

/** Runs it with these names in reach; gives what it declared under `wanted`. */
async function run(
  code: string,
  names: Readonly<Record<string, unknown>>,
  wanted: readonly string[] = [],
): Promise<Readonly<Record<string, unknown>>> {
  const AsyncFunction = (async () => {}).constructor as new (
    ...words: string[]
  ) => (...values: unknown[]) => Promise<Readonly<Record<string, unknown>>>;
  const body = `${code}\nreturn { ${wanted.join(', ')} };`;
  return await new AsyncFunction(...Object.keys(names), body)(...Object.values(names));
}

describe('docs/log-client.md', () => {
  const folder = mkdtempSync(`${tmpdir()}/sk-client-`);
  const world = {
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    config: logConfig.parse({}),
  };
  const url = `unix:${folder}/a.sock`;
  const otherUrl = `unix:${folder}/b.sock`;
  const closing: (() => Promise<void>)[] = [];
  let client: LogClient;
  let copy: LocalLog;

  async function serve(name: string, secret: { readonly secret?: Uint8Array }): Promise<LocalLog> {
    const metrics = new Registry();
    const disk = new SystemDisk();
    const log = await LocalLog.open({ ...world, metrics, disk, folder: `${folder}/${name}` });
    const server = new LogServer({ ...world, metrics, log, ...secret });
    await server.listen(listenNode, { kind: 'unix', path: `${folder}/${name}.sock` });
    closing.push(async () => {
      await server.close();
      await log.close();
    });
    return log;
  }

  before(async () => {
    await serve('a', { secret: utf8(SECRET) });
    copy = await serve('b', {});
    client = await connectLog({ url, secret: SECRET });
    for (const topic of ['news', 'jobs']) await client.log.createTopic(topic);
    await copy.createTopic('events', { consistency: 'durable' });
  });

  after(async () => {
    await client.close();
    for (const close of closing) await close();
    rmSync(folder, { recursive: true });
  });

  it('connects and makes a topic', async () => {
    await run(example('Connect'), { connectLog, url, secret: SECRET });
    assert.equal((await client.log.stats('events')).nextOffset, 0);
  });

  it('event log', async () => {
    const seen: [number, number][] = [];
    const names: string[] = [];
    await run(example('Event log'), { client, utf8, text, seen, names });
    assert.deepEqual(names, ['opened', 'renamed', 'closed']);
    assert.equal(
      seen.reduce((sum, [, count]) => sum + count, 0),
      3,
    );
  });

  it('publish and subscribe', async () => {
    const headlines: string[] = [];
    const stop = new AbortController();
    await run(example('Publish and subscribe'), { client, utf8, text, headlines, stop });
    assert.deepEqual(headlines, ['rain', 'sun']);
  });

  it('work queue', async () => {
    const records = ['a', 'b', 'c'].map((value) => ({ value: utf8(value) }));
    await client.log.append('jobs', records, { consistency: 'durable' });
    const done: string[] = [];
    await run(example('Work queue'), { client, text, done });
    assert.deepEqual(done, ['c', 'b', 'a']);
    assert.equal(await client.log.position('jobs', 'worker'), 3);
  });

  it('replication', async () => {
    await run(example('Replication'), { client, copy });
    const { records } = await copy.read('events', { from: 0 });
    assert.deepEqual(
      records.map(({ value }) => text(value)),
      ['opened', 'renamed', 'closed'],
    );
  });

  it('changing the primary', async () => {
    const names = { client, connectLog, otherUrl };
    const found = await run(example('Changing the primary'), names, ['isSame', 'rest']);
    assert.equal(found['isSame'], false);
    const { records } = found['rest'] as { readonly records: readonly { value: Uint8Array }[] };
    assert.deepEqual(
      records.map(({ value }) => text(value)),
      ['closed'],
    );
  });
});

it('the package exports the library under the names the document gives', async () => {
  // By its own name, as a program that depends on it would; in variables, for the type checker.
  const names = ['swarmkeep/log', 'swarmkeep/log/errors'];
  const [library, errors] = (await Promise.all(names.map((name) => import(name)))) as Record<
    string,
    unknown
  >[];
  assert.equal(library?.['connectLog'], connectLog);
  assert.equal(library?.['LOG_CLIENT_VERSION'], LOG_CLIENT_VERSION);
  assert.equal(typeof errors?.['LogError'], 'function');
});
