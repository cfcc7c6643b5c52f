// The delete hook as a command (`log.deleteHook`): run with the segment's path, which names its topic and
// first offset, as its last argument; what it prints goes to the server's log.

import { spawn } from 'node:child_process';
import type { Logger } from '#base/logger.ts';
import type { LogConfig } from '#log/config.ts';
import type { DeletedSegment, DeleteHook } from '#log/topic/delete-hook.ts';

/** Of what it prints, as much as helps. */
const OUTPUT_BYTES_MAX = 8192;

/** Undefined when none is configured. */
export function deleteHookOf(config: LogConfig, logger: Logger): DeleteHook | undefined {
  const [command, ...args] = config.deleteHook;
  if (command === undefined) return undefined;
  return {
    run: (segment, signal) => runHook({ command, args, config, logger }, segment, signal),
  };
}

function runHook(
  hook: {
    readonly command: string;
    readonly args: readonly string[];
    readonly config: LogConfig;
    readonly logger: Logger;
  },
  { topic, path, firstOffset }: DeletedSegment,
  signal: AbortSignal,
): Promise<void> {
  const { command, args, config, logger } = hook;
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args, path], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.any([signal, AbortSignal.timeout(config.deleteHookMsMax)]),
      killSignal: 'SIGKILL',
    });
    let output = '';
    const keep = (piece: Buffer): void => {
      if (output.length < OUTPUT_BYTES_MAX) output += piece.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('exit', (_code, killedBy) => {
      if (killedBy === null) return;
      // What it started may live on and hold the pipes; nobody waits for that.
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on('close', (code, killedBy) => {
      const said = output.slice(0, OUTPUT_BYTES_MAX).trim();
      if (said !== '') logger.info('A delete hook said', { topic, firstOffset, said });
      if (code === 0) resolve();
      else reject(new Error(`it ended with ${killedBy ?? `exit code ${code}`}`));
    });
  });
}
