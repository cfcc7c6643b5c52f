// The sockets of a tracker: UDP and HTTP on every configured address, all on one port.

import type { Clock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { NetError } from '#net/errors.ts';
import { formatEndpoint } from '#net/ip-address.ts';
import type { OpenTcp, TcpServer } from '#net/tcp-server.ts';
import type { OpenUdp, UdpShare, UdpSocket } from '#net/udp-socket.ts';
import { type HttpDoor, httpAnswerBytesMax } from '#tracker/http/http-door.ts';
import { UDP_INPUT_BYTES_MAX, type UdpDoor } from '#tracker/udp/udp-door.ts';
import { wsLimits, wsOutputBytesMin } from '#tracker/websocket/ws-limits.ts';
import type { TrackerConfig } from './config.ts';
import type { DoorLatency } from './door-latency.ts';

const HTTP_INPUT_BYTES_MAX = 8192;
const UDP_OUTPUT_BYTES_MAX = 2048;
/** Bounds what answers may occupy when the kernel's buffer is full. */
const UDP_SENDS_PENDING_MAX = 16_384;
/** With port 0 the port that one door was given may be taken for the others. */
const PORT_TRIES_MAX = 20;

export type DoorName = 'udp' | 'http' | 'https';

export interface DoorAddress {
  readonly door: DoorName;
  readonly address: string;
  readonly port: number;
  readonly url: string;
}

export interface DoorsWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: TrackerConfig;
  readonly peersPerAnswerMax: number;
  readonly openUdp: OpenUdp;
  readonly openTcp: OpenTcp;
  /** For `tracker.tlsPort`; undefined when there is no certificate. */
  readonly openTls: OpenTcp | undefined;
  readonly onFailed: (error: Error) => void;
  /** Among the threads that open the same doors. */
  readonly worker: { readonly index: number; readonly count: number };
  readonly udp: UdpDoor;
  readonly http: HttpDoor;
  readonly latency: DoorLatency;
}

export class Doors {
  readonly #world: DoorsWorld;
  #udp: UdpSocket[] = [];
  #tcp: TcpServer[] = [];
  #tls: TcpServer[] = [];
  #former: (UdpSocket | TcpServer)[] = [];
  #isListening = false;

  constructor(world: DoorsWorld) {
    this.#world = world;
  }

  get addresses(): readonly DoorAddress[] {
    return [
      ...this.#udp.map((socket) => addressOf('udp', socket.bound)),
      ...this.#tcp.map((server) => addressOf('http', server.bound)),
      ...this.#tls.map((server) => addressOf('https', server.bound)),
    ];
  }

