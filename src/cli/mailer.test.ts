// Letters over a real connection to a small mail server, which notes what it is told.

import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { mailerOf } from './mailer.ts';

interface Receiver {
  readonly port: number;
  readonly said: string[];
  close(): Promise<void>;
}

/** Speaks as much of RFC 5321 as one letter needs. `refused` is answered to whom the letter is for. */
async function receiver(refused = false): Promise<Receiver> {
  const said: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding('utf8');
    let rest = '';
    let isLetter = false;
    socket.write('220 test\r\n');
    socket.on('data', (text: string) => {
      rest += text;
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        said.push(line);
        if (isLetter) {
          if (line !== '.') continue;
          isLetter = false;
          socket.write('250 taken\r\n');
        } else if (line === 'DATA') {
          isLetter = true;
          socket.write('354 go on\r\n');
        } else if (line === 'QUIT') socket.end('221 bye\r\n');
        else if (refused && line.startsWith('RCPT')) socket.write('550 nobody of that name\r\n');
        else socket.write('250 fine\r\n');
      }
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    port: address.port,
    said,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const settings = (port: number, user = '') => ({
  smtpUrl: `smtp://${user}127.0.0.1:${port}`,
  smtpPasswordFile: '',
  mailFrom: 'Reading Room <noreply@example.org>',
});

test('a letter reaches the mail server with its sender, its receiver and its words', async () => {
  const server = await receiver();
  await mailerOf(settings(server.port))?.send({
    to: 'mina@example.org',
    subject: 'Grüße',
    text: 'Open this:\nhttp://127.0.0.1/reset/abc\n',
  });
  await server.close();
  assert.ok(server.said.some((line) => /^MAIL FROM:<noreply@example\.org>/.test(line)));
  assert.ok(server.said.some((line) => /^RCPT TO:<mina@example\.org>/.test(line)));
  assert.ok(server.said.includes('http://127.0.0.1/reset/abc'));
  assert.ok(server.said.includes('Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?='));
});

test('a letter that is refused is an error, and a name cannot bring a second receiver', async () => {
  const server = await receiver(true);
  const to = 'mina@example.org, pavel@example.org';
  const letter = { to, subject: 'One', text: 'Two' };
  await assert.rejects(mailerOf(settings(server.port))?.send(letter) ?? Promise.resolve());
  await server.close();
  assert.ok(server.said.filter((line) => line.startsWith('RCPT')).length <= 1);
});

test('a password does not go over a line that cannot be encrypted', async () => {
  const server = await receiver();
  const letter = { to: 'mina@example.org', subject: 'One', text: 'Two' };
  const mailer = mailerOf(settings(server.port, 'room@'));
  await assert.rejects(mailer?.send(letter) ?? Promise.resolve());
  await server.close();
  assert.ok(!server.said.some((line) => /^(AUTH|MAIL)/.test(line)), server.said.join('\n'));
});

test('without a mail server there is no mailer', () => {
  assert.equal(mailerOf({ ...settings(25), smtpUrl: '' }), undefined);
});
