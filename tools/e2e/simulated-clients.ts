// Clients that announce over real UDP and HTTP without being BitTorrent programs: they know to the
// byte what they moved, and misbehave on purpose. A client repeats, delays, reorders and doubles its
// announces, pauses, and starts again with counters at zero. Written against BEP 3, 15 and 41 alone,
// with none of the program's own code, so that it can be held against it.

import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { request } from 'node:http';

const PROTOCOL_MAGIC = 0x41727101980n;
const ANSWER_MS_MAX = 1_500;
const HTTP_MS_MAX = 3_000;
const START_AGAIN_MS_MAX = 60_000;

/** Repeatable draws for the test's own choices. */
export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform enough over 0 … bound-1. */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(this.#state ^ (this.#state >>> 12), 0x297a2d39) >>> 0;
    return ((mixed ^ (mixed >>> 15)) >>> 0) % bound;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

export interface Announce {
  readonly event: 'none' | 'completed' | 'started' | 'stopped';
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
  readonly key: number;
}

export interface TrackerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ClientIdentity {
  readonly passkey: string;
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  readonly port: number;
}

const EVENTS = { none: 0, completed: 1, started: 2, stopped: 3 } as const;

/** One UDP socket that many clients speak through; answers are matched by transaction id. */
export class UdpDoor {
  readonly #socket: Socket;
  readonly #tracker: TrackerAddress;
  readonly #waiting = new Map<number, (answer: Buffer) => void>();
  #nextTransaction = 1;
  #connection: { readonly id: bigint; readonly madeMs: number } | undefined;

  private constructor(socket: Socket, tracker: TrackerAddress) {
    this.#socket = socket;
    this.#tracker = tracker;
    socket.on('message', (answer) => {
      if (answer.byteLength < 8) return;
      const transaction = answer.readUInt32BE(4);
      this.#waiting.get(transaction)?.(answer);
      this.#waiting.delete(transaction);
    });
    // A killed server's port answers by ICMP; the client tries again.
    socket.on('error', () => undefined);
  }

  static async open(tracker: TrackerAddress, from: string): Promise<UdpDoor> {
    const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, from, () => resolve()));
    return new UdpDoor(socket, tracker);
  }

  /** The answer to the announce, an error text, or undefined when none came. */
  async announce(client: ClientIdentity, announce: Announce): Promise<string | undefined> {
    const connection = await this.#connect();
    if (connection === undefined) return undefined;
    const answer = await this.#ask((transaction) =>
      announcePacket({ connection, transaction }, client, announce),
    );
    if (answer === undefined) return undefined;
    return answer.readUInt32BE(0) === 1 ? 'ok' : answer.subarray(8).toString('utf8');
  }

  /** Sends and does not wait: for late and doubled announces. */
  async throwAnnounce(client: ClientIdentity, announce: Announce): Promise<void> {
    const connection = await this.#connect();
    if (connection === undefined) return;
    const transaction = this.#nextTransaction++;
    this.#send(announcePacket({ connection, transaction }, client, announce));
  }

  close(): void {
    this.#socket.close();
  }

  async #connect(): Promise<bigint | undefined> {
    const nowMs = performance.now();
    if (this.#connection !== undefined && nowMs - this.#connection.madeMs < 60_000) {
      return this.#connection.id;
    }
    const answer = await this.#ask((transaction) => {
      const packet = Buffer.alloc(16);
      packet.writeBigUInt64BE(PROTOCOL_MAGIC, 0);
      packet.writeUInt32BE(transaction, 12);
      return packet;
    });
    if (answer === undefined || answer.byteLength < 16) return undefined;
    this.#connection = { id: answer.readBigUInt64BE(8), madeMs: nowMs };
    return this.#connection.id;
  }

  #ask(make: (transaction: number) => Buffer): Promise<Buffer | undefined> {
    const transaction = this.#nextTransaction++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(transaction);
        resolve(undefined);
      }, ANSWER_MS_MAX);
      this.#waiting.set(transaction, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#send(make(transaction));
    });
  }

  #send(packet: Buffer): void {
    this.#socket.send(packet, this.#tracker.port, this.#tracker.host, () => undefined);
  }
}

