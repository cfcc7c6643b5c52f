// The public entry of the store's client library, for programs outside of this one: the real clock,
// randomness and sockets joined to a RemoteStore. docs/store-client.md shows its uses. `swarmkeep/store`
// is this file, `swarmkeep/store/errors` is errors.ts. What they export keeps its meaning within a
// major version.

import { SystemClock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import { SystemRandom } from '#base/random.ts';
import { dialNode } from '#net/stream-node.ts';
import { StoreError } from '#store/errors.ts';
import { FramedMessages } from '#store/upload/framed-messages.ts';
import type { MessageStream } from '#store/upload/message-stream.ts';
import { RemoteStore, type RemoteStoreOptions } from './remote-store.ts';
import { type PlatformSocket, WebSocketMessages } from './web-socket-messages.ts';

/** Of this library; the protocol's version is in what the server tells. */
export const STORE_CLIENT_VERSION = '1.0.0';

/** Where a site answers the store's WebSocket. */
export const STORE_SOCKET_PATH = '/api/store/socket';

export interface ConnectStoreOptions
  extends Partial<Omit<RemoteStoreOptions, 'dial' | 'clock' | 'random'>> {
  /** The site's address, `https://swarm.example.org`, or `unix:/data/store.sock`. */
  readonly url: string;
  /** A token that `store-token add` made; a UNIX socket needs none. */
  readonly token?: string;
  readonly signal?: AbortSignal;
}

const DEFAULTS = {
  giveUpMs: 30_000,
  connectMs: 10_000,
  backoffMsMin: 50,
  backoffMsMax: 5_000,
  pin: false,
};

/**
 * Connects to a store server and proves that it answers.
 * @throws StoreError STORE_UNREACHABLE, STORE_DENIED, STORE_PROTOCOL; TypeError for a wrong URL
 */
export async function connectStore(options: ConnectStoreOptions): Promise<RemoteStore> {
  const { url, token, signal, ...rest } = options;
  const store = new RemoteStore({
    ...DEFAULTS,
    ...rest,
    clock: new SystemClock(),
    random: new SystemRandom(),
    dial: dialOf(url, token),
  });
  try {
    await store.ping({ signal });
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

function dialOf(url: string, token: string | undefined): RemoteStoreOptions['dial'] {
  if (url.startsWith('unix:')) {
    const path = url.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    return async (signal) => new FramedMessages(await dialUnix(path, signal));
  }
  const isHttp = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (!isHttp) {
    throw new TypeError(`Cannot connect to "${url}": expected https://host or unix:/path`);
  }
  const address = new URL(`.${STORE_SOCKET_PATH}`, `${url.replace(/\/+$/, '')}/`);
  return (signal) => dialWeb(address, token, signal);
}

async function dialUnix(path: string, signal: AbortSignal) {
  try {
    return await dialNode({ kind: 'unix', path }, signal);
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new StoreError('STORE_UNREACHABLE', `Cannot reach unix:${path}`, { cause });
  }
}

/** Asks for the answer in HTTP first when a WebSocket fails: only there a refusal has words. */
async function dialWeb(
  address: URL,
  token: string | undefined,
  signal: AbortSignal,
): Promise<MessageStream> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const refusal = await fetch(address, { headers, signal }).catch((cause: unknown) => {
    const why = codeOf(cause instanceof Error ? cause.cause : undefined) ?? 'no answer';
    throw new StoreError('STORE_UNREACHABLE', `Cannot reach ${address.origin}: ${why}`, { cause });
  });
  // Whoever may open a WebSocket is told to do so.
  await refusal.body?.cancel();
  if (refusal.status === 401 || refusal.status === 403) {
    throw new StoreError('STORE_DENIED', `${address.origin} does not let this token use its store`);
  }
  if (refusal.status === 503) {
    throw new StoreError('STORE_BUSY', `${address.origin} has no place for one more connection`);
  }
  if (refusal.status !== 426) {
    throw new StoreError(
      'STORE_PROTOCOL',
      `${address.href} answers ${refusal.status}, expected a store (426)`,
    );
  }
  const url = address.href.replace(/^http/, 'ws');
  const Socket = WebSocket as unknown as new (
    url: string,
    options: { readonly headers: Readonly<Record<string, string>> },
  ) => PlatformSocket;
  return new WebSocketMessages(new Socket(url, { headers }));
}
