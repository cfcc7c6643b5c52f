import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { clientName } from './peer-id.ts';

test('peer ids of the clients in use are told', () => {
  for (const [peerId, name, version] of [
    ['-qB4520-abcdefghijkl', 'qBittorrent', '4.5.2'],
    ['-LT2080-abcdefghijkl', 'libtorrent', '2.0.8'],
    ['-TR3000-abcdefghijkl', 'Transmission', '3.00'],
    ['-TR4050-abcdefghijkl', 'Transmission', '4.0.5'],
    ['-TR2940-abcdefghijkl', 'Transmission', '2.94'],
    ['A2-1-36-0-abcdefghij', 'aria2', '1.36.0'],
    ['-lt0D80-abcdefghijkl', 'rTorrent', '0.13.8'],
    ['-DE2110-abcdefghijkl', 'Deluge', '2.1.1'],
    ['-UT3560-abcdefghijkl', 'µTorrent', '3.5.6'],
    ['-WW0203-abcdefghijkl', 'WebTorrent', '2.3'],
    ['M7-9-2--abcdefghijkl', 'BitTorrent', '7.9.2'],
    ['T03I-----bcdefghijkl', 'BitTornado', '0.3.18'],
    ['-ZZ1000-abcdefghijkl', 'Unknown (ZZ)', '1.0'],
    ['\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', 'Unknown', ''],
  ] as const) {
    const told = clientName(utf8(peerId));
    assert.deepEqual([told.name, told.version], [name, version], peerId);
  }
});

test('any bytes give a name, and a prefix that is safe to print', () => {
  const random = new SeededRandom(61);
  for (let round = 0; round < 5_000; round++) {
    const told = clientName(random.bytes(round % 24));
    assert.match(told.prefix, /^[\x21-\x7e]{0,8}$/);
    assert.notEqual(told.name, '');
  }
});
