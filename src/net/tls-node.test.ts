// TLS passes the suite of every TcpServer, and a renewed certificate is in force without a restart.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { type LogLine, memoryLogger, silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { tcpServerSuite } from './tcp-server.conformance.ts';
import type { TcpHandler, TcpServer } from './tcp-server.ts';
import { type DialPeer, newPeer, TcpPeer, until } from './test-tcp-peer.ts';
import { TlsCertificate } from './tls-certificate.ts';
import { nodeTls } from './tls-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-tls-'));
const clock = new SystemClock();
const disk = new SystemDisk();

/** A key and a certificate signed by itself, in two files. */
function makePair(name: string): { readonly certificateFile: string; readonly keyFile: string } {
  const files = {
    certificateFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const place = ['-keyout', files.keyFile, '-out', files.certificateFile];
  const words = ['req', '-x509', ...curve, ...place, '-days', '2', '-subj', `/CN=${name}`];
  execFileSync('openssl', words, { stdio: 'ignore' });
  return files;
}

const first = makePair('first');
const second = makePair('second');
const certificate = await TlsCertificate.open({ ...first, clock, disk, logger: silentLogger });

after(() => {
  certificate.close();
  rmSync(folder, { recursive: true, force: true });
});

const world = { clock, logger: silentLogger, metrics: new Registry() };

const dialTls: DialPeer = (to, options = { reads: true }) =>
  new Promise((resolve, reject) => {
    const wire = connectPlain({ host: to.address, port: to.port });
    wire.once('error', reject);
    const socket = connect({ socket: wire, rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      for (const each of [wire, socket]) each.removeListener('error', reject);
      wire.on('error', () => undefined);
      resolve(new TcpPeer(socket, options.reads, wire));
    });
  });

const peers = { dial: dialTls, haveHalves: false };
tcpServerSuite('nodeTls', nodeTls({ ...world, certificate }), peers);

const silent: TcpHandler = {
  onInput: (connection) => connection.consume(connection.inputLength),
  onClosed() {},
};

async function listen(pair: TlsCertificate): Promise<TcpServer> {
  return await nodeTls({ ...world, certificate: pair })({
    address: '127.0.0.1',
    port: 0,
    backlog: 16,
    connectionsMax: 16,
    inputBytesMax: 256,
    outputBytesMax: 256,
    idleMsMax: 5000,
    readMsMax: 5000,
    writeMsMax: 5000,
    handler: silent,
    onFailed: (error) => {
      throw error;
    },
  });
}

/** The name that the server's certificate has. */
function nameAt(server: TcpServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = server.bound;
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      resolve(String(CN));
    });
  });
}

test('a renewed certificate is in force for new connections; one that cannot be used is told and left', async () => {
  const lines: LogLine[] = [];
  const files = { certificateFile: join(folder, 'live.crt'), keyFile: join(folder, 'live.key') };
  copyFileSync(first.certificateFile, files.certificateFile);
  copyFileSync(first.keyFile, files.keyFile);
  const live = await TlsCertificate.open({ ...files, clock, disk, logger: memoryLogger(lines) });
  const server = await listen(live);
  assert.equal(await nameAt(server), 'first');
  // Half of a renewal: the certificate of one key beside another key.
  copyFileSync(second.certificateFile, files.certificateFile);
  await live.look();
  await live.look();
  assert.equal(await nameAt(server), 'first');
  assert.equal(lines.filter((line) => line.level === 'error').length, 1, 'told once');
  copyFileSync(second.keyFile, files.keyFile);
  await live.look();
  assert.equal(await nameAt(server), 'second');
  writeFileSync(files.certificateFile, 'no certificate');
  await live.look();
  rmSync(files.keyFile);
  await live.look();
  assert.equal(await nameAt(server), 'second');
  await server.close(100);
  live.close();
});

test('files that are no pair end the start with their names', async () => {
  const files = { certificateFile: first.certificateFile, keyFile: second.keyFile };
  await assert.rejects(TlsCertificate.open({ ...files, clock, disk, logger: silentLogger }), {
    code: 'NET_TLS_INVALID',
    message: /first\.crt.*second\.key/,
  });
});

test('a peer that speaks no TLS is closed, and others are served on', async () => {
  const server = await listen(certificate);
  const plain = await newPeer(server.bound);
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await plain.readToEnd();
  assert.equal(await nameAt(server), 'first');
  await until(() => server.connections === 0);
  await server.close(100);
});
