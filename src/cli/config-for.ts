// The settings of one run of the program.

import { join } from 'node:path';
import { loadConfig } from '#config/load.ts';
import type { Config } from '#config/schema.ts';
import type { Options } from './command.ts';

/** Settings from the file that the options name, or swarmkeep.toml in the data folder, and --set. */
export function configFor(options: Options): Config {
  const file =
    options.config === undefined
      ? { path: join(options.data, 'swarmkeep.toml'), required: false }
      : { path: options.config, required: true };
  const warn = (warning: string): void => void process.stderr.write(`swarmkeep: ${warning}\n`);
  return loadConfig({ file, overrides: options.set, warn });
}
