// The beginning of a connection from the client's side: hears the greeting, proves the secret on both
// sides, takes the limits; then hands every frame on.

import { toHex } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { LogError } from '#log/errors.ts';
import { FrameReader } from '#log/server/frame-reader.ts';
import {
  CHALLENGE_BYTES,
  isChallenge,
  isProof,
  PROTOCOL,
  parseCount,
  parseError,
  parseLimits,
  proofOf,
  type ServerLimits,
} from '#log/server/protocol.ts';
import type { ByteStream } from '#net/byte-stream.ts';

/** Bodies that a server sends: one piece of a read, or a list of all topics. */
const BODY_BYTES_MAX = 128 * 1024 * 1024;

/** A connection that was greeted. */
export interface Line {
  readonly number: number;
  readonly stream: ByteStream;
  readonly limits: ServerLimits;
}

interface Greeting {
  readonly signal: AbortSignal;
  readonly number: number;
  onFrame(number: number, words: readonly string[], body: Uint8Array | undefined): void;
  onClosed(number: number, error: Error): void;
}

/** Hears the server's greeting, proves the secret on both sides, and takes its limits. */
export function greet(
  stream: ByteStream,
  options: { readonly secret?: Uint8Array; readonly random: Random },
  greeting: Greeting,
): Promise<Line> {
  const { signal, number } = greeting;
  const { secret, random } = options;
  return new Promise((resolve, reject) => {
    let isDone = false;
    let expectedProof: string | undefined;
    let isProven = secret === undefined;
    const fail = (error: unknown): void => {
      if (isDone) {
        greeting.onClosed(number, error instanceof Error ? error : new Error(String(error)));
        return;
      }
      isDone = true;
      signal.removeEventListener('abort', abort);
      stream.destroy();
      reject(error);
    };
    const abort = (): void => fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });

    const hello = (words: readonly string[]): void => {
      const [, version, kind, challenge] = words;
      if (version !== PROTOCOL) fail(protocol(`the server speaks "${version}"`));
      else if (kind === 'none' && secret === undefined) return;
      else if (kind !== 'hmac-sha256' || secret === undefined || !isChallenge(challenge)) {
        const why = secret === undefined ? 'it wants a secret' : 'it has no secret';
        fail(new LogError('LOG_AUTH_FAILED', `Cannot use this server: ${why}`));
      } else {
        const nonce = toHex(random.bytes(CHALLENGE_BYTES));
        expectedProof = proofOf('server', secret, challenge, nonce);
        stream.write(`AUTH 1 ${nonce} ${proofOf('client', secret, challenge, nonce)}\n`);
      }
    };
    const onGreeting = (words: readonly string[], body: Uint8Array | undefined): void => {
      if (words[0] === 'HELLO') hello(words);
      else if (words[0] === 'ERR') fail(parseError(words));
      else if (words[0] === 'OK' && expectedProof !== undefined) {
        // Whoever cannot prove it back is not the server that was meant.
        isProven = isProof(words[2], expectedProof);
        if (!isProven) fail(new LogError('LOG_AUTH_FAILED', "The server's proof is wrong"));
      } else if (words[0] === 'JSON' && isProven) {
        const limits = parseLimits(Buffer.from(body ?? []).toString('utf8'));
        if (limits === undefined) {
          fail(protocol("the server's limits are not understood"));
          return;
        }
        isDone = true;
        signal.removeEventListener('abort', abort);
        resolve({ number, stream, limits });
      } else fail(protocol('the server does not greet'));
    };
    const frames = new FrameReader(
      {
        bodyBytes: answerBodyBytes,
        onFrame: (words, body) => {
          if (isDone) greeting.onFrame(number, words, body);
          else onGreeting(words, body);
        },
        onBroken: (reason) => fail(protocol(reason)),
      },
      BODY_BYTES_MAX,
    );
    const gone = (): LogError => new LogError('LOG_CLOSED', 'The server closed the connection');
    stream.start({
      onData: (bytes) => frames.push(bytes),
      onDrain() {},
      onEnd: () => {
        fail(gone());
        stream.destroy();
      },
      onClosed: (error) => fail(error ?? gone()),
    });
  });
}

function answerBodyBytes(words: readonly string[]): number | undefined {
  switch (words[0]) {
    case 'DATA':
    case 'JSON':
      return words.length === 3 ? (parseCount(words[2]) ?? -1) : -1;
    case 'OK':
    case 'ERR':
    case 'HELLO':
      return undefined;
    default:
      return -1;
  }
}

function protocol(why: string): LogError {
  return new LogError('LOG_PROTOCOL', `Cannot talk to the log server: ${why}`);
}
