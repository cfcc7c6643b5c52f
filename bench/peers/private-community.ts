// Members and torrents of a server in private mode, made by its own commands as an operator would.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { givenHashes } from '#bench/load/community.ts';
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
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-private-'));
  try {
    const passkeys = await inParallel(MEMBERS, async (member) => {
      const [made] = await server.json<{ passkey: string }>(['member', 'add', `member${member}`]);
      return made?.passkey ?? '';
    });
    const hashes = await inParallel(TORRENTS, async (torrent) => {
      const file = join(folder, `${torrent}.torrent`);
      writeFileSync(file, torrentFile(torrent));
      const [made] = await server.json<{ infoHash: string }>(['torrent', 'add', file]);
      return made?.infoHash ?? '';
    });
    return { passkeys, hashes: givenHashes(hashes) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
