// WebSocket frames: RFC 6455's own examples, every rule it has for a server, cuts at every byte, and
// damaged input.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { below, SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { clientFrame } from '#sim/ws-client.ts';
import {
  isWsKey,
  sealWsFrame,
  WS_OPCODE,
  WsFrameReader,
  WsRooms,
  writeWsClose,
  writeWsControl,
  wsHandshake,
} from './ws-frame.ts';

const BYTES_MAX = 131_072;

interface Heard {
  readonly events: string[];
  readonly closeCode: number;
}

/** What a connection hears that gets `bytes` in pieces of `step`. */
function hear(bytes: Uint8Array, step = bytes.length, bytesMax = BYTES_MAX): Heard {
  const reader = new WsFrameReader(bytesMax, new WsRooms());
  const events: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = Math.min(from + step, bytes.length);
    const event = reader.read(bytes, from, end);
    from += reader.consumed;
    if (event === 'more') {
      assert.equal(from, end, 'everything is read before more is asked for');
      continue;
    }
    events.push(textOf(reader, event));
    if (event === 'message') reader.release();
    if (event === 'broken' || event === 'close') break;
  }
  return { events, closeCode: reader.closeCode };
}

function textOf(reader: WsFrameReader, event: string): string {
  if (event === 'message') {
    return `message ${Buffer.from(reader.message.subarray(0, reader.messageLength))}`;
  }
  if (event === 'broken' || event === 'close') return event;
  return `${event} ${Buffer.from(reader.control.subarray(0, reader.controlLength))}`;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

test('golden bytes of RFC 6455 5.7: a masked text, its fragments, a ping between them', () => {
  const masked = hex('81 85 37 fa 21 3d 7f 9f 4d 51 58');
  assert.deepEqual(hear(masked).events, ['message Hello']);
  // "Hel" and "lo", masked with zeros.
  const fragments = hex('01 83 00000000 48656c 80 82 00000000 6c6f');
  assert.deepEqual(hear(fragments).events, ['message Hello']);
  const between = hex('01 83 00000000 48656c 89 81 00000000 21 80 82 00000000 6c6f');
  assert.deepEqual(hear(between).events, ['ping !', 'message Hello']);
  const twice = Buffer.concat([masked, masked]);
  assert.deepEqual(hear(twice).events, ['message Hello', 'message Hello']);
  assert.deepEqual(hear(hex('82 80 01020304')).events, ['message ']);
});

test('golden bytes of what is sent: texts of each length form, ping, pong, close, handshake', () => {
  const output = new Uint8Array(400);
  output.set(Buffer.from('Hello'), 4);
  assert.equal(sealWsFrame(output, 0, 5), 7);
  assert.deepEqual(Buffer.from(output.subarray(0, 7)), hex('81 05 48 65 6c 6c 6f'));
  assert.equal(sealWsFrame(output, 0, 256), 260);
  assert.deepEqual(Buffer.from(output.subarray(0, 4)), hex('81 7e 01 00'));
  assert.equal(writeWsControl(output, 1, WS_OPCODE.pong, Buffer.from('ab')), 4);
  assert.deepEqual(Buffer.from(output.subarray(1, 5)), hex('8a 02 61 62'));
  assert.equal(writeWsControl(output, 0, WS_OPCODE.ping, new Uint8Array(0)), 2);
  assert.deepEqual(Buffer.from(output.subarray(0, 2)), hex('89 00'));
  assert.equal(writeWsClose(output, 0, 1009), 4);
  assert.deepEqual(Buffer.from(output.subarray(0, 4)), hex('88 02 03 f1'));
  assert.equal(
    Buffer.from(wsHandshake('dGhlIHNhbXBsZSBub25jZQ==')).toString('latin1'),
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
  );
});

test('a handshake key is 16 bytes in base64', () => {
  assert.ok(isWsKey('dGhlIHNhbXBsZSBub25jZQ=='));
  for (const key of ['', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25j\r\n==', 'a'.repeat(24)]) {
    assert.ok(!isWsKey(key), key);
  }
});

test('a message is the same however its bytes are cut', () => {
  const long = 'ä'.repeat(40_000);
  const bytes = Buffer.concat([
    clientFrame(1, Buffer.from('{"a":1}')),
    clientFrame(1, Buffer.from(long).subarray(0, 33_333), false),
    clientFrame(9, Buffer.from('still there?')),
    clientFrame(0, Buffer.from(long).subarray(33_333), false),
    clientFrame(0, new Uint8Array(0)),
    clientFrame(8, hex('03e8 6279 65')),
  ]);
  const expected = ['message {"a":1}', 'ping still there?', `message ${long}`, 'close'];
  for (const step of [bytes.length, 8192, 1000, 7, 1]) {
    assert.deepEqual(hear(bytes, step).events, expected, `in steps of ${step}`);
  }
});

test('what breaks the protocol closes with 1002, in the bytes that break it', () => {
  const broken: Readonly<Record<string, string>> = {
    'not masked': '81 05 48656c6c6f',
    'a reserved bit': 'c1 85 00000000',
    'an unknown opcode': '83 80 00000000',
    'an unknown control opcode': '8b 80 00000000',
    'a control frame in parts': '09 80 00000000',
    'a control frame of 126 bytes': '89 fe 007e 00000000',
    'a continuation of nothing': '80 80 00000000',
    'a message within a message': '01 80 00000000 81 80 00000000',
    'a length of 16 bits that needs 7': '81 fe 007d 00000000',
    'a length of 64 bits that needs 16': '81 ff 000000000000ffff 00000000',
    'a close of one byte': '88 81 00000000 03',
    'a close code that is reserved': '88 82 00000000 03ed',
    'a close code below 1000': '88 82 00000000 03e7',
  };
  for (const [what, bytes] of Object.entries(broken)) {
    assert.deepEqual(hear(hex(bytes)), { events: ['broken'], closeCode: 1002 }, what);
  }
});

test('text and close reasons that are not UTF-8 close with 1007', () => {
  assert.deepEqual(hear(clientFrame(1, hex('c3 28'))), { events: ['broken'], closeCode: 1007 });
  const reason = clientFrame(8, hex('03e8 ff'));
  assert.deepEqual(hear(reason), { events: ['broken'], closeCode: 1007 });
  // A character may be cut by a frame's end, as long as the message is whole.
  const cut = Buffer.concat([clientFrame(1, hex('c3'), false), clientFrame(0, hex('a4'))]);
  assert.deepEqual(hear(cut).events, ['message ä']);
});

test('a frame or message above the limit closes with 1009, before it is there', () => {
  const announced = hex('81 ff 0000000000020001 00000000');
  assert.deepEqual(hear(announced), { events: ['broken'], closeCode: 1009 });
  assert.equal(hear(hex('81 ff ffffffffffffffff 00000000')).closeCode, 1009);
  const whole = clientFrame(1, Buffer.alloc(BYTES_MAX, 0x61));
  assert.equal(hear(whole, 8192).events.length, 1);
  const parts = Buffer.concat([
    clientFrame(1, Buffer.alloc(BYTES_MAX - 1, 0x61), false),
    clientFrame(0, Buffer.alloc(2, 0x61)),
  ]);
  assert.deepEqual(hear(parts, 8192), { events: ['broken'], closeCode: 1009 });
});

test('a message of endless empty fragments is ended', () => {
  const fragments = [clientFrame(1, new Uint8Array(0), false)];
  for (let count = 0; count < 2000; count++) {
    fragments.push(clientFrame(0, new Uint8Array(0), false));
  }
  assert.deepEqual(hear(Buffer.concat(fragments)), { events: ['broken'], closeCode: 1008 });
});

test('damaged frames break nothing and hold no more memory than the limit', (context) => {
  const random = new SeededRandom(testSeed(context, 6455));
  const golden = [
    clientFrame(1, Buffer.from('{"action":"announce"}')),
    clientFrame(1, Buffer.alloc(300, 0x61), false),
    clientFrame(0, Buffer.alloc(70_000, 0x62)),
    clientFrame(9, Buffer.from('ping')),
    clientFrame(8, hex('03e8')),
  ];
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.concat(
      Array.from({ length: 3 }, () => mutate(golden[below(random, golden.length)]!, random)),
    );
    const step = 1 + below(random, 9000);
    const { events } = hear(bytes, step, 4096);
    for (const event of events) assert.ok(Buffer.byteLength(event) <= 4096 * 3 + 8);
  }
});
