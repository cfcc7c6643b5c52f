import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LentPart, type RangePart } from '#archive/content/lent-range.ts';
import type { SeedAnswer, SeedRequest } from '#archive/web-seed/web-seed.ts';
import { loadAddon } from '#net/addon.ts';
import { FileSender } from '#net/file-sender.ts';
import { findOrBuildAddon } from './addon-build.ts';
import { answerSeedRequest } from './web-seed-door.ts';

const loaded = loadAddon(findOrBuildAddon());
const skip = 'why' in loaded ? `no addon here: ${loaded.why}` : false;
const PART_BYTES = 3_000_000;
const PARTS = 6;
/** More than the kernel takes for who does not read. */
const LARGE_PART_BYTES = 16_000_000;

interface Door {
  readonly content: Buffer;
  readonly port: number;
  /** Of lent parts, when they were given back, by how much of each was sent. */
  readonly released: number[];
  /** Takes the right to the answer back. */
  readonly end: AbortController;
  readonly requests: SeedRequest[];
}

/** A seed that gives parts of a file in turn: lent, from memory, lent … */
async function withDoor(run: (door: Door) => Promise<void>, partBytes = PART_BYTES): Promise<void> {
  assert.ok('addon' in loaded);
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-door-'));
  const content = randomBytes(partBytes * PARTS);
  writeFileSync(join(folder, 'content'), content);
  const file = openSync(join(folder, 'content'), 'r');
  const sender = FileSender.open(loaded.addon);
  const released: number[] = [];
  const end = new AbortController();
  const requests: SeedRequest[] = [];
  async function* body(lends: boolean): AsyncGenerator<RangePart> {
    for (let at = 0; at < PARTS; at++) {
      const start = at * partBytes;
      if (!lends || at % 3 === 1) {
        yield content.subarray(start, start + partBytes);
        continue;
      }
      const lent = { descriptor: file, position: 0, bytes: content.length, release: () => {} };
      const end = start + partBytes;
      const part = new LentPart([
        { lent, part: { start, end: end - 7 } },
        { lent, part: { start: end - 7, end } },
      ]);
      try {
        yield part;
      } finally {
        released.push(part.sentBytes);
      }
    }
  }
  const seed = {
    async answer(request: SeedRequest): Promise<SeedAnswer> {
      requests.push(request);
      const headers = { 'content-length': String(content.length) };
      return { status: 200, headers, body: body(request.lends === true), ended: end.signal };
    },
  };
  const server = createServer((request, response) => {
    void answerSeedRequest({ seed, sender }, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await run({ content, port, released, end, requests });
  } finally {
    server.close();
    server.closeAllConnections();
    sender?.close();
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}

function ask(port: number, ...methods: readonly string[]): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  const lines = methods.map((method, at) => {
    const last = at === methods.length - 1 ? 'Connection: close\r\n' : '';
    return `${method} /seed/x HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
  });
  socket.write(lines.join(''));
  return socket;
}

async function everything(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 12_000 && !isSo(); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(isSo());
}

describe('the door of the web seed', { skip }, () => {
  test('gives what is lent and what is not in order, to whoever asks several times at once', () =>
    withDoor(async ({ content, port, released, requests }) => {
      const got = await everything(ask(port, 'GET', 'HEAD', 'GET', 'GET'));
      const heads: string[] = [];
      let at = 0;
      for (const hasBody of [true, false, true, true]) {
        const end = got.indexOf('\r\n\r\n', at) + 4;
        heads.push(got.toString('latin1', at, end));
        at = end + (hasBody ? content.length : 0);
        if (hasBody) assert.equal(hash('sha256', got.subarray(end, at)), hash('sha256', content));
      }
      assert.equal(at, got.length);
      assert.ok(heads.every((head) => /^HTTP\/1\.1 200 /.test(head)));
      assert.ok(requests.every(({ lends }) => lends === true));
      assert.deepEqual(
        released.filter((bytes) => bytes > 0),
        new Array(12).fill(PART_BYTES),
      );
    }));

  test('tells how much went out to a client that stopped reading and went', () =>
    withDoor(async ({ port, released }) => {
      const socket = ask(port, 'GET');
      // More than the head of the answer.
      let got = 0;
      await new Promise<void>((resolve) => {
        socket.on('data', (part) => {
          got += part.length;
          if (got > 100_000) resolve();
        });
      });
      socket.pause();
      socket.destroy();
      await until(() => released.length > 0);
      const sent = released.reduce((sum, bytes) => sum + bytes, 0);
      assert.ok(sent > 0 && sent < PART_BYTES * PARTS, `${sent}`);
    }));

  test('a right that is taken back ends a part that nobody takes', () =>
    withDoor(async ({ port, released, end }) => {
      const socket = ask(port, 'GET');
      await new Promise((resolve) => socket.once('data', resolve));
      socket.pause();
      end.abort();
      await until(() => released.length > 0);
      assert.ok((released[0] ?? 0) < LARGE_PART_BYTES, `${released}`);
      socket.resume();
      await until(() => socket.closed);
    }, LARGE_PART_BYTES));
});