  get httpConnections(): number {
    return [...this.#tcp, ...this.#tls].reduce((sum, server) => sum + server.connections, 0);
  }

  /**
   * Binds all of them or, with an error, none; they answer nobody until listen(). `wanted` is the
   * configured port, or the one that an earlier thread of the same tracker was given.
   * @throws NetError
   */
  async open(wanted: number): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#openAll(wanted);
        return;
      } catch (error) {
        await this.close(0);
        if (wanted !== 0 || tries >= PORT_TRIES_MAX) throw error;
      }
    }
  }

  listen(): void {
    this.#isListening = true;
  }

  /** Datagrams and requests that come from now on are dropped; answers that wait still go out. */
  stopListening(): void {
    this.#isListening = false;
  }

  /** Connections of who was banned meanwhile. */
  endUnwelcome(): void {
    this.#world.http.endUnwelcome();
  }

  async close(lingerMs: number): Promise<void> {
    this.#isListening = false;
    this.#world.http.close();
    const udp = this.#udp;
    const tcp = [...this.#tcp, ...this.#tls];
    const former = this.#former;
    this.#former = [];
    this.#udp = [];
    this.#tcp = [];
    this.#tls = [];
    await Promise.all([
      ...tcp.map((server) => server.close(lingerMs)),
      ...udp.map((socket) => socket.close()),
      ...former.map((door) => door.close(lingerMs)),
    ]);
  }

  async #openAll(wanted: number): Promise<void> {
    const { config, openTcp, openTls } = this.#world;
    let port = wanted;
    for (const address of this.#world.config.addresses) {
      const socket = await this.#unlessMissing(address, () => this.#openUdp(address, port));
      if (socket === undefined) continue;
      this.#udp.push(socket);
      port = socket.bound.port;
      this.#tcp.push(await this.#openTcp(openTcp, address, port));
      await this.#openFormer(address);
      if (openTls === undefined || config.tlsPort === 0) continue;
      this.#tls.push(await this.#openTcp(openTls, address, config.tlsPort));
    }
    if (this.#udp.length === 0) {
      throw new NetError(
        'NET_BIND_FAILED',
        `None of the addresses ${this.#world.config.addresses.join(', ')} is one of this machine`,
      );
    }
  }

  /** Where clients still announce; no URL that is handed out names them. */
  async #openFormer(address: string): Promise<void> {
    const { config, openTcp } = this.#world;
    for (const port of config.formerPorts) {
      this.#former.push(await this.#openUdp(address, port));
      this.#former.push(await this.#openTcp(openTcp, address, port));
    }
  }

  #openUdp(address: string, port: number): Promise<UdpSocket> {
    const { config, openUdp, udp, onFailed, latency } = this.#world;
    return openUdp({
      address,
      port,
      ...this.#share(),
      slotsMax: config.udpSlotsMax,
      inputBytesMax: UDP_INPUT_BYTES_MAX,
      outputBytesMax: UDP_OUTPUT_BYTES_MAX,
      receiveBufferBytes: config.udpReceiveBufferBytes,
      sendBufferBytes: config.udpSendBufferBytes,
      sendsPendingMax: UDP_SENDS_PENDING_MAX,
      onBatch: (socket) => {
        if (!this.#isListening) return;
        const sinceMs = latency.startMs();
        udp.onBatch(socket);
        latency.udpDone(sinceMs);
      },
      onFailed,
    });
  }

  #openTcp(open: OpenTcp, address: string, port: number): Promise<TcpServer> {
    const { config, http, onFailed, peersPerAnswerMax, latency } = this.#world;
    return open({
      address,
      port,
      ...this.#share(),
      backlog: config.httpBacklog,
      connectionsMax: config.httpConnectionsMax,
      inputBytesMax: HTTP_INPUT_BYTES_MAX,
      // Room for two, so that one can be written while another is read.
      outputBytesMax: Math.max(
        2 * httpAnswerBytesMax(peersPerAnswerMax),
        wsOutputBytesMin(wsLimits(config)),
      ),
      idleMsMax: config.httpIdleMsMax,
      readMsMax: config.httpReadMsMax,
      writeMsMax: config.httpWriteMsMax,
      handler: {
        onInput: (connection) => {
          if (!this.#isListening) connection.end();
          else if (!latency.timesHttp) http.onInput(connection);
          else {
            const sinceMs = latency.startMs();
            http.onInput(connection);
            latency.httpDone(sinceMs);
          }
        },
        onClosed: (connection) => http.onClosed(connection),
        onTurnStart: () => http.onTurnStart(),
        onTurnEnd: () => http.onTurnEnd(),
      },
      onFailed,
    });
  }

  #share(): { readonly share?: UdpShare } {
    const { index, count } = this.#world.worker;
    return count === 1 ? {} : { share: { index, count, steer: true } };
  }

  /** The default names "::1" although a machine may have no IPv6; any other address must exist. */
  async #unlessMissing(
    address: string,
    open: () => Promise<UdpSocket>,
  ): Promise<UdpSocket | undefined> {
    try {
      return await open();
    } catch (error) {
      const cause = codeOf(error instanceof Error ? error.cause : undefined);
      const isMissing = cause === 'EADDRNOTAVAIL' || cause === 'EAFNOSUPPORT';
      if (address !== '::1' || !isMissing) throw error;
      this.#world.logger.warn('this machine has no IPv6: the tracker listens on IPv4 only');
      return undefined;
    }
  }
}

function addressOf(
  door: DoorName,
  bound: { readonly address: string; readonly port: number },
): DoorAddress {
  const { address, port } = bound;
  return { door, address, port, url: `${door}://${formatEndpoint(address, port)}` };
}
