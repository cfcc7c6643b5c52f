// `swarmkeep demo`: a server with a small living community in it, for looking around. Without --data
// it lives in a temporary folder and is gone when it ends.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalCommand, Options } from '#cli/command.ts';
import type { RunningRooms } from '#cli/serve.ts';
import { serveUntilSignal } from './serve-command.ts';

/** What --data says when nobody gave it: the place of a real community. */
const DATA_DEFAULT = './data';

export const demo: LocalCommand = {
  name: 'demo',
  summary: 'Serve a small living community of invented members, to look around in.',
  example: 'swarmkeep demo',
  local: true,
  async runLocal(options, _input, output) {
    // Loaded only here: no other command needs a BitTorrent client.
    const { DEMO_OVERRIDES, runDemo } = await import('#cli/demo/demo-world.ts');
    const { accountsOf } = await import('#cli/site-parts.ts');
    const isTemporary = options.data === DATA_DEFAULT;
    const data = isTemporary ? mkdtempSync(join(tmpdir(), 'swarmkeep-demo-')) : options.data;
    const changed: Options = { ...options, data, set: [...DEMO_OVERRIDES, ...options.set] };
    const say = (line: string): void => output.item({ line });
    const fill = async ({ rooms, trackerUrls }: RunningRooms): Promise<Demo> => {
      const { sql, clock, config } = rooms;
      const changedRooms = (): void => rooms.changed();
      return await runDemo({
        clock,
        accounts: accountsOf(rooms),
        catalogue: { sql, clock, config: config.site, changed: changedRooms },
        trackerUrl: trackerUrls.find((url) => url.startsWith('http://127.')) ?? '',
        say,
      });
    };
    try {
      say(`demo: the data is in ${data}${isTemporary ? ' and is removed at the end' : ''}`);
      await serveUntilSignal(changed, output, fill);
    } finally {
      if (isTemporary) rmSync(data, { recursive: true, force: true });
    }
  },
  text: (item) => String(item['line']),
};

interface Demo {
  close(): Promise<void>;
}
