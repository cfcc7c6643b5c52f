// For tests: runs a body on SQLite and on a real PostgreSQL server, each test on a database of its
// own. The server is Debian's, started once for a test process in a temporary folder, reached by a
// UNIX socket only, and stopped with the process. Without its binaries those tests are skipped, and
// the reason is printed.

import { type ExecFileSyncOptions, execFileSync, spawn } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { SimClock } from '#sim/clock.ts';
import { migrate } from './migrate.ts';
import { type OpenSql, openSql } from './open.ts';
import type { Migration, Sql } from './sql.ts';

export interface OpenTest extends Partial<OpenSql> {
  /** These were applied to it. A process applies them once, and copies what came of it. */
  readonly migrations?: readonly Migration[];
}

/** Opens a new database, empty but for its migrations; the caller closes it. */
export type OpenTestSql = (options?: OpenTest) => Promise<Sql>;

/** Those that have the migrations they were asked to be opened with. */
const migrated = new WeakSet<Sql>();

/**
 * A new database with `migrations` applied, of any opener: one that does not know how to copy has them
 * applied now. Takes a tenth of the time that the migrations of the whole site do.
 */
export async function openMigrated(
  open: OpenTestSql,
  migrations: readonly Migration[],
): Promise<Sql> {
  const sql = await open({ migrations });
  if (!migrated.has(sql)) await migrate(sql, migrations, { clock: new SimClock() });
  return sql;
}

/** Calls `body` once for each kind of database, to declare its tests. */
export function forEachDatabase(body: (name: string, open: OpenTestSql) => void): void {
  body('sqlite', openTestSqlite);
  const binaries = postgresBinaries();
  if (binaries === undefined) {
    process.stderr.write('PostgreSQL tests are skipped: no postgres and initdb were found\n');
    return;
  }
  body('postgres', async ({ migrations, ...options } = {}) => {
    server ??= startServer(binaries);
    const on = await server;
    const template = migrations === undefined ? EMPTY : await postgresTemplate(on, migrations);
    const { url } = await createDatabase(on, template);
    const sql = await openSql({ folder: '', ...options, url });
    if (migrations !== undefined) migrated.add(sql);
    return sql;
  });
}

export const openTestSqlite: OpenTestSql = async ({ migrations, ...options } = {}) => {
  const folder = newFolder();
  if (migrations !== undefined) {
    cpSync(await sqliteTemplate(migrations), folder, { recursive: true });
  }
  const sql = await openSql({ threads: false, ...options, url: '', folder });
  if (migrations !== undefined) migrated.add(sql);
  return sql;
};

/** What tests copy: for SQLite a folder, for PostgreSQL the name of a database; by its migrations. */
const templates = new Map<string, Promise<string>>();

function templateOf(
  kind: string,
  migrations: readonly Migration[],
  make: () => Promise<string>,
): Promise<string> {
  const key = `${kind} ${migrations.map((migration) => migration.name).join(' ')}`;
  const known = templates.get(key);
  if (known !== undefined) return known;
  const making = make();
  templates.set(key, making);
  return making;
}

function sqliteTemplate(migrations: readonly Migration[]): Promise<string> {
  return templateOf('sqlite', migrations, async () => {
    const folder = newFolder();
    await migrateAndClose(await openSql({ threads: false, url: '', folder }), migrations);
    return folder;
  });
}

function postgresTemplate(on: Server, migrations: readonly Migration[]): Promise<string> {
  return templateOf('postgres', migrations, async () => {
    const { name, url } = await createDatabase(on, EMPTY);
    await migrateAndClose(await openSql({ folder: '', url }), migrations);
    return name;
  });
}

async function migrateAndClose(sql: Sql, migrations: readonly Migration[]): Promise<void> {
  try {
    await migrate(sql, migrations, { clock: new SimClock() });
  } finally {
    await sql.close();
  }
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-sql-'));
  removeAtExit(folder);
  return folder;
}

/** PostgreSQL's own database without anything in it. */
const EMPTY = 'template0';
/** The server needs a moment to see that the last user of a database is gone. */
const COPY_TRIES_MAX = 3000;

/** PostgreSQL takes 128 MB by itself; tests need less, benchmarks that much. */
const SHARED_BUFFERS = '16MB';

