// Announces of the demo's clients: plain HTTP to the tracker, as any client does it.

import { decodeBencode } from '#wire/bencode.ts';

export interface DemoAnnounce {
  /** With the member's passkey. */
  readonly url: string;
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  readonly port: number;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
  readonly event: '' | 'started' | 'completed' | 'stopped';
}

export interface DemoAnswer {
  readonly intervalMs: number;
  /** IPv4 peers. */
  readonly peers: readonly { readonly host: string; readonly port: number }[];
}

const ANSWER_MS_MAX = 5000;
const PEERS_WANTED = 20;

/** Undefined when the tracker refused or did not answer. */
export async function announce(asked: DemoAnnounce): Promise<DemoAnswer | undefined> {
  const { uploaded, downloaded, left, port, event } = asked;
  const query = [
    `info_hash=${percent(asked.infoHash)}`,
    `peer_id=${percent(asked.peerId)}`,
    `port=${port}&uploaded=${uploaded}&downloaded=${downloaded}&left=${left}`,
    `compact=1&numwant=${event === 'stopped' ? 0 : PEERS_WANTED}`,
    ...(event === '' ? [] : [`event=${event}`]),
  ].join('&');
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const response = await fetch(`${asked.url}?${query}`, { signal });
    return readAnswer(new Uint8Array(await response.arrayBuffer()));
  } catch {
    // The tracker is going down, or busy; the client tries again at its next turn.
    return undefined;
  }
}

function percent(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').replace(/../g, '%$&');
}

function readAnswer(bytes: Uint8Array): DemoAnswer | undefined {
  const decoded = decodeBencode(bytes);
  if (!decoded.ok || decoded.node.kind !== 'dict') return undefined;
  const { entries } = decoded.node;
  const interval = entries.get('interval');
  const compact = entries.get('peers');
  if (interval?.kind !== 'integer' || compact?.kind !== 'bytes') return undefined;
  const view = Buffer.from(compact.value);
  const peers = Array.from({ length: Math.floor(view.length / 6) }, (_, at) => ({
    host: [...view.subarray(at * 6, at * 6 + 4)].join('.'),
    port: view.readUInt16BE(at * 6 + 4),
  }));
  return { intervalMs: Number(interval.value) * 1000, peers };
}
