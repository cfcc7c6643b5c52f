// How long `serve` takes until its site answers, which is last, and how much memory it has then: on a
// fresh data folder and on one that has been used. The aim is 3 s and 250 MB.
// By itself: node -C swarmkeep-src bench/start.ts

import { TestServer } from '#tools/e2e/server.ts';
import { cpuMicrosOf, residentBytesOf } from './server-use.ts';

const STARTS = 5;

/** Prints the median of five starts on each kind of folder. */
export async function run(): Promise<void> {
  const fresh: Start[] = [];
  const used: Start[] = [];
  for (let count = 0; count < STARTS; count++) {
    const server = await TestServer.prepare();
    try {
      fresh.push(await measure(server));
      await server.end('SIGTERM');
      used.push(await measure(server));
    } finally {
      await server.remove();
    }
  }
  print('fresh data folder', fresh);
  print('used data folder', used);
}

interface Start {
  readonly ms: number;
  readonly cpuMs: number;
  readonly residentBytes: number;
}

async function measure(server: TestServer): Promise<Start> {
  const sinceMs = performance.now();
  await server.start();
  return {
    ms: performance.now() - sinceMs,
    cpuMs: cpuMicrosOf(server.pid) / 1000,
    residentBytes: residentBytesOf(server.pid),
  };
}

function print(what: string, starts: readonly Start[]): void {
  const ms = median(starts.map((it) => it.ms));
  const cpuMs = median(starts.map((it) => it.cpuMs));
  const megabytes = median(starts.map((it) => it.residentBytes)) / 1e6;
  const shown = `${Math.round(ms)} ms, ${Math.round(cpuMs)} ms of CPU, ${megabytes.toFixed(0)} MB`;
  process.stdout.write(`start: ${what}: ${shown} resident\n`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

if (import.meta.main) await run();
