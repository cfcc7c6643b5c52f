// What the events of the log come to: which torrents are kept and which are wanted. An event about a torrent
// takes the place of the one before it; a `delete` takes back the ones it names.

import type { Log } from '#log/log.ts';
import type { EventBody } from './event.ts';
import { EventChain } from './event-chain.ts';

export interface Stand {
  readonly body: Extract<EventBody, { readonly kind: 'keep' | 'want' }>;
  readonly name: string;
  readonly offset: number;
}

export interface Stands {
  /** By info hash. */
  readonly stands: ReadonlyMap<string, Stand>;
  /** Info hashes whose last event took it back. */
  readonly gone: ReadonlySet<string>;
  readonly events: number;
  /** In force at the end; undefined without events. */
  readonly key: Uint8Array | undefined;
}

/** Events that must not be believed are left out, and told with every gap. @throws LogError */
export async function readStands(
  log: Pick<Log, 'read'>,
  options: { readonly signal?: AbortSignal; readonly onProblem: (problem: string) => void },
): Promise<Stands> {
  const chain = new EventChain(log);
  const stands = new Map<string, Stand>();
  const gone = new Set<string>();
  let events = 0;
  for await (const { offset, event, problem } of chain.read(options.signal)) {
    events += 1;
    if (problem !== undefined) options.onProblem(problem);
    if (event === undefined || event.body.kind === 'key') continue;
    const { body, name } = event;
    if (body.kind !== 'delete') {
      stands.set(body.torrent.infoHash, { body, name, offset });
      gone.delete(body.torrent.infoHash);
      continue;
    }
    const stand = stands.get(body.infoHash);
    if (stand !== undefined && !body.withdraws.includes(stand.name)) continue;
    stands.delete(body.infoHash);
    gone.add(body.infoHash);
  }
  return { stands, gone, events, key: chain.key };
}
