// The machine since it started, as Linux tells it.

import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { BootClock } from '#store/gc/clock-jumps.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

/** Undefined where one start of the machine cannot be told from another. */
export function machineBoot(): BootClock | undefined {
  try {
    const id = readFileSync(BOOT_ID_FILE, 'utf8').trim();
    return id === '' ? undefined : { id, uptimeMs: () => uptime() * 1000 };
  } catch {
    return undefined;
  }
}
