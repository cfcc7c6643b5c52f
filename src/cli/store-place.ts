// Where the store is that a command of `store` works on: a far server that --url names, the server that
// runs on the data folder, by its UNIX socket, or the folder itself under its lock. A Store either way.

import { resolve } from 'node:path';
import type { Command as Commander } from 'commander';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { RemoteStore } from '#store/client/remote-store.ts';
import type { Store } from '#store/store.ts';
import { type RemoveOptions, removeFor } from '#store/upload/door.ts';
import type { Options, Output } from './command.ts';
import { socketPathFor } from './control-socket.ts';
import { hasDataFolder, serverAddress } from './data-folder.ts';
import { CliError } from './errors.ts';
import { readSecret } from './remote.ts';
import { readRemotes, remotesPath } from './remotes.ts';

const GIVE_UP_MS = 20_000;

export function declareStoreUrl(commander: Commander): void {
  commander.option(
    '--url <url>',
    'A far store instead of the data folder: https://site, or a name that `store remote add` gave.',
  );
  commander.option('--token-file <file>', "The far site's token, made by its `store-token add`.");
}

export interface StorePlace {
  readonly store: Store;
  /** Keeps what was put from garbage collection; a server does so by itself. */
  pin(refs: readonly BlobRef[]): Promise<void>;
  /** Removes blobs and their pins: how many blobs there were. */
  remove(refs: readonly BlobRef[], options: RemoveOptions): Promise<number>;
}

/** `isWriting`: offline a folder is made; what is put is pinned. */
export async function withStore(
  options: Options,
  work: { readonly output: Output; readonly isWriting: boolean },
  run: (place: StorePlace) => Promise<void>,
): Promise<void> {
  const { output, isWriting } = work;
  const near = options.url === undefined ? await nearStore(options, isWriting) : undefined;
  const far = options.url === undefined ? undefined : await farStore(options, output.signal);
  const store = near ?? far;
  if (store === undefined) {
    await withOffline(options, isWriting, run);
    return;
  }
  try {
    // A server pins what is put by itself.
    const remove: StorePlace['remove'] = (refs, how) => store.remove(refs, how);
    await run({ store, pin: async () => undefined, remove });
  } finally {
    await store.close();
  }
}

async function farStore(options: Options, signal: AbortSignal): Promise<RemoteStore> {
  const { connectStore } = await import('#store/client/connect.ts');
  const { url, token } = remoteOf(options);
  try {
    return await connectStore({ url, token, signal, giveUpMs: GIVE_UP_MS, pin: true });
  } catch (cause) {
    if (cause instanceof TypeError) throw new CliError('CLI_USAGE', cause.message, { cause });
    throw cause;
  }
}

function remoteOf({ url = '', tokenFile }: Options): {
  readonly url: string;
  readonly token: string;
} {
  const given = tokenFile === undefined ? undefined : readSecret(tokenFile);
  const path = remotesPath();
  const remotes = readRemotes(path);
  const named = remotes[url] ?? Object.values(remotes).find((one) => one.url === url);
  if (named !== undefined) return { url: named.url, token: given ?? named.token };
  if (!url.includes(':')) {
    throw new CliError('CLI_NOT_FOUND', `No remote is called "${url}" in "${path}"`);
  }
  if (given === undefined) {
    throw new CliError('CLI_USAGE', `Cannot use --url ${url} without --token-file`);
  }
  return { url, token: given };
}

/** Undefined when no server runs on the folder. */
async function nearStore(options: Options, isWriting: boolean): Promise<RemoteStore | undefined> {
  if (serverAddress(options.data) === undefined) return undefined;
  const { connectStore } = await import('#store/client/connect.ts');
  const path = socketPathFor(resolve(options.data), 'store');
  const store = await connectStore({ url: `unix:${path}`, giveUpMs: 0, pin: isWriting }).catch(
    (error: unknown) => {
      // A server that died left its address behind; of one that lives the lock will tell.
      if (codeOf(error) === 'STORE_UNREACHABLE') return undefined;
      throw error;
    },
  );
  if (store !== undefined && (options.set.length > 0 || options.config !== undefined)) {
    await store.close();
    throw new CliError(
      'CLI_USAGE',
      'Cannot use --set or --config: a server runs on this data folder with its own settings',
    );
  }
  return store;
}

async function withOffline(
  options: Options,
  isWriting: boolean,
  run: (place: StorePlace) => Promise<void>,
): Promise<void> {
  if (!isWriting && !hasDataFolder(options.data)) {
    throw new CliError(
      'CLI_NOT_FOUND',
      `There is no data folder "${options.data}": --data names one, \`swarmkeep serve\` makes it`,
    );
  }
  const { openOffline } = await import('./offline.ts');
  const offline = await openOffline(options, !isWriting);
  try {
    const { store } = await offline.rooms.store.stack();
    await run({
      store,
      pin: async (refs) => {
        await offline.rooms.care.pins.pin(refs, 'put by operator');
      },
      remove: (refs, how) => removeFor(offline.rooms.care.door, refs, how),
    });
  } finally {
    await offline.close();
  }
}
