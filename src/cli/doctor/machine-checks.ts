// The machine that the server runs on: its clock, its disk, what a process may open, and who may read
// what is secret.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rooms } from '#cli/rooms.ts';
import type { Check, Found } from './finding.ts';

/** Before the first version there was, no server ran. */
const CLOCK_MS_MIN = Date.UTC(2026, 0, 1);
/** A record of the log may be younger than the clock's last step by so much. */
const CLOCK_BACK_MS_MAX = 60_000;
const FREE_BYTES_MIN = 1024 * 1024 * 1024;
const FREE_PERCENT_MIN = 5;
/** Segments, sockets of the site and of the tracker, SQLite's files. */
const OPEN_FILES_SPARE = 512;

export const clock: Check = {
  name: 'clock',
  async run(rooms) {
    const nowMs = rooms.clock.nowMs();
    if (nowMs < CLOCK_MS_MIN) {
      return [
        {
          what: `The clock of this machine says ${new Date(nowMs).toISOString()}.`,
          advice: 'Set it, best by NTP: sessions, certificates and S3 depend on it.',
        },
      ];
    }
    const newestMs = await newestRecordMs(rooms);
    if (newestMs - nowMs > CLOCK_BACK_MS_MAX) {
      return [
        {
          what: `The newest record of the log is ${Math.round((newestMs - nowMs) / 1000)} s in the future.`,
          advice: 'The clock was set back, or was wrong before. Set it, best by NTP.',
        },
      ];
    }
    return isSynchronised()
      ? []
      : [
          {
            what: 'The clock of this machine is not kept by NTP.',
            advice: 'Start a time service: systemctl enable --now systemd-timesyncd, or chrony.',
          },
        ];
  },
};

async function newestRecordMs({ log }: Rooms): Promise<number> {
  let newestMs = 0;
  for (const { name, firstOffset, durableOffset } of await log.topics()) {
    if (durableOffset === firstOffset) continue;
    const { records } = await log.read(name, { from: durableOffset - 1 });
    newestMs = Math.max(newestMs, records.at(-1)?.timeMs ?? 0);
  }
  return newestMs;
}

/** What systemd knows; where it is not, nobody can be asked. */
function isSynchronised(): boolean {
  if (!existsSync('/run/systemd/system')) return true;
  try {
    const said = execFileSync('timedatectl', ['show', '-p', 'NTPSynchronized'], {
      ...{ encoding: 'utf8', timeout: 3000 },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return !/=no/.test(said);
  } catch {
    return true;
  }
}

export const disk: Check = {
  name: 'disk',
  async run({ dataPath }) {
    const { bavail, blocks, bsize, ffree, files: inodes } = await statfs(dataPath);
    const free = bavail * bsize;
    const findings: Found[] = [];
    const percent = Math.floor((bavail * 100) / Math.max(1, blocks));
    if (free < FREE_BYTES_MIN || percent < FREE_PERCENT_MIN) {
      findings.push({
        what: `The disk of the data folder has ${Math.floor(free / 1024 / 1024)} MiB free, ${percent} %.`,
        advice:
          'Make room. When it is full nothing is lost, but sign-ups and uploads are refused. `store compact` and log.transfersAgeMsMax give space back.',
      });
    }
    // Some file systems have no count of them.
    if (inodes > 0 && (ffree * 100) / inodes < FREE_PERCENT_MIN) {
      findings.push({
        what: `The disk of the data folder has room for ${ffree} more files.`,
        advice: 'Remove small files, or move the data folder; a `directory` store has many.',
      });
    }
    return findings;
  },
};

export const openFiles: Check = {
  name: 'open files',
  async run({ config }) {
    const limit = openFilesMax();
    const { log, tracker } = config;
    const doors = tracker.httpConnectionsMax + tracker.webSocketConnectionsMax;
    const wanted = log.openFilesMax + doors + OPEN_FILES_SPARE;
    if (limit === undefined || limit >= wanted) return [];
    return [
      {
        what: `A process may have ${limit} files open, and the settings let the server have ${wanted}.`,
        advice: `Raise it (LimitNOFILE=${wanted} in the service, or ulimit -n), or lower tracker.httpConnectionsMax and tracker.webSocketConnectionsMax.`,
      },
    ];
  },
};

/** Of this process, which in a running server is the server. */
function openFilesMax(): number | undefined {
  try {
    const line = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return line?.[1] === undefined || line[1] === 'unlimited' ? undefined : Number(line[1]);
  } catch {
    // Not a Linux.
    return undefined;
  }
}

export const sockets: Check = {
  name: 'sockets',
  async run(rooms) {
    const status = await rooms.status();
    const isChosen = rooms.config.tracker.sockets === 'node';
    if (status === undefined || isChosen || !status.sockets.startsWith('sockets: node')) return [];
    return [
      {
        what: `Announces are served one by one (${status.sockets}).`,
        advice:
          'Install a C compiler (apt-get install gcc libc6-dev) and start again; or set tracker.sockets = "node" if it is meant.',
      },
    ];
  },
};

export const files: Check = {
  name: 'secret files',
  async run({ dataPath, config }) {
    const keys = join(dataPath, 'keys');
    const secrets = [
      ...(existsSync(keys) ? readdirSync(keys).map((name) => join(keys, name)) : []),
      ...[config.store.keyFile, config.s3.keyFile, config.site.tlsKeyFile],
      ...[config.tracker.tlsKeyFile],
    ];
    return secrets.flatMap((path) => (path === '' ? [] : rightsOf(path)));
  },
};

function rightsOf(path: string): Found[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    return [
      {
        what: `The file "${path}" is not there.`,
        advice: 'Bring it back from where its copy is kept, or name another one in the settings.',
      },
    ];
  }
  if ((found.mode & 0o077) === 0) return [];
  const mode = (found.mode & 0o777).toString(8);
  return [
    {
      what: `Others than its owner may use the secret file "${path}" (mode ${mode}).`,
      advice: `chmod 600 "${path}"`,
    },
  ];
}
