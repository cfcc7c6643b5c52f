// Where the main thread is, looked at for half a second: the functions that were found running, with the
// way to each. A server that hangs or burns a core shows it here.

import { Session } from 'node:inspector/promises';
import { type Clock, sleep } from '#base/clock.ts';
import type { Item } from '#cli/command.ts';

const SAMPLE_MS = 500;
const INTERVAL_MICROSECONDS = 1000;
const STACKS_MAX = 20;
const FRAMES_MAX = 12;

export async function stackSamples(clock: Clock, signal: AbortSignal): Promise<Item> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS });
    await session.post('Profiler.start');
    await sleep(clock, SAMPLE_MS, signal);
    const { profile } = await session.post('Profiler.stop');
    return { sampleMs: SAMPLE_MS, stacks: busiest(profile.nodes) };
  } finally {
    session.disconnect();
  }
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly hitCount?: number | undefined;
  readonly children?: readonly number[] | undefined;
}

/** Those found most often, each from the innermost call outwards. */
function busiest(nodes: readonly ProfileNode[]): Item[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map<number, number>();
  for (const { id, children = [] } of nodes) for (const child of children) callers.set(child, id);
  return nodes
    .filter(({ hitCount = 0 }) => hitCount > 0)
    .sort((a, b) => (b.hitCount ?? 0) - (a.hitCount ?? 0))
    .slice(0, STACKS_MAX)
    .map((node) => {
      const frames: string[] = [];
      let at: ProfileNode | undefined = node;
      while (at !== undefined && frames.length < FRAMES_MAX) {
        frames.push(frameText(at));
        at = byId.get(callers.get(at.id) ?? -1);
      }
      return { found: node.hitCount ?? 0, frames };
    });
}

function frameText({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = /(?:src|dist|node_modules)\/.+$/.exec(url)?.[0] ?? url;
  return `${functionName === '' ? 'anonymous' : functionName} ${file}:${lineNumber + 1}`.trim();
}
