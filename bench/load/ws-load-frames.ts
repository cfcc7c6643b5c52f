// The frames that one web peer sends, as the WebTorrent library spells them.

import { peerIdText } from './community.ts';
import { DESCRIPTION_BYTES, type WsLoadOrder } from './ws-load.ts';

const ID_BYTES = 20;
const MASK_BYTES = 4;
const KEY_OFFER_ID = '"offer_id":"';
const KEY_PEER_ID = '"peer_id":"';
/** Lines end with an escaped CR LF, as in every real one. */
const SDP = 'a=candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx\\r\\n'
  .repeat(40)
  .slice(0, DESCRIPTION_BYTES - (DESCRIPTION_BYTES % 70));
const OFFER = `{"offer":{"type":"offer","sdp":"${SDP}"},"offer_id":"`;

export class WsFrames {
  readonly #path: string;
  readonly #open: Buffer;
  readonly #hash: string;
  readonly #peerId: string;

  constructor(order: WsLoadOrder, infoHash: Uint8Array, number: number) {
    const { passkeys } = order;
    this.#path = passkeys.length === 0 ? '/' : `/${passkeys[number % passkeys.length]}/announce`;
    this.#hash = JSON.stringify(Buffer.from(infoHash).toString('latin1'));
    this.#peerId = peerIdText(number);
    this.#open = Buffer.from(
      `{"numwant":5,"uploaded":0,"downloaded":0,"left":1,"action":"announce",` +
        `"info_hash":${this.#hash},"peer_id":"${this.#peerId}","offers":[`,
    );
  }

  handshake(): string {
    return (
      `GET ${this.#path} HTTP/1.1\r\nHost: tracker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    );
  }

  /** `serial` and those after it name the offers. */
  announce(offers: number, serial: number): Buffer {
    const each = OFFER.length + ID_BYTES + 3;
    const length = this.#open.length + Math.max(0, offers * each - 1) + 2;
    const [frame, head] = framed(1, length);
    let at = head + this.#open.copy(frame, head);
    for (let offer = 0; offer < offers; offer++) {
      const id = String(serial + offer).padStart(ID_BYTES, 'o');
      at += frame.write(`${OFFER}${id}"}${offer + 1 < offers ? ',' : ''}`, at, 'latin1');
    }
    frame.write(']}', at, 'latin1');
    return frame;
  }

  /** To the offer in `message`. */
  answer(message: Buffer): Buffer {
    const offerId = idIn(message, KEY_OFFER_ID);
    const to = idIn(message, KEY_PEER_ID);
    return textFrame(
      `{"action":"announce","info_hash":${this.#hash},"peer_id":"${this.#peerId}",` +
        `"to_peer_id":"${to}","answer":{"type":"answer","sdp":"${SDP}"},"offer_id":"${offerId}"}`,
    );
  }

  scrape(): Buffer {
    return textFrame(`{"action":"scrape","info_hash":[${this.#hash}]}`);
  }

  pong(payload: Buffer): Buffer {
    const [frame, head] = framed(10, payload.length);
    payload.copy(frame, head);
    return frame;
  }
}

function idIn(message: Buffer, key: string): string {
  const at = message.lastIndexOf(key) + key.length;
  return message.toString('latin1', at, at + ID_BYTES);
}

function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const [frame, head] = framed(1, payload.length);
  payload.copy(frame, head);
  return frame;
}

/** A frame with room for its payload behind `head` bytes. */
function framed(opcode: number, length: number): [Buffer, number] {
  const isShort = length < 126;
  const head = (isShort ? 2 : 4) + MASK_BYTES;
  const frame = Buffer.alloc(head + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (isShort ? length : 126);
  if (!isShort) frame.writeUInt16BE(length, 2);
  return [frame, head];
}
