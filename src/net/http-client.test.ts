import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { NodeHttpClient } from './http-client.ts';

describe('an HTTP client', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function serve(answer: RequestListener): Promise<{ url: URL; server: Server }> {
    const server = createServer(answer).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    ends.push(
      () => server.close(),
      () => server.closeAllConnections(),
    );
    return {
      url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x?y`),
      server,
    };
  }
  function client(): NodeHttpClient {
    const made = new NodeHttpClient();
    ends.push(() => made.close());
    return made;
  }
  const usual = { method: 'GET', headers: {}, answerBytesMax: 100, idleMsMax: 30_000 } as const;

  it('sends method, headers and a body with its length; gives status, headers and body', async () => {
    const { url } = await serve((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { method, url: path } = request;
        const length = request.headers['content-length'];
        response.writeHead(207, { 'X-Own': String(request.headers['x-mine']) });
        response.end(`${method} ${path} ${length} ${Buffer.concat(parts)}`);
      });
    });
    const body = Buffer.from('hello');
    const headers = { 'x-mine': '1' };
    const answer = await client().send({ ...usual, method: 'PUT', url, headers, body });
    assert.equal(answer.status, 207);
    assert.equal(answer.headers['x-own'], '1');
    assert.equal(Buffer.from(answer.body).toString(), 'PUT /x?y 5 hello');
  });

  it('uses a connection again', async () => {
    const { url, server } = await serve((_, response) => response.end('ok'));
    let connections = 0;
    server.on('connection', () => connections++);
    const one = client();
    for (let count = 0; count < 5; count++) await one.send({ ...usual, url });
    assert.equal(connections, 1);
  });

  it('does not wait for the body that the answer to a HEAD names', async () => {
    const { url } = await serve((_, response) => {
      response.setHeader('content-length', '5000000').end();
    });
    const answer = await client().send({ ...usual, method: 'HEAD', url });
    assert.equal(answer.headers['content-length'], '5000000');
    assert.equal(answer.body.byteLength, 0);
  });

  it('refuses too long an answer, whether its length was named or not', async () => {
    for (const length of ['101', undefined]) {
      const { url } = await serve((_, response) => {
        if (length !== undefined) response.setHeader('content-length', length);
        response.write('x'.repeat(101));
        response.end();
      });
      const code = 'NET_HTTP_ANSWER_TOO_LARGE';
      await assert.rejects(client().send({ ...usual, url }), { code });
    }
  });

  it('tells an answer that breaks off, a silent server and one that is not there', async () => {
    const cut = await serve((_, response) => {
      response.setHeader('content-length', '10');
      response.write('half', () => response.destroy());
    });
    await assert.rejects(client().send({ ...usual, url: cut.url }), { code: 'NET_HTTP_FAILED' });
    const silent = await serve(() => {});
    await assert.rejects(client().send({ ...usual, url: silent.url, idleMsMax: 50 }), {
      code: 'NET_HTTP_FAILED',
      cause: new Error('nothing moved for 50 ms'),
    });
    const gone = createTcpServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => gone.once('listening', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const url = new URL(`http://127.0.0.1:${port}/`);
    await assert.rejects(client().send({ ...usual, url }), { code: 'NET_HTTP_FAILED' });
  });

  it('hears a server that refuses a long body while it is being sent', async () => {
    const { url } = await serve((request, response) => {
      response.writeHead(403, { connection: 'close' }).end('no', () => request.resume());
    });
    const body = new Uint8Array(8 * 1024 * 1024);
    const answer = await client().send({ ...usual, method: 'PUT', url, body });
    assert.equal(answer.status, 403);
  });

  it('is taken back by a signal, before and while it waits', async () => {
    const { url } = await serve(() => {});
    const reason = new Error('enough');
    await assert.rejects(
      client().send({ ...usual, url, signal: AbortSignal.abort(reason) }),
      reason,
    );
    const controller = new AbortController();
    const waiting = client().send({ ...usual, url, signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await assert.rejects(waiting, reason);
  });

  it('sends nothing to a server whose certificate is not trusted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-http-'));
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const words = [
      'req',
      '-x509',
      ...curve,
      '-keyout',
      key,
      '-out',
      cert,
      '-subj',
      '/CN=localhost',
    ];
    execFileSync('openssl', words, { stdio: 'ignore' });
    let requests = 0;
    const options = { key: readFileSync(key), cert: readFileSync(cert) };
    rmSync(folder, { recursive: true });
    const server = createTlsServer(options, () => requests++).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    ends.push(() => server.close());
    const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/`);
    await assert.rejects(client().send({ ...usual, url }), { code: 'NET_HTTP_UNTRUSTED' });
    assert.equal(requests, 0);
  });
});
