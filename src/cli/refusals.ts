// A room's refusal as an error of the command line.

import { Refusal } from '#site/refusal.ts';
import { CliError } from './errors.ts';

/** The value, or the refusal thrown. @throws CliError CLI_REFUSED, CLI_NOT_FOUND */
export function accepted<Value>(result: Value | Refusal): Value {
  if (!(result instanceof Refusal)) return result;
  const code = result.code.endsWith('-unknown') ? 'CLI_NOT_FOUND' : 'CLI_REFUSED';
  throw new CliError(code, result.message);
}
