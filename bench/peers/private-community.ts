// Members and torrents of a server in private mode, made by its own commands, which are asked of it by its
// control socket as the command line does.

import { givenHashes } from '#bench/load/community.ts';
import type { Item, Output } from '#cli/command.ts';
import { askServer, socketPathFor } from '#cli/control-socket.ts';
import { hashOf } from '#sim/announces.ts';
import type { TestServer } from '#tools/e2e/server.ts';

const MEMBERS = 29;
const TORRENTS = 48;
/** Commands that run at once. */
const AT_ONCE = 4;

/** Passkeys and info hashes for a load order. */
export async function membersAndTorrents(
  server: TestServer,
): Promise<{ readonly passkeys: readonly string[]; readonly hashes: Uint8Array }> {
  const passkeys = await inParallel(MEMBERS, async (member) => {
    const input = { name: `member${member}`, role: 'member' };
    return String((await made(server, 'member add', input))['passkey']);
  });
  const hashes = await inParallel(TORRENTS, async (torrent) => {
    const bytes = torrentFile(torrent).toString('base64');
    const input = { bytes, category: 'other', tags: [] };
    return String((await made(server, 'torrent add', input))['infoHash']);
  });
  return { passkeys, hashes: givenHashes(hashes) };
}

/** What the command says; a process for each of them takes minutes on a busy machine. */
async function made(server: TestServer, command: string, input: Item): Promise<Item> {
  let made: Item | undefined;
  const output: Output = {
    item: (item) => {
      made = item;
    },
    progress: () => undefined,
    signal: new AbortController().signal,
  };
  await askServer(socketPathFor(server.dataFolder), { command, input }, output);
  if (made === undefined) throw new Error(`the server does not answer to ${command}`);
  return made;
}

async function inParallel(
  count: number,
  make: (number: number) => Promise<string>,
): Promise<string[]> {
  const made: string[] = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, at) => first + at);
    made.push(...(await Promise.all(numbers.map((number) => make(number)))));
  }
  return made;
}

/** A torrent of one piece; the site refuses the same content under another name. */
function torrentFile(number: number): Buffer {
  const name = `bench-${number}`;
  const info = `d6:lengthi16384e4:name${name.length}:${name}12:piece lengthi16384e6:pieces20:`;
  return Buffer.concat([Buffer.from(`d4:info${info}`), hashOf(number), Buffer.from('ee')]);
}
