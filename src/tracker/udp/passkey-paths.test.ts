import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { hashOf } from '#sim/announces.ts';
import { SlotSocket } from '#sim/slot-socket.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { Admission, type AnnounceKey } from '#tracker/announce/admit.ts';
import { newAnnounceRequest } from '#tracker/announce/waiting.ts';
import { Directory } from '#tracker/directory/directory.ts';
import { PasskeyPaths } from './passkey-paths.ts';

const BITS = 0x1234_5678;

function keyOf(text: string): AnnounceKey {
  const passkey = new Uint8Array(64);
  passkey.set(utf8(text));
  return { passkey, passkeyBytes: text.length };
}

test('options that came before are found again, and only by all of their bytes', () => {
  const random = new SeededRandom(5);
  const bytes = random.bytes(200);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const length of [1, 2, 3, 4, 12, 43, 44, 45, 46, 63, 64]) {
    const paths = new PasskeyPaths();
    const at = 7;
    assert.equal(paths.find(view, at, length, BITS), undefined);
    paths.remember(view, at, length, { bits: BITS, key: keyOf('a-key'), memberId: 1 });
    const found = paths.find(view, at, length, BITS);
    assert.equal(found?.passkeyBytes, 5);
    assert.deepEqual(found?.passkey.subarray(0, 5), utf8('a-key'));
    assert.equal(paths.find(view, at, length - 1, BITS), undefined);
    assert.equal(paths.find(view, at, length + 1, BITS), undefined);
    for (let byte = at; byte < at + length; byte++) {
      bytes[byte]! ^= 1 << (byte & 7);
      assert.equal(paths.find(view, at, length, BITS), undefined, `${length} bytes, ${byte}`);
      bytes[byte]! ^= 1 << (byte & 7);
    }
    assert.equal(paths.find(view, at, length, BITS), found);
  }
});

test('options that are too long are not remembered, and others of the same place replace what was', () => {
  const view = new DataView(new SeededRandom(6).bytes(200).buffer);
  const paths = new PasskeyPaths();
  paths.remember(view, 0, 65, { bits: BITS, key: keyOf('long'), memberId: 1 });
  assert.equal(paths.find(view, 0, 65, BITS), undefined);
  paths.remember(view, 0, 40, { bits: BITS, key: keyOf('one'), memberId: 1 });
  paths.remember(view, 50, 40, { bits: BITS, key: keyOf('other'), memberId: 1 });
  assert.equal(paths.find(view, 0, 40, BITS), undefined);
  assert.equal(paths.find(view, 50, 40, BITS)?.passkeyBytes, 5);
});

test('whom a remembered key names is asked again after each change of the directory', () => {
  const settings = { mode: 'private', clientsAllowed: [], clientsDenied: [] } as const;
  const directory = new Directory({ settings, removedMax: 10 });
  directory.apply(memberMessage(1, 'key-of-member-1'));
  directory.apply(torrentMessage(1, 'aa'.repeat(20)));
  const swarm = {
    locate: (request: { torrentId: number }) => {
      request.torrentId = 1;
      return true;
    },
    openTorrent: () => false,
  };
  const admission = new Admission({ directory, swarm });
  const bytes = new Uint8Array(40).fill(1);
  const view = new DataView(bytes.buffer);
  const paths = new PasskeyPaths();
  paths.remember(view, 0, 40, { bits: BITS, key: keyOf('key-of-member-1'), memberId: 1 });
  const verdict = (): string | number => {
    const request = newAnnounceRequest();
    request.port = 1;
    const key = paths.find(view, 0, 40, BITS);
    assert.ok(key !== undefined);
    return admission.admit(request, key)?.code ?? request.memberId;
  };
  assert.equal(verdict(), 1);
  assert.equal(verdict(), 1);
  directory.apply(memberMessage(1, 'key-of-member-1', { state: 'banned' }));
  assert.equal(verdict(), 'member-banned');
  directory.apply(memberMessage(1, 'key-of-member-1'));
  assert.equal(verdict(), 1);
  directory.apply(memberMessage(1, 'another-key-of-1'));
  assert.equal(verdict(), 'passkey-unknown');
  directory.apply(memberMessage(2, 'key-of-member-1'));
  assert.equal(verdict(), 2);
  directory.clear();
  assert.equal(verdict(), 'passkey-unknown');
});

test('two members whose keys share a place are told apart within one batch of datagrams', async () => {
  const sockets: SlotSocket[] = [];
  const test = await TestTracker.start({
    openUdp: SlotSocket.opener((socket) => sockets.push(socket)),
    tracker: { addresses: ['127.0.0.1'] },
    accounting: { ack: 'memory' },
  });
  try {
    // The place follows from the first eight digits.
    const passkeys = [1, 2].map((member) => 'ab'.repeat(4) + String(member).repeat(24));
    await test.tell(memberMessage(1, passkeys[0]!), memberMessage(2, passkeys[1]!));
    await test.tell(torrentMessage(1, Buffer.from(hashOf(1)).toString('hex')));
    const socket = sockets[0]!;
    const { input, output } = socket;
    input.bytes.set([0, 0, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80], 0);
    input.lengths[0] = 16;
    input.addresses.set([10, 0, 0, 1], 0);
    input.count = 1;
    socket.receive();
    const id = output.bytes.slice(8, 16);
    const announce = (...members: readonly number[]): void => {
      for (const [slot, member] of members.entries()) {
        const at = slot * input.slotBytes;
        const path = utf8(`/${passkeys[member - 1]}/announce`);
        input.bytes.fill(0, at, at + 98);
        input.bytes.set(id, at);
        input.bytes[at + 11] = 1;
        input.bytes.set(hashOf(1), at + 16);
        input.bytes[at + 55] = member;
        input.bytes[at + 97] = member;
        input.bytes.set([2, path.byteLength, ...path], at + 98);
        input.lengths[slot] = 98 + 2 + path.byteLength;
        input.addresses.set([10, 0, 0, 1], slot * 16);
      }
      input.count = members.length;
      socket.receive();
    };
    const peersOf = (member: number) => test.swarm.peersOfMember(member, 10).length;
    for (let tries = 0; tries < 1000 && peersOf(1) + peersOf(2) < 2; tries++) {
      announce(1, 2);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const batch of [[1], [2, 1], [2], [1, 2], [1, 2, 1]]) {
      const { sent } = socket;
      announce(...batch);
      assert.equal(socket.sent - sent, batch.length, `${batch}`);
    }
    assert.deepEqual([peersOf(1), peersOf(2)], [1, 1]);
  } finally {
    await test.close();
  }
});