function announcePacket(
  ids: { readonly connection: bigint; readonly transaction: number },
  client: ClientIdentity,
  announce: Announce,
): Buffer {
  const path = Buffer.from(`/${client.passkey}/announce`);
  const packet = Buffer.alloc(98 + 2 + path.byteLength);
  packet.writeBigUInt64BE(ids.connection, 0);
  packet.writeUInt32BE(1, 8);
  packet.writeUInt32BE(ids.transaction, 12);
  packet.set(client.infoHash, 16);
  packet.set(client.peerId, 36);
  packet.writeBigUInt64BE(BigInt(announce.downloaded), 56);
  packet.writeBigUInt64BE(BigInt(announce.left), 64);
  packet.writeBigUInt64BE(BigInt(announce.uploaded), 72);
  packet.writeUInt32BE(EVENTS[announce.event], 80);
  packet.writeUInt32BE(announce.key, 88);
  packet.writeInt32BE(-1, 92);
  packet.writeUInt16BE(client.port, 96);
  packet[98] = 2;
  packet[99] = path.byteLength;
  packet.set(path, 100);
  return packet;
}

/** An announce over HTTP on a connection of its own; the body, or undefined when none came. */
export function announceByHttp(
  tracker: TrackerAddress,
  client: ClientIdentity,
  announce: Announce,
): Promise<string | undefined> {
  const percentEncode = (bytes: Uint8Array): string =>
    [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const event = announce.event === 'none' ? '' : `&event=${announce.event}`;
  const path =
    `/${client.passkey}/announce?info_hash=${percentEncode(client.infoHash)}` +
    `&peer_id=${percentEncode(client.peerId)}&port=${client.port}&uploaded=${announce.uploaded}` +
    `&downloaded=${announce.downloaded}&left=${announce.left}&compact=1` +
    `&key=${announce.key.toString(16)}${event}`;
  return new Promise((resolve) => {
    const options = { host: tracker.host, port: tracker.port, path, timeout: HTTP_MS_MAX };
    const call = request({ ...options, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        const body = Buffer.concat(parts).toString('latin1');
        resolve(response.statusCode === 200 ? body : undefined);
      });
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}

export interface Doors {
  /** Two, of different source addresses, so that a client can announce by both. */
  readonly udp: readonly [UdpDoor, UdpDoor];
  readonly http: TrackerAddress;
}

/** A client with a memory: what it moved since its first answered announce is `moved`. */
export class SimulatedClient {
  readonly identity: ClientIdentity;
  readonly member: string;
  readonly #draw: Draw;
  readonly #sizeBytes: number;
  #uploaded = 0;
  #downloaded = 0;
  #key: number;
  #isFounded = false;
  /** Sum over the sessions that ended; the open session adds its counters. */
  #movedUploaded = 0;
  #movedDownloaded = 0;
  #foundedUploaded = 0;
  #foundedDownloaded = 0;
  #held: Announce[] = [];

  constructor(identity: ClientIdentity, member: string, options: { seed: number; bytes: number }) {
    this.identity = identity;
    this.member = member;
    this.#draw = new Draw(options.seed);
    this.#sizeBytes = options.bytes;
    this.#key = 1 + this.#draw.below(0x7fff_ffff);
    // Some come with counters from another life: the first sight must credit none of it.
    if (this.#draw.chance(20)) this.#uploaded = this.#draw.below(1 << 20);
  }

  /** Bytes that must be credited once the last announce was answered. */
  get moved(): { readonly uploaded: number; readonly downloaded: number } {
    return {
      uploaded: this.#movedUploaded + this.#uploaded - this.#foundedUploaded,
      downloaded: this.#movedDownloaded + this.#downloaded - this.#foundedDownloaded,
    };
  }

  /** One step of an ordinary life. Whatever is not answered is repeated with the next step. */
  async step(doors: Doors): Promise<void> {
    if (!this.#isFounded) {
      await this.#found(doors);
      return;
    }
    this.#transfer();
    const now = this.#announce('none');
    const kind = this.#draw.below(10);
    if (kind < 4) await this.#ask(doors, now);
    else if (kind < 6) await this.#both(doors, now);
    else if (kind < 7) this.#held.push(now);
    else if (kind < 8) await this.#late(doors);
    else if (kind < 9) await this.#thrice(doors, now);
    else await this.#startAgain(doors);
  }

  /** The last announce, repeated until it is answered: everything moved must be credited then. */
  async finish(doors: Doors): Promise<boolean> {
    if (!this.#isFounded && !(await this.#found(doors))) return false;
    return (await this.#ask(doors, this.#announce('completed'))) === true;
  }

  async #found(doors: Doors): Promise<boolean> {
    if (!(await this.#ask(doors, this.#announce('started')))) return false;
    this.#isFounded = true;
    this.#foundedUploaded = this.#uploaded;
    this.#foundedDownloaded = this.#downloaded;
    return true;
  }

  /** Stops, answered; then starts with counters at zero and another key, answered. */
  async #startAgain(doors: Doors): Promise<void> {
    this.#held = [];
    if (!(await this.#ask(doors, this.#announce('stopped')))) return;
    const before = { uploaded: this.#uploaded, downloaded: this.#downloaded, key: this.#key };
    this.#uploaded = 0;
    this.#downloaded = 0;
    this.#key = 1 + this.#draw.below(0x7fff_ffff);
    const deadline = performance.now() + START_AGAIN_MS_MAX;
    while (performance.now() < deadline) {
      if (await this.#ask(doors, this.#announce('started'))) {
        this.#movedUploaded += before.uploaded - this.#foundedUploaded;
        this.#movedDownloaded += before.downloaded - this.#foundedDownloaded;
        this.#foundedUploaded = 0;
        this.#foundedDownloaded = 0;
        return;
      }
      // A killed server refuses at once; it needs a moment to be back.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('a client that starts again was never answered');
  }

  #transfer(): void {
    this.#uploaded += this.#draw.below(1 << 22);
    this.#downloaded += this.#draw.below(1 << 20);
  }

  #announce(event: Announce['event']): Announce {
    const left = Math.max(0, this.#sizeBytes - this.#downloaded);
    return { event, uploaded: this.#uploaded, downloaded: this.#downloaded, left, key: this.#key };
  }

  async #ask(doors: Doors, announce: Announce): Promise<boolean> {
    const answer = this.#draw.chance(30)
      ? await announceByHttp(doors.http, this.identity, announce)
      : await doors.udp[this.#draw.below(2) === 0 ? 0 : 1].announce(this.identity, announce);
    if (answer === undefined) return false;
    if (answer === 'ok' || answer.startsWith('d8:complete') || answer.includes('8:interval'))
      return true;
    // A connection id from before a kill is good again after it; other refusals are a finding.
    if (/connection id|try again/i.test(answer)) return false;
    throw new Error(`a client was refused: ${answer}`);
  }

  /** The same counters from two addresses, as a client on two families or with two hashes does. */
  async #both(doors: Doors, announce: Announce): Promise<void> {
    await Promise.all(doors.udp.map((door) => door.throwAnnounce(this.identity, announce)));
  }

  /** What was held back is sent after newer ones. */
  async #late(doors: Doors): Promise<void> {
    await this.#ask(doors, this.#announce('none'));
    for (const old of this.#held.splice(0)) await doors.udp[0].throwAnnounce(this.identity, old);
  }

  async #thrice(doors: Doors, announce: Announce): Promise<void> {
    for (let copy = 0; copy < 3; copy++) await doors.udp[0].throwAnnounce(this.identity, announce);
  }
}

/** 20 bytes that look like a client's peer id. */
export function simulatedPeerId(number: number): Uint8Array {
  const digest = createHash('sha1').update(`client ${number}`).digest();
  return new Uint8Array(Buffer.concat([Buffer.from('-SK0001-'), digest.subarray(0, 12)]));
}
