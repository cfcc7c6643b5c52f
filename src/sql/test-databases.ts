// For tests: runs a body on SQLite and on a real PostgreSQL server, each test on a database of its
// own. The server is Debian's, started once for a test process in a temporary folder, reached by a
// UNIX socket only, and stopped with the process. Without its binaries those tests are skipped, and
// the reason is printed.

import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { type OpenSql, openSql } from './open.ts';
import type { Sql } from './sql.ts';

/** Opens a new, empty database; the caller closes it. */
export type OpenTestSql = (options?: Partial<OpenSql>) => Promise<Sql>;

/** Calls `body` once for each kind of database, to declare its tests. */
export function forEachDatabase(body: (name: string, open: OpenTestSql) => void): void {
  body('sqlite', openTestSqlite);
  const binaries = postgresBinaries();
  if (binaries === undefined) {
    process.stderr.write('PostgreSQL tests are skipped: no postgres and initdb were found\n');
    return;
  }
  body('postgres', async (options) => {
    server ??= startServer(binaries);
    const { url } = await createDatabase(await server);
    return await openSql({ folder: '', ...options, url });
  });
}

export const openTestSqlite: OpenTestSql = async (options) => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-sql-'));
  removeAtExit(folder);
  return await openSql({ threads: false, ...options, url: '', folder });
};

/** PostgreSQL takes 128 MB by itself; tests need less, benchmarks that much. */
const SHARED_BUFFERS = '16MB';

/**
 * The URL of a new, empty database on the server, or undefined when there is none. What the first
 * call says of the server's memory holds for all.
 */
export async function postgresTestUrl(
  options: { readonly sharedBuffers?: string } = {},
): Promise<string | undefined> {
  const binaries = postgresBinaries();
  if (binaries === undefined) return undefined;
  server ??= startServer(binaries, options.sharedBuffers);
  return (await createDatabase(await server)).url;
}

interface Server {
  readonly socketFolder: string;
  databases: number;
}

let server: Promise<Server> | undefined;
const folders: string[] = [];
let serverPid: number | undefined;

function removeAtExit(folder: string): void {
  if (folders.length === 0) {
    process.once('exit', () => {
      if (serverPid !== undefined) killServer(serverPid);
      for (const each of folders) removeFolder(each);
    });
  }
  folders.push(folder);
}

/** The server may still be making files while it stops, so a folder found not empty is tried again. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  } catch (error) {
    process.stderr.write(`A test folder is left behind: ${String(error)}\n`);
  }
}

function killServer(pid: number): void {
  try {
    // Immediate shutdown: nothing of it is kept.
    process.kill(pid, 'SIGQUIT');
  } catch {
    // It is gone already.
  }
}

function postgresBinaries(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const places = [...versions.map((version) => join(root, version, 'bin')), '/usr/local/bin'];
  return places.find(
    (place) => existsSync(join(place, 'postgres')) && existsSync(join(place, 'initdb')),
  );
}

/** PostgreSQL refuses to run as root: then everything of it runs as an ordinary account. */
function ordinaryAccount(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // Try the next name.
    }
  }
  throw new Error('No account "postgres" or "nobody" to run PostgreSQL as');
}

async function startServer(binaries: string, sharedBuffers = SHARED_BUFFERS): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-pg-'));
  removeAtExit(folder);
  const account = ordinaryAccount();
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  const as = { cwd: folder, ...(account ?? {}) };
  const initial = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'];
  execFileSync(join(binaries, 'initdb'), [...initial, '--locale=C', '--no-instructions'], {
    ...as,
    stdio: 'pipe',
  });
  const settings = [
    'fsync=off',
    'full_page_writes=off',
    'max_connections=60',
    `shared_buffers=${sharedBuffers}`,
  ];
  const child = spawn(
    join(binaries, 'postgres'),
    [
      '-D',
      data,
      '-k',
      folder,
      '-c',
      'listen_addresses=',
      ...settings.flatMap((one) => ['-c', one]),
    ],
    { ...as, stdio: 'ignore' },
  );
  serverPid = child.pid;
  child.unref();
  await untilReady(folder);
  return { socketFolder: folder, databases: 0 };
}

async function untilReady(socketFolder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await onServer(socketFolder, 'select 1');
      return;
    } catch (error) {
      if (attempt >= 200) throw error;
      await wait(50);
    }
  }
}

async function createDatabase(on: Server): Promise<{ readonly url: string }> {
  const name = `test_${++on.databases}`;
  await onServer(on.socketFolder, `create database ${name} template template0 strategy file_copy`);
  return { url: urlOf(on.socketFolder, name) };
}

async function onServer(socketFolder: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(socketFolder, 'postgres') });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function urlOf(socketFolder: string, database: string): string {
  return `postgres://postgres@/${database}?host=${encodeURIComponent(socketFolder)}`;
}
