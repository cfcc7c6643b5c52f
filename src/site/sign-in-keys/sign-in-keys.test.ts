// Keys of devices against a device made of node:crypto, which answers as the standard says, and wrongly.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { TEST_PASSWORD, type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

const PARTY = '127.0.0.1';
const ORIGIN = 'http://127.0.0.1:8080';

interface Wrongs {
  readonly origin?: string;
  readonly party?: string;
  readonly challenge?: string;
  readonly type?: string;
  readonly flags?: number;
  readonly uses?: number;
}

class Device {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #algorithm: number;
  readonly #credential = Buffer.from('credential of the device');
  #uses = 0;

  constructor(algorithm: -7 | -8) {
    const pair =
      algorithm === -7
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
    this.#algorithm = algorithm;
    this.#privateKey = pair.privateKey;
    this.#publicKey = pair.publicKey;
  }

  make(challenge: string, wrong: Wrongs = {}) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.#credential.byteLength);
    const head = this.#head({ flags: 0x45, ...wrong });
    const authData = Buffer.concat([head, Buffer.alloc(16), length, this.#credential]);
    return {
      credential: this.#credential.toString('base64url'),
      clientData: clientData(challenge, { type: 'webauthn.create', ...wrong }),
      authData: authData.toString('base64url'),
      publicKey: this.#publicKey.export({ format: 'der', type: 'spki' }).toString('base64url'),
      algorithm: String(this.#algorithm),
    };
  }

  use(challenge: string, wrong: Wrongs = {}) {
    this.#uses += 1;
    const authData = this.#head(wrong);
    const said = clientData(challenge, { type: 'webauthn.get', ...wrong });
    const hash = createHash('sha256').update(Buffer.from(said, 'base64url')).digest();
    const signed = Buffer.concat([authData, hash]);
    const digest = this.#algorithm === -7 ? 'sha256' : null;
    return {
      credential: this.#credential.toString('base64url'),
      clientData: said,
      authData: authData.toString('base64url'),
      signature: sign(digest, signed, this.#privateKey).toString('base64url'),
    };
  }

  #head({ party = PARTY, flags = 0x05, uses = this.#uses }: Wrongs): Buffer {
    const rest = Buffer.alloc(5);
    rest.writeUInt8(flags);
    rest.writeUInt32BE(uses, 1);
    return Buffer.concat([createHash('sha256').update(party).digest(), rest]);
  }
}

function clientData(challenge: string, wrong: Wrongs): string {
  const said = {
    type: wrong.type,
    challenge: wrong.challenge ?? challenge,
    origin: wrong.origin ?? ORIGIN,
    crossOrigin: false,
  };
  return Buffer.from(JSON.stringify(said)).toString('base64url');
}

function challengeIn(text: string): string {
  const challenge = /&quot;challenge&quot;:&quot;([\w-]{43})&quot;/.exec(text)?.[1];
  assert.ok(challenge !== undefined, 'the page holds a challenge');
  return challenge;
}

async function askToMake(browser: TestBrowser): Promise<string> {
  await browser.get('/me/sign-in-keys');
  const fields = { label: 'The laptop', current: TEST_PASSWORD };
  return challengeIn((await browser.post('/me/sign-in-keys', fields)).text);
}

async function signInBy(site: TestSite, device: Device, wrong: Wrongs = {}): Promise<string> {
  const browser = site.browser();
  const challenge = challengeIn((await browser.get('/sign-in/key?next=/members')).text);
  return (await browser.post('/sign-in/key', device.use(challenge, wrong))).location;
}

forEachDatabase((database, open) => {
  for (const algorithm of [-7, -8] as const) {
    test(`${database}: a key of the device (${algorithm}) is added with the password and signs in without it`, async () => {
      const site = await TestSite.open({ open });
      await site.addMember('mina');
      const mina = await site.signedIn('mina');
      const device = new Device(algorithm);
      await mina.post('/me/sign-in-keys/made', device.make(await askToMake(mina)));
      assert.match((await mina.get('/me/sign-in-keys')).text, /The laptop/);
      assert.equal(await signInBy(site, device), '/members');
      assert.equal(await signInBy(site, device), '/members');
      await mina.get('/me/sign-in-keys');
      await mina.post('/me/sign-in-keys/1/remove');
      assert.equal(await signInBy(site, device), '/sign-in', 'a key that was removed');
      await site.close();
    });
  }
});

test('an answer that is not the one to what was asked adds no key and signs nobody in', async () => {
  const site = await TestSite.open({ config: { signInsPerMinute: 1000 } });
  await site.addMember('mina');
  const mina = await site.signedIn('mina');
  const device = new Device(-7);
  const wrongs: readonly Wrongs[] = [
    { origin: 'http://evil.example' },
    { party: 'evil.example' },
    { challenge: 'A'.repeat(43) },
    { type: 'webauthn.other' },
    { flags: 0x41 },
    { flags: 0x44 },
  ];
  for (const wrong of wrongs) {
    await mina.post('/me/sign-in-keys/made', device.make(await askToMake(mina), wrong));
    assert.match((await mina.get('/me/sign-in-keys')).text, /You have no sign-in keys/);
  }
  await mina.post('/me/sign-in-keys/made', device.make(await askToMake(mina)));
  for (const wrong of wrongs) {
    assert.equal(await signInBy(site, device, wrong), '/sign-in', JSON.stringify(wrong));
  }
  assert.equal(await signInBy(site, device), '/members');
  assert.equal(await signInBy(site, device, { uses: 1 }), '/sign-in', 'a count that goes back');
  assert.equal(await signInBy(site, new Device(-7)), '/sign-in', 'another device of that name');
  await site.close();
});

test('a challenge is used once, by the browser that asked, and for the member that asked', async () => {
  const site = await TestSite.open();
  await site.addMember('mina');
  await site.addMember('pavel');
  const mina = await site.signedIn('mina');
  const pavel = await site.signedIn('pavel');
  const device = new Device(-7);
  const challenge = await askToMake(mina);
  await pavel.get('/me/sign-in-keys');
  pavel.cookies.set('swarmkeep-step', mina.cookies.get('swarmkeep-step') ?? '');
  await pavel.post('/me/sign-in-keys/made', device.make(challenge));
  assert.match((await pavel.get('/me/sign-in-keys')).text, /You have no sign-in keys/);
  await mina.post('/me/sign-in-keys/made', device.make(challenge));
  assert.match(
    (await mina.get('/me/sign-in-keys')).text,
    /You have no sign-in keys/,
    'it was used',
  );
  await mina.post('/me/sign-in-keys/made', device.make(await askToMake(mina)));
  const here = site.browser();
  const page = await here.get('/sign-in/key');
  const answer = device.use(challengeIn(page.text));
  const there = site.browser();
  await there.get('/sign-in/key');
  assert.equal((await there.post('/sign-in/key', answer)).location, '/sign-in');
  assert.equal((await here.post('/sign-in/key', answer)).location, '/torrents');
  await here.post('/sign-out');
  await here.get('/sign-in');
  assert.equal((await here.post('/sign-in/key', answer)).location, '/sign-in');
  await pavel.get('/me/sign-in-keys');
  assert.equal((await pavel.post('/me/sign-in-keys/1/remove')).status, 404);
  await site.close();
});

test('a banned member’s key signs nobody in, and says why', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  const mina = await site.signedIn('mina');
  const device = new Device(-7);
  await mina.post('/me/sign-in-keys/made', device.make(await askToMake(mina)));
  const olga = await site.signedIn('olga');
  await olga.get('/console/members/mina/ban');
  await olga.post('/console/members/mina/ban', { reason: 'spam' });
  const browser = site.browser();
  const challenge = challengeIn((await browser.get('/sign-in/key')).text);
  await browser.post('/sign-in/key', device.use(challenge));
  assert.match((await browser.get('/sign-in')).text, /banned: spam/);
  await site.close();
});
