import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIp } from './ip-address.ts';
import { formatNetwork, type Network, NetworkTable, parseNetwork } from './networks.ts';

function network(text: string): Network {
  const found = parseNetwork(text);
  assert.ok(found !== undefined, text);
  return found;
}

function find<Value>(table: NetworkTable<Value>, text: string): Value | undefined {
  const address = new Uint8Array(16);
  const family = parseIp(text, address);
  assert.ok(family !== 0);
  return table.find(address, family);
}

test('parseNetwork() reads addresses and prefixes of both families, and nothing else', () => {
  const good: readonly (readonly [string, string])[] = [
    ['203.0.113.7', '203.0.113.7/32'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    [' 10.255.255.255/8 ', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8:1:2::5/33', '2001:db8::/33'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['::ffff:203.0.113.7', '203.0.113.7/32'],
    ['::ffff:203.0.113.7/120', '203.0.113.0/24'],
  ];
  for (const [text, written] of good) assert.equal(formatNetwork(network(text)), written, text);
  const bad = ['', '/', 'here', '1.2.3', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/', '1.2.3.4/8/8'];
  bad.push('::/129', '1.2.3.256', 'fe80::1%eth0', '1.2.3.4/0x8', '::ffff:1.2.3.4/90');
  for (const text of bad) assert.equal(parseNetwork(text), undefined, text);
});

test('a table answers with the narrowest network that an address lies in', () => {
  const table = new NetworkTable<string>();
  assert.equal(find(table, '10.1.2.3'), undefined);
  for (const text of ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '2001:db8::/32', '::/0']) {
    table.set(network(text), text);
  }
  assert.equal(find(table, '10.1.2.3'), '10.1.2.3');
  assert.equal(find(table, '10.1.2.4'), '10.1.0.0/16');
  assert.equal(find(table, '10.2.0.0'), '10.0.0.0/8');
  assert.equal(find(table, '11.0.0.0'), undefined);
  assert.equal(find(table, '::ffff:10.1.2.3'), '10.1.2.3');
  assert.equal(find(table, '2001:db8:ffff::1'), '2001:db8::/32');
  assert.equal(find(table, '2001:db9::'), '::/0');
  table.set(network('10.1.0.0/16'), 'again');
  assert.equal(table.size, 5);
  table.delete(network('10.1.2.3'));
  table.delete(network('10.1.2.3'));
  assert.equal(find(table, '10.1.2.3'), 'again');
  assert.equal(table.size, 4);
  table.clear();
  assert.equal(find(table, '10.1.2.3'), undefined);
  assert.equal(table.size, 0);
});

test('a table finds what a walk over every network finds', () => {
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((four) => four.map((b) => b & 3));
  const text = fc.tuple(bytes, fc.nat(32)).map(([four, bits]) => `${four.join('.')}/${bits}`);
  fc.assert(
    fc.property(fc.array(text, { maxLength: 12 }), bytes, (texts, address) => {
      const table = new NetworkTable<number>();
      for (const one of texts) table.set(network(one), network(one).prefixBits);
      const whole = new Uint8Array(16);
      whole.set(address);
      const isIn = (one: string): boolean => {
        const { prefixBits } = network(one);
        const here = network(`${address.join('.')}/${prefixBits}`);
        return Buffer.from(here.address).equals(network(one).address);
      };
      const prefixes = texts.filter(isIn).map((one) => network(one).prefixBits);
      const expected = prefixes.length === 0 ? undefined : Math.max(...prefixes);
      assert.equal(table.find(whole, 4), expected);
    }),
  );
});
