import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from './ip-address.ts';
import { IpNetworks, parseNetwork, UNREACHABLE_NETWORKS } from './ip-network.ts';

function has(networks: IpNetworks, text: string): boolean {
  const address = new Uint8Array(16);
  const family = parseIp(text, address);
  assert(family !== 0, text);
  return networks.has(address, family);
}

test('a network holds the addresses that share its prefix, to the bit', () => {
  const networks = new IpNetworks(['10.1.2.0/23', '192.0.2.7', '2001:db8:8000::/33', '::/0']);
  for (const inside of ['10.1.2.0', '10.1.3.255', '192.0.2.7', '2001:db8:ffff::1', 'fe80::1']) {
    assert(has(networks, inside), inside);
  }
  for (const outside of ['10.1.1.255', '10.1.4.0', '192.0.2.6', '192.0.2.8']) {
    assert(!has(networks, outside), outside);
  }
  assert(!has(new IpNetworks(['2001:db8:8000::/33']), '2001:db8:7fff::1'));
  assert(has(new IpNetworks(['0.0.0.0/0']), '255.255.255.255'));
  assert(!has(new IpNetworks([]), '127.0.0.1'));
});

test('an IPv4-mapped address is in the IPv4 network, and a mapped network is that of IPv4', () => {
  assert(has(new IpNetworks(['10.0.0.0/8']), '::ffff:10.9.9.9'));
  assert(has(new IpNetworks(['::ffff:10.0.0.0/104']), '10.9.9.9'));
  assert(!has(new IpNetworks(['::ffff:10.0.0.0/104']), '11.0.0.0'));
});

test('what is no network is none', () => {
  const texts = ['', '/', '10.0.0.0/33', '::/129', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0/8'];
  for (const text of [...texts, 'localhost', '10.0.0.0/', '::ffff:10.0.0.0/95', '1.2.3.4/ 8']) {
    assert.equal(parseNetwork(text), undefined, text);
  }
});

test('nobody outside can be dialled at private, local, shared, mapped or multicast addresses', () => {
  const unreachable =
    '127.0.0.1 10.0.0.1 172.31.0.1 192.168.1.1 169.254.169.254 100.100.0.1 0.0.0.0 224.0.0.1 255.255.255.255 ::1 :: fe80::1 fc00::1 fd12::1 ff02::1 ::ffff:10.0.0.1 64:ff9b::a00:1 2002:a00:1::1 ::127.0.0.1 fec0::1';
  for (const text of unreachable.split(' ')) assert(has(UNREACHABLE_NETWORKS, text), text);
  for (const text of ['1.1.1.1', '172.32.0.1', '223.255.255.255', '2606:4700::1', '2a01::1']) {
    assert(!has(UNREACHABLE_NETWORKS, text), text);
  }
});
