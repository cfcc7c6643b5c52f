// One connection to a log server for `log bench`: a request of the protocol at a time, and its answer,
// so that each command is measured by itself and without what the client library adds.

import { utf8 } from '#base/bytes.ts';
import { SystemRandom } from '#base/random.ts';
import { greet, type Line } from '#log/client/client-greeting.ts';
import { LogError } from '#log/errors.ts';
import { parsePlace } from '#net/byte-stream.ts';
import { dialNode } from '#net/stream-node.ts';
import type { Options } from './command.ts';
import { readSecret, readText } from './remote.ts';

type Words = readonly string[];

export class BenchLine {
  #line: Line | undefined;
  #lastId = 1;
  readonly #answers = new Map<number, (words: Words) => void>();
  #fail: ((error: Error) => void) | undefined;

  /** Greeted, its secret proven. @throws LogError, and the socket's error */
  static async connect(
    options: Pick<Options, 'url' | 'secretFile' | 'caFile'>,
    signal: AbortSignal,
  ): Promise<BenchLine> {
    const { url = '', secretFile, caFile } = options;
    const found = parsePlace(url);
    if (found === undefined) throw new TypeError(`Cannot connect to "${url}"`);
    const isTls = found.kind === 'tcp' && found.tls !== undefined;
    const ca = caFile === undefined ? {} : { ca: readText(caFile) };
    const place = isTls ? { ...found, tls: ca } : found;
    const line = new BenchLine();
    const secret = secretFile === undefined ? {} : { secret: utf8(readSecret(secretFile)) };
    line.#line = await greet(
      await dialNode(place, signal),
      { random: new SystemRandom(), ...secret },
      {
        signal,
        number: 1,
        onFrame: (_number, words) => line.#take(words),
        onClosed: (_number, error) => line.#fail?.(error),
      },
    );
    return line;
  }

  /** What one append may have. */
  get batchBytesMax(): number {
    return this.#line?.limits.batchBytesMax ?? 0;
  }

  /** Its last answer; an `ERR` is one as well. `rest` stands behind the request's number. */
  ask(command: string, rest = '', body?: Uint8Array): Promise<Words> {
    return this.send(command, rest, body).answered;
  }

  /** The number, for CANCEL. @throws LogError LOG_CLOSED when the connection ends before */
  send(
    command: string,
    rest = '',
    body?: Uint8Array,
  ): { readonly id: number; readonly answered: Promise<Words> } {
    const id = ++this.#lastId;
    const answered = new Promise<Words>((resolve, reject) => {
      this.#answers.set(id, resolve);
      this.#fail = reject;
    });
    const stream = this.#line?.stream;
    stream?.gather();
    stream?.write(`${command} ${id}${rest === '' ? '' : ` ${rest}`}\n`);
    if (body !== undefined) stream?.write(body);
    return { id, answered };
  }

  end(): void {
    this.#fail = undefined;
    this.#line?.stream.end();
    this.#line?.stream.destroy();
  }

  #take(words: Words): void {
    // More follows it.
    if (words[0] === 'DATA') return;
    const id = Number(words[1]);
    if (id === 0) this.#fail?.(new LogError('LOG_CLOSED', words.join(' ')));
    this.#answers.get(id)?.(words);
    this.#answers.delete(id);
  }
}
