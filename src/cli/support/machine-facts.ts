// The machine and this process, as whoever helps an operator asks for them first. Nothing here names the
// machine, its user or its network.

import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, loadavg, release, totalmem, uptime } from 'node:os';
import type { Item } from '#cli/command.ts';
import { VERSION } from '#cli/version.ts';

export function versionFacts(): Item {
  const { node, v8, uv, openssl, sqlite = 'unknown', zlib } = process.versions;
  return { swarmkeep: VERSION, node, v8, uv, openssl, sqlite, zlib };
}

/** `dataPath` says which disk is meant. */
export async function machineFacts(dataPath: string): Promise<Item> {
  return {
    platform: process.platform,
    release: release(),
    architecture: process.arch,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    cpusUsable: availableParallelism(),
    memoryBytes: totalmem(),
    memoryFreeBytes: freemem(),
    memoryBytesMax: memoryBytesMax(),
    load: loadavg().map((load) => Math.round(load * 100) / 100),
    uptimeSeconds: Math.round(uptime()),
    disk: await diskFacts(dataPath),
  };
}

/** Of the control group; all there is where none says less. */
function memoryBytesMax(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

async function diskFacts(path: string): Promise<Item> {
  try {
    const { bsize, blocks, bavail, files, ffree, type } = await statfs(path);
    const bytes = { bytes: bsize * blocks, freeBytes: bsize * bavail };
    return { type: `0x${type.toString(16)}`, ...bytes, files, filesFree: ffree };
  } catch {
    return { missing: true };
  }
}

/** Of the process that runs this: the server, when there is one. */
export function processFacts(): Item {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const { userCPUTime, systemCPUTime, majorPageFault, fsRead, fsWrite } = process.resourceUsage();
  const resources = Object.entries(Object.groupBy(process.getActiveResourcesInfo(), (one) => one));
  return {
    uptimeSeconds: Math.round(process.uptime()),
    memory: { rss, heapTotal, heapUsed, external, arrayBuffers },
    cpuMs: { user: Math.round(userCPUTime / 1000), system: Math.round(systemCPUTime / 1000) },
    majorPageFaults: majorPageFault,
    diskReads: fsRead,
    diskWrites: fsWrite,
    active: Object.fromEntries(resources.map(([kind, all]) => [kind, all?.length ?? 0])),
    limits: limits(),
  };
}

/** As the kernel has them; nothing where there is no /proc. */
function limits(): Item {
  try {
    const text = readFileSync('/proc/self/limits', 'utf8');
    const rows = [...text.matchAll(/^Max ([a-z ]+?) {2,}(\S+) +(\S+)/gm)];
    return Object.fromEntries(rows.map(([, name = '', soft = '']) => [name, soft]));
  } catch {
    return {};
  }
}
