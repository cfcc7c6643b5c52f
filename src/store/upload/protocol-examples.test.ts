// Runs every example of docs/store-protocol.md against a real server, message by message.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { MemoryStore } from '#store/memory.ts';
import { pieceOf } from './store-messages.ts';
import { TestStoreServer } from './test-store-server.ts';

const DOCUMENT = new URL('../../../docs/store-protocol.md', import.meta.url);

interface Example {
  readonly kind: string;
  readonly line: number;
  readonly steps: readonly string[];
}

function examplesOf(text: string): Example[] {
  return [...text.matchAll(/^```(http|session)\n([\s\S]*?)^```$/gm)].map((match) => ({
    kind: match[1] ?? '',
    line: text.slice(0, match.index).split('\n').length,
    steps: (match[2] ?? '').trimEnd().split('\n'),
  }));
}

function assertLike(found: string, expected: string): void {
  const parts = expected.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  assert.match(found, new RegExp(`^${parts.join('[\\s\\S]*')}$`));
}

/** A WebSocket read message by message: text, or `number bytes` of a piece. */
class Talk {
  readonly #socket: WebSocket;
  readonly #heard: string[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(url: string) {
    this.#socket = new WebSocket(url.replace('http', 'ws'));
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.#heard.push(`: ${data}`);
      else {
        const bytes = Buffer.from(data as ArrayBuffer);
        this.#heard.push(`# ${bytes.readUInt32LE(0)} ${bytes.toString('utf8', 4)}`);
      }
      this.#wake?.();
    });
    this.#socket.addEventListener('close', () => {
      this.#isEnded = true;
      this.#wake?.();
    });
  }

  say(text: string): void {
    this.#socket.send(text);
  }

  piece(text: string): void {
    const [number = '', ...bytes] = text.split(' ');
    this.#socket.send(pieceOf(Number(number), Buffer.from(bytes.join(' '))));
  }

  async hear(): Promise<string> {
    while (this.#heard.length === 0) {
      assert.ok(!this.#isEnded, 'the server closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#heard.shift() ?? '';
  }

  async end(): Promise<void> {
    while (!this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    assert.deepEqual(this.#heard, [], 'nothing follows the last message');
  }

  close(): void {
    this.#socket.close();
  }
}

interface Exchange {
  readonly request: string;
  readonly headers: Record<string, string>;
  readonly body: string[];
  status: number;
  readonly answerHeaders: string[];
  readonly answerBody: string[];
}

function exchangesOf(steps: readonly string[]): Exchange[] {
  const exchanges: Exchange[] = [];
  for (const step of steps) {
    const text = step.slice(3);
    const last = exchanges.at(-1);
    if (step.startsWith('C: ') && /^[A-Z]+ [/$]/.test(text)) {
      const empty = { headers: {}, body: [], answerHeaders: [], answerBody: [] };
      exchanges.push({ request: text, status: 0, ...empty });
    } else if (last === undefined) assert.fail(step);
    else if (step.startsWith('C: ')) {
      const [name = '', ...value] = text.split(': ');
      last.headers[name] = value.join(': ');
    } else if (step.startsWith('C|')) last.body.push(text);
    else if (step.startsWith('S|')) last.answerBody.push(text);
    else if (/^\d{3}$/.test(text)) last.status = Number(text);
    else last.answerHeaders.push(text);
  }
  return exchanges;
}

describe('docs/store-protocol.md', () => {
  let server: TestStoreServer;
  before(async () => {
    const store = new MemoryStore();
    server = await TestStoreServer.open(async () => store);
  });
  after(() => server.close());

  const examples = examplesOf(readFileSync(DOCUMENT, 'utf8'));
  assert.ok(examples.length >= 8, 'the document has its examples');
  for (const { kind, line, steps } of examples) {
    it(`the example at line ${line} happens as written`, async () => {
      if (kind === 'session') await talk(steps);
      else await exchange(exchangesOf(steps));
    });
  }

  async function talk(steps: readonly string[]): Promise<void> {
    const peer = new Talk(`${server.url}/api/store/socket`);
    for (const step of steps) {
      if (step === 'end') await peer.end();
      else if (step.startsWith('C: ')) peer.say(step.slice(3));
      else if (step.startsWith('C# ')) peer.piece(step.slice(3));
      else assertLike(await peer.hear(), step.slice(1));
    }
    peer.close();
  }

  async function exchange(exchanges: readonly Exchange[]): Promise<void> {
    let location = '';
    for (const { request, headers, body, status, answerHeaders, answerBody } of exchanges) {
      const [method = '', path = ''] = request.split(' ');
      const isForm = headers['content-type']?.startsWith('multipart') === true;
      const answer = await fetch(`${server.url}${path === '$location' ? location : path}`, {
        method,
        headers,
        ...(body.length === 0 ? {} : { body: body.join(isForm ? '\r\n' : '\n') }),
      });
      const text = await answer.text();
      assert.equal(answer.status, status, `${request}: ${text}`);
      for (const expected of answerHeaders) {
        const name = expected.split(':')[0] ?? '';
        assertLike(`${name}: ${answer.headers.get(name)}`, expected);
      }
      if (answerBody.length > 0) assertLike(text.trimEnd(), answerBody.join('\n'));
      location = answer.headers.get('location') ?? location;
    }
  }
});
