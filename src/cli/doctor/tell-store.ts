// A store that is away or damaged keeps nobody from announcing, but is told when the server starts.

import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Rooms } from '#cli/rooms.ts';
import { storeFindings } from './store-checks.ts';

/** At a start; `doctor` looks at more. */
const ROOTS_LOOKED_AT = 1000;

/** Never rejects. */
export async function tellStore(
  parts: Pick<Rooms, 'store' | 'care'>,
  to: { readonly logger: Logger; readonly say: (line: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const { logger, say } = to;
  const look = { signal, isEnough: (seen: number) => seen >= ROOTS_LOOKED_AT };
  try {
    for (const { what, advice } of await storeFindings(parts, look)) {
      logger.for('store').error(what, { advice });
      say(`store: ${what} ${advice}`);
    }
  } catch (error) {
    if (signal.aborted) return;
    logger.for('store').error('The store cannot be used', { error: messageOf(error) });
    say(`store: it cannot be used: ${messageOf(error)} [${codeOf(error) ?? ''}]`);
  }
}
