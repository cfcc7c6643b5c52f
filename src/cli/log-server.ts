// `log serve`: the log of a data folder alone, under the folder's lock, for programs by its protocol
// and by HTTP, and for this program's other commands by the control socket.

import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '#base/bytes.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { Stop } from '#base/stop.ts';
import type { LogConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry, renderCollected } from '#metrics/registry.ts';
import { parsePlace, type StreamPlace } from '#net/byte-stream.ts';
import { listenStreams } from '#net/sockets.ts';
import { findOrBuildAddon } from './addon-build.ts';
import type { Item, Output } from './command.ts';
import { ControlServer, socketPathFor } from './control-socket.ts';
import type { DataFolder } from './data-folder.ts';
import { deleteHookOf } from './delete-hook.ts';
import { CliError } from './errors.ts';
import { answerLogHttp } from './log-http.ts';
import { sumByAddon } from './native-sums.ts';
import { SiteListener } from './site-listener.ts';

const STOP_PART_MS_MAX = 8_000;

export interface LogServeWorld {
  readonly folder: DataFolder;
  readonly config: LogConfig;
  readonly logger: Logger;
  readonly say: (line: string) => void;
  /** As `--listen` had them; the data folder's own socket when there are none. */
  readonly listen: readonly string[];
  readonly secret?: string;
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** `host:port` for `GET /api/log/<topic>`. */
  readonly http?: string;
  /** What the control socket answers. */
  readonly onCommand: (log: LocalLog, name: string, input: Item, output: Output) => Promise<void>;
}

export class LogServing {
  readonly #world: LogServeWorld;
  readonly #clock: Clock = new SystemClock();
  readonly #metrics = new Registry();
  readonly #stop: Stop;

  private constructor(world: LogServeWorld) {
    this.#world = world;
    this.#stop = new Stop({ clock: this.#clock, logger: world.logger });
  }

  /** Resolves when every door answers. @throws CliError, LogError, NetError */
  static async start(world: LogServeWorld): Promise<LogServing> {
    const serving = new LogServing(world);
    try {
      await serving.#open();
      return serving;
    } catch (error) {
      await serving.close().catch(() => undefined);
      throw error;
    }
  }

  get failed(): Promise<Error> {
    return this.#stop.failed;
  }

  close(): Promise<void> {
    return this.#stop.close(STOP_PART_MS_MAX);
  }

  async #open(): Promise<void> {
    const { folder, config, logger, secret, http } = this.#world;
    const asked = this.#world.listen;
    const places = (asked.length > 0 ? asked : [`unix:${join(folder.path, 'log.sock')}`]).map(
      (url) => this.#place(url),
    );
    const random = new SystemRandom();
    const metrics = this.#metrics;
    const clock = this.#clock;
    const world = { clock, random, logger: logger.for('log'), metrics, config };
    const log = await LocalLog.open({
      ...world,
      disk: new SystemDisk(),
      folder: folder.folder('log'),
      hook: deleteHookOf(config, logger.for('log')),
      onFatal: (error) => this.#stop.own('log', Promise.reject(error)),
    });
    this.#stop.closeLater('log', () => log.close());
    const control = await ControlServer.listen(
      socketPathFor(folder.path),
      (command, input, output) => this.#world.onCommand(log, command, input, output),
    );
    this.#stop.closeLater('control socket', () => control.close());
    folder.announceServer({ pid: process.pid, socketPath: control.path });
    const server = new LogServer({
      ...world,
      log,
      ...(secret === undefined ? undefined : { secret: utf8(secret) }),
      onFailed: (error) => this.#stop.own('listener', Promise.reject(error)),
    });
    this.#stop.closeLater('log server', () => server.close());
    if (http !== undefined) await this.#openHttp(log, http);
    const addon = findOrBuildAddon({ folders: [join(folder.path, 'addon')] });
    sumByAddon(addon);
    const listen = listenStreams({ ...world, addon }, config.serverSockets);
    for (const place of places) {
      if (place.kind === 'unix') rmSync(place.path, { force: true });
      const listener = await server.listen(listen, place);
      if (place.kind === 'unix') {
        chmodSync(place.path, 0o600);
        this.#stop.closeLater('socket file', async () => rmSync(place.path, { force: true }));
      }
      this.#world.say(`log: ${listener.url}`);
    }
  }

  /** @throws CliError CLI_USAGE for what would let strangers in */
  #place(url: string): StreamPlace {
    const place = parsePlace(url);
    if (place === undefined) {
      throw new CliError(
        'CLI_USAGE',
        `Cannot listen on "${url}": expected unix:/path, tcp://address:port or tls://address:port`,
      );
    }
    if (place.kind === 'unix') return place;
    const { secret, tls } = this.#world;
    if (!isLoopback(place.host) && secret === undefined) {
      throw new CliError(
        'CLI_USAGE',
        `Cannot listen on "${url}" without --secret-file: whoever reaches it could write`,
      );
    }
    if (place.tls === undefined) return place;
    if (tls === undefined) {
      throw new CliError(
        'CLI_USAGE',
        `Cannot listen on "${url}" without --tls-key and --tls-certificate`,
      );
    }
    return { ...place, tls };
  }

  async #openHttp(log: LocalLog, where: string): Promise<void> {
    const place = parsePlace(`tcp://${where}`);
    if (place?.kind !== 'tcp') {
      throw new CliError('CLI_USAGE', `Cannot use --http ${where}: expected address:port`);
    }
    const { secret } = this.#world;
    if (!isLoopback(place.host) && secret === undefined) {
      throw new CliError(
        'CLI_USAGE',
        `Cannot use --http ${where} without --secret-file: whoever reaches it could read`,
      );
    }
    const listener = await SiteListener.listen({
      clock: this.#clock,
      random: new SystemRandom(),
      address: place.host,
      port: place.port,
      certificate: undefined,
      fetch: async (request) =>
        (await answerLogHttp({ log, token: secret }, request)) ??
        new Response('Not found\n', { status: 404 }),
      metrics: async () => {
        await log.refreshMetrics();
        return renderCollected([this.#metrics.collect()]);
      },
    });
    this.#stop.closeLater('HTTP', () => listener.close());
    const host = place.host.includes(':') ? `[${place.host}]` : place.host;
    this.#world.say(`http: http://${host}:${listener.port}/api/log/`);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
