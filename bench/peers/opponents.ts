// Whom the tracker is compared with. Each is started with a port and files of its own; no service of
// the machine is touched.

import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HASH_BYTES } from '#bench/load/community.ts';
import { runProgram } from '#tools/child-process.ts';
import { Child } from './child.ts';

/**
 * opentracker (Debian). Its build serves listed torrents only, so all of them are listed, and each
 * announce looks there, as ours look for theirs.
 */
export async function startOpentracker(hashes: Uint8Array): Promise<Child> {
  return await Child.start('opentracker', ({ port, folder }) => {
    const listed: string[] = [];
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      listed.push(Buffer.from(hashes.subarray(at, at + HASH_BYTES)).toString('hex'));
    }
    writeFileSync(join(folder, 'listed'), `${listed.join('\n')}\n`);
    // It gives up root and changes into its folder before it reads the list.
    chmodSync(folder, 0o755);
    const door = ['-i', '127.0.0.1', '-p', String(port), '-P', String(port)];
    return [...door, '-d', folder, '-w', 'listed'];
  });
}

/** nginx with one worker, which answers everything with the same `bodyBytes` bytes from memory. */
export function startNginx(bodyBytes: number): Promise<Child> {
  return startNginxWith(`location / { return 200 "${'x'.repeat(bodyBytes)}"; }`);
}

/** nginx with one worker, which gives the files below `root` as it does best. */
export function startNginxFiles(root: string): Promise<Child> {
  return startNginxWith(`root ${root}; sendfile on; tcp_nopush on;`);
}

async function startNginxWith(server: string): Promise<Child> {
  return await Child.start('/usr/sbin/nginx', ({ port, folder }) => {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const temporary = paths.map((path) => `${path}_temp_path ${folder}/${path};`).join('\n  ');
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off;
master_process off;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  ${temporary}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type text/plain;
    ${server}
  }
}
`,
    );
    return ['-c', join(folder, 'nginx.conf'), '-p', folder];
  });
}

/** The limit: a loop in C that receives and sends in batches and looks at nothing. */
export async function startEcho(answerBytes: number, batch: number): Promise<Child> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-echo-'));
  const program = join(folder, 'echo');
  const source = new URL('./echo.c', import.meta.url).pathname;
  const built = await runProgram('cc', ['-O2', '-o', program, source]);
  if (built.exitCode !== 0) throw new Error(`cc cannot build the echo: ${built.output}`);
  const words = ({ port }: { port: number }): string[] => [
    String(port),
    String(answerBytes),
    String(batch),
  ];
  return await Child.start(program, words, { isTcp: false });
}

/** bittorrent-tracker (npm), which web torrents use everywhere, in a Node process of its own. */
export async function startWsTracker(): Promise<Child> {
  const source = new URL('./ws-tracker-process.ts', import.meta.url).pathname;
  return await Child.start(process.execPath, ({ port }) => [source, String(port)]);
}
