// What a process uses, as the kernel counts it, so that a server is measured from outside. Linux only.

import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of all its threads that run now, since their start, µs. Exact to the nanosecond. */
export function cpuMicrosOf(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const spent = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1');
    nanoseconds += Number(spent.slice(0, spent.indexOf(' ')));
  }
  return nanoseconds / 1000;
}

/** Resident memory in bytes. */
export function residentBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
