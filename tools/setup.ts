// Brings the real programs that end-to-end tests use: BitTorrent clients, PostgreSQL, Chromium. On
// Debian and as root, what is missing is installed, and no service is started. Elsewhere the tests
// that need a missing program skip themselves, and this says which and why.

import { existsSync, globSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { swiftMissing } from '#store/s3/test-swift.ts';
import { runProgram, secondsText } from './child-process.ts';

interface Part {
  readonly debianPackage: string;
  readonly what: string;
  readonly isThere: () => Promise<boolean> | boolean;
}

const PARTS: readonly Part[] = [
  {
    debianPackage: 'transmission-daemon',
    what: 'end-to-end with Transmission',
    isThere: () => hasProgram('transmission-daemon'),
  },
  {
    debianPackage: 'transmission-cli',
    what: 'end-to-end with Transmission',
    isThere: () => hasProgram('transmission-remote'),
  },
  { debianPackage: 'aria2', what: 'end-to-end with aria2', isThere: () => hasProgram('aria2c') },
  {
    debianPackage: 'qbittorrent-nox',
    what: 'end-to-end with qBittorrent',
    isThere: () => hasProgram('qbittorrent-nox'),
  },
  {
    debianPackage: 'python3-libtorrent',
    what: 'end-to-end with libtorrent, metainfo compared with libtorrent',
    isThere: async () => {
      // Debian's own Python, the one that its packages are for; another may come first in PATH.
      const { exitCode } = await runProgram('/usr/bin/python3', ['-c', 'import libtorrent']);
      return exitCode === 0;
    },
  },
  {
    debianPackage: 'postgresql',
    what: 'everything that runs on PostgreSQL too',
    isThere: () => globSync('/usr/lib/postgresql/*/bin/initdb').length > 0 || hasProgram('initdb'),
  },
  {
    // The library alone: no service comes with it.
    debianPackage: 'python3-swift',
    what: 'the S3 store on a real service',
    isThere: () => swiftMissing() === undefined,
  },
  { debianPackage: 'chromium', what: 'pages in a browser', isThere: () => hasProgram('chromium') },
  { debianPackage: 'ffmpeg', what: 'previews', isThere: () => hasProgram('ffmpeg') },
  { debianPackage: 'litmus', what: 'checks of WebDAV', isThere: () => hasProgram('litmus') },
  { debianPackage: 'rclone', what: 'copies over WebDAV', isThere: () => hasProgram('rclone') },
  { debianPackage: 'fuse3', what: 'WebDAV as a disk', isThere: () => hasProgram('fusermount3') },
  {
    debianPackage: 'nginx',
    what: 'WebSocket through a reverse proxy',
    isThere: () => existsSync('/usr/sbin/nginx'),
  },
  {
    debianPackage: 'iproute2',
    what: 'end-to-end with BitTorrent clients',
    isThere: () => hasProgram('ip'),
  },
  {
    debianPackage: 'procps',
    what: 'end-to-end with BitTorrent clients',
    isThere: () => hasProgram('ps'),
  },
];

const POLICY_PATH = '/usr/sbin/policy-rc.d';
const POLICY_MARK = '# Made by the test set-up of Swarmkeep for the time of an installation.';
const POLICY = `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`;

/** Never fails: what cannot be had is said, and its tests skip. */
export async function setUp(say: (line: string) => void): Promise<void> {
  let missing = await missingParts();
  if (missing.length > 0) {
    const refusal = whyNotInstall();
    if (refusal === undefined) {
      await install(missing, say);
      missing = await missingParts();
    }
    const reason = refusal ?? 'apt-get did not bring it';
    for (const part of missing) say(`left out: ${part.what} (no ${part.debianPackage}: ${reason})`);
  }
  const namespace = await runProgram('unshare', ['-Urn', 'true']);
  if (namespace.exitCode !== 0) {
    say('left out: end-to-end with BitTorrent clients (`unshare -Urn` is refused here)');
  }
  const addon = findOrBuildAddon();
  if ('why' in addon) say(`left out: batched sockets (${addon.why})`);
}

async function missingParts(): Promise<Part[]> {
  const found = await Promise.all(PARTS.map(async (part) => await part.isThere()));
  return PARTS.filter((_, at) => !found[at]);
}

function whyNotInstall(): string | undefined {
  if (!hasProgram('apt-get')) return 'this system has no apt-get';
  if (process.getuid?.() !== 0) return 'only root can install it';
  return undefined;
}

function hasProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && existsSync(`${folder}/${name}`));
}

async function install(parts: readonly Part[], say: (line: string) => void): Promise<void> {
  const packages = parts.map((part) => part.debianPackage);
  say(`installing Debian packages: ${packages.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const waitForLock = ['-o', 'DPkg::Lock::Timeout=300'];
  const forbidden = forbidServices();
  try {
    const update = await runProgram('apt-get', [...waitForLock, 'update', '-qq'], { env });
    if (update.exitCode !== 0) say(`apt-get update failed:\n${lastLines(update.output)}`);
    const args = [...waitForLock, 'install', '-y', '-qq', '--no-install-recommends', ...packages];
    const installed = await runProgram('apt-get', args, { env });
    if (installed.exitCode !== 0) say(`apt-get install failed:\n${lastLines(installed.output)}`);
    else say(`installed in ${secondsText(update.ms + installed.ms)}`);
  } finally {
    forbidden.lift();
  }
}

/** Debian asks policy-rc.d before a package starts its service; 101 means "no". */
function forbidServices(): { lift(): void } {
  const before = existsSync(POLICY_PATH)
    ? { text: readFileSync(POLICY_PATH, 'utf8'), mode: statSync(POLICY_PATH).mode }
    : undefined;
  const lift = (): void => {
    process.off('SIGINT', liftAndEnd);
    process.off('SIGTERM', liftAndEnd);
    rmSync(POLICY_PATH, { force: true });
    // Our own one can only be here because an earlier run was killed: it is not put back.
    if (before === undefined || before.text.includes(POLICY_MARK)) return;
    writeFileSync(POLICY_PATH, before.text, { mode: before.mode });
  };
  const liftAndEnd = (): void => {
    lift();
    process.exit(1);
  };
  process.once('SIGINT', liftAndEnd);
  process.once('SIGTERM', liftAndEnd);
  rmSync(POLICY_PATH, { force: true });
  writeFileSync(POLICY_PATH, POLICY, { mode: 0o755 });
  return { lift };
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-8).join('\n');
}
