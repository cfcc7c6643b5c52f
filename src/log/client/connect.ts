// The public entry of the log's client library, for programs outside of this one: the real clock,
// randomness and sockets joined to a RemoteLog, and the parts that stand on it. docs/log-client.md
// shows its uses. `swarmkeep/log` is this file, `swarmkeep/log/errors` is errors.ts. What
// they export keeps its meaning within a major version.

import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { type Logger, silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { Consumer, type ConsumerOptions } from '#log/consumer.ts';
import type { Log } from '#log/log.ts';
import { LogReader, type LogReaderOptions } from '#log/log-reader.ts';
import { LogWriter, type LogWriterOptions } from '#log/log-writer.ts';
import { type DialStream, parsePlace, type StreamPlace, type StreamTls } from '#net/byte-stream.ts';
import { dialNode } from '#net/stream-node.ts';
import { RemoteLog, type RemoteLogOptions } from './remote-log.ts';

/** Of this library; the protocol's version is in what the server tells. */
export const LOG_CLIENT_VERSION = '1.0.0';

export interface ConnectOptions
  extends Omit<RemoteLogOptions, 'clock' | 'random' | 'logger' | 'dial' | 'secret'> {
  /** `unix:/run/log.sock`, `tcp://host:port`, `tls://host:port`. */
  readonly url: string;
  /** What the server's secret file holds. */
  readonly secret?: string | Uint8Array;
  /** With `tls://`: what to trust instead of the system's authorities, or another name to expect. */
  readonly tls?: Pick<StreamTls, 'ca' | 'serverName'>;
  readonly logger?: Logger;
  /** Other sockets than Node's own. */
  readonly dial?: DialStream;
  /** Ends the attempts to connect. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a log server.
 * @throws LogError LOG_UNREACHABLE, LOG_AUTH_FAILED, LOG_PROTOCOL; TypeError for a wrong URL
 */
export async function connectLog(options: ConnectOptions): Promise<LogClient> {
  const { url, secret, tls, signal, dial = dialNode, logger = silentLogger, ...rest } = options;
  const found = parsePlace(url);
  if (found === undefined) {
    throw new TypeError(
      `Cannot connect to "${url}": expected unix:/path, tcp:// or tls://host:port`,
    );
  }
  const place: StreamPlace =
    found.kind === 'tcp' && found.tls !== undefined ? { ...found, tls: { ...tls } } : found;
  const log = await RemoteLog.connect(
    {
      ...rest,
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger,
      dial: (dialSignal) => dial(place, dialSignal),
      ...(secret === undefined
        ? undefined
        : { secret: typeof secret === 'string' ? utf8(secret) : secret }),
    },
    signal,
  );
  return new LogClient(log);
}

/** A connection, and what is built on it. */
export class LogClient {
  readonly log: RemoteLog;
  readonly #clock = new SystemClock();

  constructor(log: RemoteLog) {
    this.log = log;
  }

  /** Collects records into batches; see log-writer.ts for its options. */
  writer(topic: string, options: Partial<Omit<LogWriterOptions, 'topic'>> = {}): LogWriter {
    return new LogWriter({ log: this.log, clock: this.#clock, ...options, topic });
  }

  /** Records one after the other, waiting at the end; see log-reader.ts. */
  reader(topic: string, options: Partial<Omit<LogReaderOptions, 'topic'>> = {}): LogReader {
    return new LogReader({ log: this.log, ...options, topic });
  }

  /** Records with a durable position of that name; see consumer.ts. */
  consumer(
    topic: string,
    name: string,
    options: Partial<Omit<ConsumerOptions, 'topic' | 'name'>> = {},
  ): Promise<Consumer> {
    return Consumer.open({ log: this.log as Log, ...options, topic, name });
  }

  /** Answers what is on its way, then closes. */
  async close(): Promise<void> {
    await this.log.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
