// Requests that ask for WebSocket on the HTTP door: who may have it, and with which passkey.
//
//   /<passkey>/announce, /announce/<passkey>    as on the HTTP door
//   /announce, /                                without a passkey (listed and open modes)
//
// A wrong passkey, or none where one is needed, is told in words in answer to the first message: a
// refused handshake reaches no script of the page.

import type { TcpConnection } from '#net/tcp-server.ts';
import { newAnnounceRequest } from '#tracker/announce/waiting.ts';
import type { ClientAddress } from '#tracker/http/client-address.ts';
import type { FormerUrls } from '#tracker/http/former-urls.ts';
import { HttpTarget } from '#wire/http-announce.ts';
import type { ByteSpan, HttpRequestHead } from '#wire/http-request.ts';
import type { HttpStatus } from '#wire/http-response.ts';
import { isWsKey } from '#wire/ws-frame.ts';
import type { WsDoor } from './ws-door.ts';

const VERSION = '13';
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;

export class WsUpgrade {
  readonly #door: WsDoor;
  readonly #former: FormerUrls | undefined;
  readonly #path = new HttpTarget(newAnnounceRequest());

  constructor(door: WsDoor, former: FormerUrls | undefined) {
    this.#door = door;
    this.#former = former;
  }

  /** Anything else that is asked for in `Upgrade` is not for us: the request is answered as it is. */
  isAsked(head: HttpRequestHead, input: Uint8Array): boolean {
    if (!head.wantsUpgrade || head.isHead || head.isHttp10) return false;
    return spanText(input, head.upgrade).toLowerCase() === 'websocket';
  }

  /** `open`: the head is consumed, what follows are frames. Else the status to refuse with. */
  open(connection: TcpConnection, head: HttpRequestHead, from: ClientAddress): HttpStatus | 'open' {
    const { input } = connection;
    if (spanText(input, head.webSocketVersion) !== VERSION) return 426;
    const key = spanText(input, head.webSocketKey);
    if (!isWsKey(key)) return 400;
    const passkey = this.#passkey(input, head.target);
    if (passkey === undefined) return 404;
    if (this.#door.isFull) return 503;
    const client = { family: from.family, address: from.address.slice(), port: from.port };
    const moved = this.#former?.has(input, head.host) === true ? this.#former : undefined;
    connection.consume(head.consumed);
    this.#door.open(connection, { key, passkey, client, moved });
    return 'open';
  }

  /** Undefined when the path is none of ours. */
  #passkey(input: Uint8Array, target: ByteSpan): Uint8Array | undefined {
    const { at, length } = target;
    const isRoot = input[at] === SLASH && (length === 1 || input[at + 1] === QUESTION_MARK);
    if (isRoot) return new Uint8Array(0);
    const path = this.#path;
    const refusal = path.parsePath(input, at, length);
    if (refusal === 'path' || path.kind !== 'announce') return undefined;
    // A key that cannot be one is as unknown as any other.
    return refusal === 'none' ? path.passkey.slice(0, path.passkeyBytes) : path.passkey.slice();
  }
}

function spanText(bytes: Uint8Array, span: ByteSpan): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + span.at, span.length).toString('latin1');
}
