import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#base/bytes.ts';
import { memberMessage, torrentMessage } from '#sim/test-tracker.ts';
import type { ControlMessage } from '#wire/control-message.ts';
import { Directory, type DirectoryTorrent } from './directory.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const OTHER = '99112233445566778899aabbccddeeff01234567';

function newDirectory(...messages: readonly ControlMessage[]): Directory {
  const directory = new Directory({
    settings: { mode: 'private', clientsAllowed: [], clientsDenied: [] },
    removedMax: 4,
  });
  for (const message of messages) directory.apply(message);
  return directory;
}

function holderOf(directory: Directory, passkey: string): number | undefined {
  const bytes = Buffer.from(passkey);
  return directory.passkeyHolder(bytes, bytes.byteLength)?.memberId;
}

test('a reset passkey stops with the message that starts the new one', () => {
  const directory = newDirectory(memberMessage(1, 'old'), memberMessage(1, 'new'));
  assert.deepEqual([holderOf(directory, 'old'), holderOf(directory, 'new')], [undefined, 1]);
});

test('several passkeys of a member are good at once, and a longer text that begins like one is not', () => {
  const directory = newDirectory(memberMessage(1, 'a', { passkeys: ['a', 'imported_key-64'] }));
  assert.equal(holderOf(directory, 'a'), 1);
  assert.equal(holderOf(directory, 'imported_key-64'), 1);
  assert.equal(holderOf(directory, 'aa'), undefined);
  // Only the given length counts, whatever stands behind it in the buffer.
  assert.equal(directory.passkeyHolder(Buffer.from('aXYZ'), 1)?.memberId, 1);
});

test('a key that moved to another member is not taken away by the first one', () => {
  const directory = newDirectory(memberMessage(1, 'k'), memberMessage(2, 'k'));
  directory.apply(memberMessage(1, 'own'));
  assert.equal(holderOf(directory, 'k'), 2);
});

test('a revoked download key names nobody, the others of the member go on', () => {
  const key = { kind: 'download-key', key: 'dl', memberId: 1, torrentId: 5 } as const;
  const directory = newDirectory(memberMessage(1, 'k'), { ...key, state: 'active' });
  assert.equal(holderOf(directory, 'dl'), 1);
  directory.apply({ ...key, state: 'revoked' });
  assert.deepEqual([holderOf(directory, 'dl'), holderOf(directory, 'k')], [undefined, 1]);
});

test('an address in a banned network is refused with the reason, until the ban ends', () => {
  const ban = (banId: number, network: string): ControlMessage => ({
    ...{ kind: 'address-ban', banId, network, state: 'active', reason: `ban ${banId}` },
  });
  const directory = newDirectory(ban(1, '10.1.0.0/16'), ban(2, '10.1.0.0/32'), ban(3, '::/1'));
  const words = (...bytes: number[]): string | undefined => {
    const address = new Uint8Array(16);
    address.set(bytes);
    return directory.addressRefusal(address, bytes.length === 4 ? 4 : 6)?.words;
  };
  assert.equal(words(10, 1, 2, 3), 'your network is banned here: ban 1');
  assert.equal(words(10, 1, 0, 0), 'your network is banned here: ban 2');
  assert.equal(words(10, 2, 0, 0), undefined);
  assert.match(words(0x20, 1, ...Array<number>(14).fill(0)) ?? '', /ban 3/);
  assert.equal(words(0x80, 1, ...Array<number>(14).fill(0)), undefined);
  // A ban that was made again under another number is not ended by the end of the first.
  directory.apply(ban(4, '10.1.0.0/16'));
  directory.apply({ ...ban(1, '10.1.0.0/16'), state: 'removed' } as ControlMessage);
  assert.match(words(10, 1, 2, 3) ?? '', /ban 4/);
  directory.apply({ ...ban(4, '10.1.0.0/16'), state: 'removed' } as ControlMessage);
  assert.equal(words(10, 1, 2, 3), undefined);
  assert.match(words(10, 1, 0, 0) ?? '', /ban 2/);
  const again = newDirectory(...directory.messages());
  assert.equal(again.messageCount, directory.messageCount);
  directory.clear();
  assert.equal(words(10, 1, 0, 0), undefined);
});

test('applying every message twice changes nothing, and the messages make it again', () => {
  const messages: ControlMessage[] = [
    memberMessage(1, 'one'),
    memberMessage(2, 'two', { state: 'banned', reason: 'why' }),
    torrentMessage(1, HASH),
    torrentMessage(2, OTHER, { state: 'removed', reason: 'gone' }),
    { kind: 'address-ban', banId: 1, network: '10.0.0.0/8', state: 'active', reason: '' },
    { kind: 'settings', mode: 'listed', clientsAllowed: [], clientsDenied: ['-X'] },
  ];
  const once = newDirectory(...messages);
  const twice = newDirectory(...messages.flatMap((message) => [message, message]));
  const again = newDirectory(...once.messages());
  for (const directory of [twice, again]) {
    assert.deepEqual(directory.sizes, once.sizes);
    assert.deepEqual(directory.settings, once.settings);
    assert.equal(directory.member(2)?.refusal?.words, 'your account is banned: why');
    const words = directory.torrentRefusal(Buffer.from(OTHER, 'hex'))?.words;
    assert.equal(words, 'unregistered torrent: gone');
  }
});

test('the observer sees each torrent once, and a change of credit alone is none', () => {
  const directory = newDirectory(torrentMessage(1, HASH));
  const seen: string[] = [];
  directory.observe({
    torrentAdded: (torrent: DirectoryTorrent) => seen.push(`+${torrent.torrentId}`),
    torrentRemoved: (torrentId) => seen.push(`-${torrentId}`),
    hashRemoved: (infoHash) => seen.push(`-${toHex(infoHash)}`),
    memberEnded: (memberId) => seen.push(`member ${memberId}`),
    networkBanned: () => seen.push('network'),
  });
  directory.apply(torrentMessage(1, HASH, { downloadCreditPercent: 0 }));
  directory.apply(torrentMessage(2, OTHER));
  directory.apply(torrentMessage(1, HASH, { state: 'removed' }));
  directory.apply(torrentMessage(1, HASH, { state: 'removed' }));
  assert.deepEqual([...new Set(seen)], ['+1', '+2', '-1', `-${HASH}`]);
});

test('a long or broken reason becomes one line of 200 characters', () => {
  const reason = `first\nsecond\t${'é'.repeat(400)}`;
  const directory = newDirectory(memberMessage(1, 'k', { state: 'banned', reason }));
  const words = directory.member(1)?.refusal?.words ?? '';
  assert.ok(words.startsWith('your account is banned: first second é'));
  assert.equal(words.length, 'your account is banned: '.length + 200);
});
