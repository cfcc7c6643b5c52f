// Runs the examples of docs/store-client.md, each as it stands there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { MemoryStore } from '#store/memory.ts';
import { TEST_TOKEN, TestStoreServer } from '#store/upload/test-store-server.ts';
import { connectStore, STORE_CLIENT_VERSION } from './connect.ts';
import type { RemoteStore } from './remote-store.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/store-client.md', import.meta.url), 'utf8');
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The code under a heading. */
function example(heading: string): string {
  const section = DOCUMENT.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1];
  assert.ok(code, `an example under "${heading}"`);
  return code;
}

/** Runs it with these names in reach; gives what it has under `wanted`. */
async function run(
  code: string,
  names: Readonly<Record<string, unknown>>,
  wanted: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  const AsyncFunction = (async () => {}).constructor as new (
    ...words: string[]
  ) => (...values: unknown[]) => Promise<Readonly<Record<string, unknown>>>;
  const body = `${code}\nreturn { ${wanted.join(', ')} };`;
  return await new AsyncFunction(...Object.keys(names), body)(...Object.values(names));
}

describe('docs/store-client.md', () => {
  let server: TestStoreServer;
  let store: RemoteStore;
  before(async () => {
    const memory = new MemoryStore();
    server = await TestStoreServer.open(async () => memory);
    store = await connectStore({ url: server.url, token: TEST_TOKEN });
  });
  after(async () => {
    await store.close();
    await server.close();
  });

  it('connects, puts and gets', async () => {
    const names = { connectStore, url: server.url, token: TEST_TOKEN, utf8 };
    const { back, bytes } = await run(example('Connect'), names, ['back', 'bytes']);
    assert.equal(text(back as Uint8Array), 'hello');
    assert.equal(bytes, 5);
  });

  it('puts and gets many', async () => {
    const read: [number, string][] = [];
    const names = { store, utf8, text, read, pages: ['one', 'two', 'three'] };
    const { known } = await run(example('Many blobs'), names, ['known']);
    assert.equal((known as unknown[]).length, 3);
    assert.deepEqual(read, [
      [0, 'one'],
      [1, 'two'],
      [2, 'three'],
    ]);
  });

  it('reads everything, and goes on from a token', async () => {
    const code = `let total = 0; let seen = 0; ${example('Everything')}`;
    const first = await run(code, { store, after: undefined }, ['total', 'token', 'seen']);
    const rest = await run(code, { store, after: first['token'] }, ['total', 'seen']);
    assert.deepEqual([first['seen'], rest['seen']], [2, 2]);
    assert.equal(Number(first['total']) + Number(rest['total']), 5 + 3 + 3 + 5);
  });

  it('the package exports it', async () => {
    const names = ['swarmkeep/store', 'swarmkeep/store/errors'];
    const [library, errors] = (await Promise.all(names.map((name) => import(name)))) as Record<
      string,
      unknown
    >[];
    assert.equal(library?.['connectStore'], connectStore);
    assert.equal(library?.['STORE_CLIENT_VERSION'], STORE_CLIENT_VERSION);
    assert.equal(typeof errors?.['StoreError'], 'function');
  });
});
