// Runs every example of docs/log-protocol.md against a real server, byte by byte.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { listenNode } from '#net/stream-node.ts';
import { LogServer } from './server.ts';

const DOCUMENT = new URL('../../../docs/log-protocol.md', import.meta.url);
const SECRET = new TextEncoder().encode('sixteen bytes at least');

interface Session {
  readonly kind: string;
  readonly line: number;
  readonly steps: readonly string[];
}

function sessionsOf(text: string): Session[] {
  const sessions: Session[] = [];
  for (const match of text.matchAll(/^```session ?(\w*)\n([\s\S]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split('\n').length;
    const steps = (match[2] ?? '').trimEnd().split('\n');
    sessions.push({ kind: match[1] ?? '', line, steps });
  }
  return sessions;
}

/** A socket read by lines and by bytes. */
class Peer {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (part) => {
      this.#bytes = Buffer.concat([this.#bytes, part]);
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#isEnded = true;
      this.#wake?.();
    });
    socket.on('error', () => {});
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  async #more(): Promise<void> {
    assert.ok(!this.#isEnded, 'the server closed the connection');
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#bytes.indexOf(10);
      if (end >= 0) {
        const line = this.#bytes.toString('utf8', 0, end);
        this.#bytes = this.#bytes.subarray(end + 1);
        return line;
      }
      await this.#more();
    }
  }

  async body(size: number): Promise<Buffer> {
    while (this.#bytes.byteLength < size) await this.#more();
    const body = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return body;
  }

  async end(): Promise<void> {
    while (!this.#isEnded) await this.#more();
    assert.equal(this.#bytes.byteLength, 0, 'nothing follows the last line');
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function assertLike(found: string, expected: string): void {
  const parts = expected.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  assert.match(found, new RegExp(`^${parts.join('[\\s\\S]*')}$`));
}

describe('docs/log-protocol.md', () => {
  const folder = mkdtempSync(`${tmpdir()}/sk-protocol-`);
  const world = {
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    config: logConfig.parse({}),
  };
  const servers: LogServer[] = [];
  let log: LocalLog;

  async function serve(name: string, secret: { readonly secret?: Uint8Array }): Promise<void> {
    const server = new LogServer({ ...world, metrics: new Registry(), log, ...secret });
    await server.listen(listenNode, { kind: 'unix', path: `${folder}/${name}` });
    servers.push(server);
  }

  before(async () => {
    const metrics = new Registry();
    log = await LocalLog.open({
      ...world,
      metrics,
      disk: new SystemDisk(),
      folder: `${folder}/log`,
    });
    await serve('open.sock', {});
    await serve('secret.sock', { secret: SECRET });
  });

  after(async () => {
    for (const server of servers) await server.close();
    await log.close();
    rmSync(folder, { recursive: true });
  });

  const sessions = sessionsOf(readFileSync(DOCUMENT, 'utf8'));
  assert.ok(sessions.length >= 8, 'the document has its examples');
  let peer: Peer | undefined;
  for (const { kind, line, steps } of sessions) {
    it(`the example at line ${line} happens as written`, async () => {
      if (kind !== 'continue') {
        peer?.destroy();
        const socket = connect(`${folder}/${kind === 'secret' ? 'secret' : 'open'}.sock`);
        peer = new Peer(socket);
      }
      assert.ok(peer);
      let size = 0;
      for (const step of steps) {
        const text = step.slice(3);
        if (step === 'end') await peer.end();
        else if (step.startsWith('C: ')) peer.write(`${text}\n`);
        else if (step.startsWith('C| ')) peer.write(text);
        else if (step.startsWith('C# ')) peer.write(Buffer.from(text, 'hex'));
        else if (step.startsWith('S| ')) assertLike((await peer.body(size)).toString(), text);
        else if (step.startsWith('S# ')) {
          assertLike((await peer.body(size)).toString('hex'), text);
        } else {
          assert.ok(step.startsWith('S: '), step);
          const found = await peer.line();
          assertLike(found, text);
          size = Number(found.split(' ').at(-1));
        }
      }
    });
  }
  after(() => peer?.destroy());
});
