// Debian's nginx in front of a tracker, as an operator would put it there: one server on a port of its
// own, everything in a temporary folder.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, waitFor } from './server.ts';

const EXECUTABLE = '/usr/sbin/nginx';
const START_MS_MAX = 60_000;

/** Why there can be no proxy on this machine; undefined when there can. */
export function nginxMissing(): string | undefined {
  return existsSync(EXECUTABLE) ? undefined : 'nginx is not installed (apt install nginx)';
}

export class Nginx {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
    this.#child = spawn(EXECUTABLE, args, { stdio: 'ignore' });
  }

  /** Passes everything on to that port of this machine, WebSocket too. */
  static async start(toPort: number): Promise<Nginx> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-nginx-'));
    writeFileSync(join(folder, 'nginx.conf'), configuration(port, toPort));
    const nginx = new Nginx(port, folder);
    await waitFor('nginx to listen', START_MS_MAX, () => isListening(port));
    return nginx;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGQUIT');
    // A graceful end would wait for connections that are still open.
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configuration(port: number, toPort: number): string {
  return `daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
${serverBlock(port, toPort)}}
`;
}

/** The lines of the operators' guide, with the ports of the test and without TLS. */
function serverBlock(port: number, toPort: number): string {
  const guide = readFileSync(new URL('../../docs/proxies.md', import.meta.url), 'utf8');
  const section = guide.slice(guide.indexOf('## nginx'));
  const lines = section.split('\n');
  const start = lines.findIndex((line) => line.startsWith('    map '));
  const end = lines.findIndex((line, at) => at > start && line === '    }');
  return lines
    .slice(start, end + 1)
    .join('\n')
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port};`)
    .replace('127.0.0.1:6969', `127.0.0.1:${toPort}`);
}

function isListening(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(undefined));
  });
}
