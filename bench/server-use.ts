// What a process uses, as the kernel counts it, so that a server is measured from outside. Linux only.

import { readFileSync } from 'node:fs';

/** Clock ticks of /proc per second; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time of all its threads since its start, µs, in steps of 10 ms. */
export function cpuMicrosOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name, in parentheses, may hold anything; the numbers follow the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS_PER_SECOND;
}

/** Resident memory in bytes. */
export function residentBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