interface ServerOptions {
  /** As PostgreSQL reads it. */
  readonly sharedBuffers?: string;
  /** A folder that stays when the process ends, with one database that is found again. */
  readonly keptFolder?: string;
}

/**
 * The URL of a new, empty database on the server, or undefined when there is none. What the first
 * call says of the server holds for all.
 */
export async function postgresTestUrl(options: ServerOptions = {}): Promise<string | undefined> {
  const binaries = postgresBinaries();
  if (binaries === undefined) return undefined;
  server ??= startServer(binaries, options);
  return (await createDatabase(await server, EMPTY, options.keptFolder !== undefined)).url;
}

interface Server {
  readonly socketFolder: string;
  databases: number;
}

let server: Promise<Server> | undefined;
const folders: string[] = [];
let serverPid: number | undefined;
let isServerKept = false;

function removeAtExit(folder: string): void {
  if (folders.length === 0) {
    process.once('exit', () => {
      if (serverPid !== undefined) killServer(serverPid, isServerKept);
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

function killServer(pid: number, isKept: boolean): void {
  try {
    // Immediate shutdown where nothing of it is kept.
    process.kill(pid, isKept ? 'SIGINT' : 'SIGQUIT');
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

async function startServer(binaries: string, options: ServerOptions = {}): Promise<Server> {
  const { sharedBuffers = SHARED_BUFFERS, keptFolder } = options;
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-pg-'));
  removeAtExit(folder);
  const account = ordinaryAccount();
  const data = join(keptFolder ?? folder, 'data');
  if (account !== undefined) {
    for (const one of [folder, keptFolder ?? folder]) chownSync(one, account.uid, account.gid);
  }
  const as = { cwd: folder, ...(account ?? {}) };
  isServerKept = keptFolder !== undefined;
  const shared = process.env[SHARED_CLUSTER];
  if (existsSync(data)) await untilStopped(data);
  // By the program that keeps owner and rights of what it copies.
  else if (shared !== undefined) execFileSync('cp', ['-a', shared, data]);
  else initialize(binaries, data, as);
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

const SHARED_CLUSTER = 'SWARMKEEP_TEST_POSTGRES';

/**
 * A cluster that the test processes to come copy, instead of making one each for a second of CPU: what to
 * add to their environment. Removed with this process.
 */
export function shareCluster(): Readonly<Record<string, string>> {
  const binaries = postgresBinaries();
  if (binaries === undefined) return {};
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-pg-'));
  removeAtExit(folder);
  const account = ordinaryAccount();
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  initialize(binaries, data, { cwd: folder, ...(account ?? {}) });
  return { [SHARED_CLUSTER]: data };
}

function initialize(binaries: string, data: string, as: ExecFileSyncOptions): void {
  const initial = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'];
  execFileSync(join(binaries, 'initdb'), [...initial, '--locale=C', '--no-instructions'], {
    ...as,
    stdio: 'pipe',
  });
}

/** The process before may still be writing down what it has. */
async function untilStopped(data: string): Promise<void> {
  for (let attempt = 0; existsSync(join(data, 'postmaster.pid')) && attempt < 1200; attempt++) {
    await wait(50);
  }
}

async function untilReady(socketFolder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await onServer(socketFolder, 'select 1');
      return;
    } catch (error) {
      if (attempt >= 1200) throw error;
      await wait(50);
    }
  }
}

async function createDatabase(
  on: Server,
  template: string,
  isKept = false,
): Promise<{ readonly name: string; readonly url: string }> {
  const name = `test_${++on.databases}`;
  const statement = `create database ${name} template ${template} strategy file_copy`;
  for (let attempt = 1; ; attempt++) {
    try {
      await onServer(on.socketFolder, statement);
      return { name, url: urlOf(on.socketFolder, name) };
    } catch (error) {
      const isThere = error instanceof pg.DatabaseError && error.code === '42P04';
      if (isThere && isKept) return { name, url: urlOf(on.socketFolder, name) };
      const isInUse = error instanceof pg.DatabaseError && error.code === '55006';
      if (!isInUse || attempt === COPY_TRIES_MAX) throw error;
      await wait(20);
    }
  }
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
