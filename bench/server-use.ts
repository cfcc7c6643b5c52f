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

/** The same of a process and all that it started and that run now. */
export function cpuMicrosOfTree(pid: number): number {
  let micros = cpuMicrosOf(pid);
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim();
    for (const child of children === '' ? [] : children.split(' ')) {
      micros += cpuMicrosOfTree(Number(child));
    }
  }
  return micros;
}

/** The same by the names of its threads; threads of one name are one sum. */
export function cpuMicrosByThread(pid: number): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const name = readFileSync(`/proc/${pid}/task/${task}/comm`, 'latin1').trim();
    const spent = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1');
    const micros = Number(spent.slice(0, spent.indexOf(' '))) / 1000;
    all.set(name, (all.get(name) ?? 0) + micros);
  }
  return all;
}

/** Resident memory in bytes. */
export function residentBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** CPU time of the children of this process that have ended, µs. Exact to 10 ms. */
export function endedChildrenMicros(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const words = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 16 and 17 of the file, in ticks of 10 ms; the first of `words` is field 3.
  return (Number(words[13]) + Number(words[14])) * 10_000;
}

/** Bytes that a process has sent towards its disk. */
export function writtenBytesOf(pid: number): number {
  const counted = readFileSync(`/proc/${pid}/io`, 'latin1');
  return Number(/^write_bytes: (\d+)$/m.exec(counted)?.[1] ?? 0);
}
