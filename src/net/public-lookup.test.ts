import assert from 'node:assert/strict';
import test from 'node:test';
import { NodeHttpClient } from './http-client.ts';
import { isPublicAddress, lookupPublic, refusePrivateHost } from './public-lookup.ts';

test('addresses of this machine and of private networks are none of the internet', () => {
  for (const address of ['127.0.0.1', '10.1.2.3', '192.168.1.1', '169.254.169.254', '::1']) {
    assert.equal(isPublicAddress(address), false, address);
    const host = address.includes(':') ? `[${address}]` : address;
    assert.throws(() => refusePrivateHost(new URL(`http://${host}/`)), {
      code: 'NET_ADDRESS_FORBIDDEN',
    });
  }
  for (const mapped of ['::ffff:127.0.0.1', '64:ff9b::7f00:1', '0.0.0.0', 'fd00::1', 'x']) {
    assert.equal(isPublicAddress(mapped), false, mapped);
  }
  assert.equal(isPublicAddress('1.1.1.1'), true);
  assert.equal(isPublicAddress('2606:4700::1111'), true);
  refusePrivateHost(new URL('http://1.1.1.1/'));
});

test('a name that leads to this machine is refused when it is looked up', async () => {
  for (const all of [true, false]) {
    const error = await new Promise((resolve) => {
      lookupPublic('localhost', { all }, (failure) => resolve(failure));
    });
    assert.equal((error as { code?: string }).code, 'NET_ADDRESS_FORBIDDEN');
  }
});

test('a client of public addresses asks nobody on this machine, by name or by number', async () => {
  const client = new NodeHttpClient({ isPublicOnly: true });
  // Written as one number it is the same address; a URL says so.
  for (const host of ['localhost', '127.0.0.1', '2130706433', '[::1]']) {
    const request = { method: 'GET', headers: {}, answerBytesMax: 10, idleMsMax: 5000 };
    const url = new URL(`http://${host}:9/`);
    await assert.rejects(client.send({ ...request, url }), (error: Error) => {
      const codes = [error, error.cause as Error].map((one) => (one as { code?: string })?.code);
      return codes.includes('NET_ADDRESS_FORBIDDEN');
    });
  }
  client.close();
});
