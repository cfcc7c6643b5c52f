// What the tests of uploads from a browser need: a proxy between browser and server that cuts the line
// where it is told to, and a page of the site's own origin with the client library in it.

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));
export const PAGE_PATH = '/uploads-of-a-test';

/** Passes bytes on until so many have gone to the server; then the line is cut, and shut until told. */
export class CuttingProxy {
  readonly #port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #left = Number.POSITIVE_INFINITY;
  #onCut: (() => void) | undefined;
  #isShut = false;

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((socket) => this.#pass(socket));
  }

  static async open(port: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when the line was cut, after so many bytes more. */
  cutAfter(bytes: number): Promise<void> {
    this.#left = bytes;
    return new Promise((resolve) => {
      this.#onCut = resolve;
    });
  }

  reopen(): void {
    this.#isShut = false;
  }

  close(): void {
    this.#cut();
    this.#server.close();
  }

  #pass(socket: Socket): void {
    if (this.#isShut) {
      socket.destroy();
      return;
    }
    const far = connect(this.#port, '127.0.0.1');
    for (const one of [socket, far]) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        socket.destroy();
        far.destroy();
      });
    }
    far.pipe(socket);
    socket.on('data', (bytes) => {
      this.#left -= bytes.byteLength;
      if (this.#left <= 0) {
        this.#left = Number.POSITIVE_INFINITY;
        this.#cut();
        this.#onCut?.();
        return;
      }
      if (!far.write(bytes)) {
        socket.pause();
        far.once('drain', () => socket.resume());
      }
    });
  }

  #cut(): void {
    this.#isShut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Serves the page and the library's own files, as a browser reads them, on the site's origin. */
export async function openUploadPage(page: Page, siteUrl: string): Promise<void> {
  await page.route(`${siteUrl}/modules-of-a-test/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.replace('/modules-of-a-test/', '');
    const code = stripTypeScriptTypes(readFileSync(`${SOURCES}${path}`, 'utf8'));
    await route.fulfill({ contentType: 'text/javascript', body: code });
  });
  await page.route(`${siteUrl}${PAGE_PATH}`, (route) =>
    route.fulfill({ contentType: 'text/html', body: HTML }),
  );
  await page.goto(`${siteUrl}${PAGE_PATH}`);
  await page.waitForFunction('globalThis.isReady === true');
}

const HTML = `<!doctype html><title>uploads</title>
<script type="importmap">{"imports":{
  "#base/": "/modules-of-a-test/base/",
  "#store/": "/modules-of-a-test/store/"
}}</script>
<script type="module">
  import { StoreLink } from '#store/client/store-link.ts';
  import { WebSocketMessages } from '#store/client/web-socket-messages.ts';
  const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
  const contentOf = (size) => {
    const words = new Uint32Array(size / 4);
    for (let at = 0; at < words.length; at++) words[at] = Math.imul(at + size, 2654435761);
    return new Uint8Array(words.buffer);
  };
  const hashOf = async (bytes) => {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  };

  globalThis.bySocket = async (size, step) => {
    const content = contentOf(size);
    const blobs = [];
    for (let at = 0; at < size; at += step) {
      const body = content.subarray(at, at + step);
      blobs.push({ body, ref: 'sha256-' + await hashOf(body) });
    }
    const acknowledged = new Set();
    const atCuts = [];
    let sent = 0;
    while (acknowledged.size < blobs.length) {
      const socket = new WebSocket(location.origin.replace('http', 'ws') + '/api/store/socket');
      const link = await StoreLink.open(new WebSocketMessages(socket), () => undefined)
        .catch(() => undefined);
      if (link === undefined) {
        await pause();
        continue;
      }
      const left = blobs.filter(({ ref }) => !acknowledged.has(ref));
      await Promise.all(left.map(({ ref, body }) => new Promise((resolve) => {
        sent++;
        link.send({
          command: 'PUT', rest: ref + ' ' + body.byteLength + ' norush', body,
          onDone: () => { acknowledged.add(ref); resolve(); },
          onFailed: resolve,
        });
      })));
      if (acknowledged.size < blobs.length) atCuts.push(acknowledged.size);
      else link.close();
    }
    return { refs: blobs.map(({ ref }) => ref), atCuts, sent, hash: await hashOf(content) };
  };

  globalThis.byTus = async (size) => {
    const content = contentOf(size);
    const tus = { 'tus-resumable': '1.0.0' };
    const made = await fetch('/api/store/uploads', {
      method: 'POST', headers: { ...tus, 'upload-length': String(size) },
    });
    const path = made.headers.get('location');
    const resumedAt = globalThis.resumedAt = [];
    for (let offset = 0; offset < size;) {
      try {
        const answer = await fetch(path, {
          method: 'PATCH', body: new Blob([content.subarray(offset)]),
          headers: {
            ...tus, 'content-type': 'application/offset+octet-stream',
            'upload-offset': String(offset),
          },
        });
        if (!answer.ok) throw new Error(String(answer.status));
        offset = Number(answer.headers.get('upload-offset'));
      } catch {
        // Chromium may have sent the same request again by itself, which was refused: 409.
        let head;
        do {
          await pause();
          head = await fetch(path, { method: 'HEAD', headers: tus }).catch(() => undefined);
        } while (head?.ok !== true);
        offset = Number(head.headers.get('upload-offset'));
        resumedAt.push(offset);
      }
    }
    const { refs } = await (await fetch(path)).json();
    return { refs: refs.map(({ ref }) => ref), resumedAt, hash: await hashOf(content) };
  };

  /** What a page of another site, or one without a session, is told. */
  globalThis.opens = () => new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/api/store/socket');
    socket.onmessage = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  globalThis.isReady = true;
</script>`;
