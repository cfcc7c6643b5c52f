// The HTTP load generator in C, for comparisons: Node's own sockets cost several times what they are
// to measure, and a server that mostly waits for its client shows what waking up costs and not what
// answering does. Requests are written down first; then the program sends them (http-replay.c).

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SeededRandom } from '#base/random.ts';
import { runProgram } from '#tools/child-process.ts';
import { Community, type CommunityShape, HASH_BYTES, peerIdText } from './community.ts';
import { type LoadOrder, type LoadReport, withinFillTime } from './load.ts';

const LEFT = 1_000_000;
const U32 = 0x1_0000_0000;

export class HttpReplay {
  readonly order: LoadOrder;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** Builds the program and writes the requests down. @throws when there is no C compiler */
  static async start(order: LoadOrder): Promise<HttpReplay> {
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-replay-'));
    const source = new URL('./http-replay.c', import.meta.url).pathname;
    const built = await runProgram('cc', ['-O2', '-o', join(folder, 'replay'), source]);
    if (built.exitCode !== 0) {
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`cc cannot build the load generator: ${built.output}`);
    }
    writeFileSync(join(folder, 'requests'), requestsOf(order));
    return new HttpReplay(order, folder);
  }

  private constructor(order: LoadOrder, folder: string) {
    this.order = order;
    this.#folder = folder;
    const numbers = [order.port, order.sources, order.underWay, order.isClosedEach ? 1 : 0];
    const words = [...numbers.map(String), join(folder, 'requests')];
    this.#child = spawn(join(folder, 'replay'), words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the load generator has an output');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async fill(): Promise<void> {
    await withinFillTime(this.order, this.#ask('fill'));
  }

  async measure(seconds = this.order.seconds): Promise<LoadReport> {
    return JSON.parse(await this.#ask(`measure ${seconds}`)) as LoadReport;
  }

  async end(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill();
    await exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ask(command: string): Promise<string> {
    this.#child.stdin?.write(`${command}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the load generator ended');
    return line.value;
  }
}

/** Two requests for each peer, as seeder or not by chance, each behind its length of two bytes. */
export function requestsOf(
  order: CommunityShape & Pick<LoadOrder, 'passkeys' | 'isClosedEach'>,
): Buffer {
  const community = new Community(order);
  const random = new SeededRandom(1);
  const parts: Buffer[] = [];
  for (let turn = 0; turn < 2 * order.peers; turn++) {
    const peer = turn % order.peers;
    const left = random.u32() < order.seederChance * U32 ? 0 : LEFT;
    const { passkeys } = order;
    const path = passkeys.length === 0 ? '' : `/${passkeys[peer % passkeys.length]}`;
    const query =
      `info_hash=${escaped(order.hashes, community.torrentOf[peer]!)}` +
      `&peer_id=${peerIdText(peer)}&port=${community.portOf(peer)}&uploaded=0&downloaded=0` +
      `&left=${left}&compact=1&numwant=${order.wanted}`;
    const how = order.isClosedEach ? 'Connection: close\r\n' : '';
    const text = `GET ${path}/announce?${query} HTTP/1.1\r\nHost: tracker\r\n${how}\r\n`;
    const length = Buffer.from(new Uint16Array([text.length]).buffer);
    parts.push(length, Buffer.from(text, 'latin1'));
  }
  return Buffer.concat(parts);
}

function escaped(hashes: Uint8Array, torrent: number): string {
  let text = '';
  for (let byte = 0; byte < HASH_BYTES; byte++) {
    text += `%${hashes[torrent * HASH_BYTES + byte]!.toString(16).padStart(2, '0')}`;
  }
  return text;
}
