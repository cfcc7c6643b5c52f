import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import {
  type ControlMessage,
  controlKey,
  decodeControl,
  encodeControl,
} from './control-message.ts';

const MESSAGES: readonly (readonly [string, ControlMessage])[] = [
  [
    'member:7',
    {
      kind: 'member',
      memberId: 7,
      passkeys: ['abc', 'def'],
      state: 'banned',
      reason: 'shared his passkey',
      mayLeech: false,
      isProtected: true,
    },
  ],
  [
    'torrent:12',
    {
      kind: 'torrent',
      torrentId: 12,
      infoHashV1: '0123456789abcdef0123456789abcdef01234567',
      infoHashV2: 'ff23456789abcdef0123456789abcdef01234567',
      state: 'active',
      reason: '',
      uploadCreditPercent: 200,
      downloadCreditPercent: 0,
    },
  ],
  [
    'download-key:k9',
    { kind: 'download-key', key: 'k9', memberId: 7, torrentId: 12, state: 'revoked' },
  ],
  [
    'address-ban:5',
    {
      kind: 'address-ban',
      banId: 5,
      network: '2001:db8::/32',
      state: 'active',
      reason: 'a rented botnet',
    },
  ],
  [
    'settings',
    { kind: 'settings', mode: 'listed', clientsAllowed: [], clientsDenied: ['-XL', '-SD'] },
  ],
  [
    'credit-window:3',
    {
      kind: 'credit-window',
      windowId: 3,
      memberId: 0,
      torrentId: 12,
      state: 'active',
      uploadCreditPercent: 200,
      downloadCreditPercent: 0,
      fromMs: 0,
      untilMs: 2 ** 53 - 1,
    },
  ],
];

test('every message is read as it was written, under its key', () => {
  for (const [key, message] of MESSAGES) {
    assert.equal(controlKey(message), key);
    assert.deepEqual(decodeControl(encodeControl(message, 41)), { message, outboxId: 41 });
  }
});

test('unknown fields are ignored and unknown kinds skipped', () => {
  const [, message] = MESSAGES[0] ?? [];
  const newer = { ...message, outboxId: 1, colour: 'green' };
  assert.deepEqual(decodeControl(utf8(JSON.stringify(newer))), { message, outboxId: 1 });
  assert.equal(decodeControl(utf8('{"kind":"weather","outboxId":1}')), undefined);
});

test('a message with a field of another form is no message', () => {
  const wrong: Readonly<Record<string, unknown>> = {
    memberId: -1,
    windowId: 0,
    fromMs: -1,
    untilMs: 2 ** 53,
    torrentId: 2 ** 32,
    passkeys: 'abc',
    state: 'asleep',
    reason: 1,
    mayLeech: 'yes',
    isProtected: null,
    infoHashV1: 'ABC',
    infoHashV2: 5,
    uploadCreditPercent: -1,
    downloadCreditPercent: 65_536,
    key: 3,
    mode: 'shut',
    clientsAllowed: [1],
    clientsDenied: {},
    outboxId: 1.5,
  };
  for (const [, message] of MESSAGES) {
    for (const field of [...Object.keys(message), 'outboxId']) {
      if (field === 'kind') continue;
      const damaged = { ...message, outboxId: 1, [field]: wrong[field] };
      assert.equal(decodeControl(utf8(JSON.stringify(damaged))), undefined, field);
    }
  }
  const [, torrent] = MESSAGES[1] ?? [];
  const hashless = { ...torrent, outboxId: 1, infoHashV1: undefined, infoHashV2: undefined };
  assert.equal(decodeControl(utf8(JSON.stringify(hashless))), undefined);
});

test('any damaged message is read or skipped', (context) => {
  const random = new SeededRandom(testSeed(context, 51));
  for (let round = 0; round < 10_000; round++) {
    const [, message] = MESSAGES[round % MESSAGES.length] ?? [];
    assert.ok(message !== undefined);
    const decoded = decodeControl(mutate(encodeControl(message, round), random));
    if (decoded !== undefined) assert.match(controlKey(decoded.message), /^[a-z-]+/);
  }
});
