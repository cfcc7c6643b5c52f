import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemRandom } from '#base/random.ts';
import { siteConfig } from '#site/config.ts';
import { checkPassword, generatePassword, Passwords } from './passwords.ts';

function passwords(overrides: Record<string, number> = {}): Passwords {
  const config = { ...siteConfig.parse({}), passwordMemoryKib: 8, passwordPasses: 1, ...overrides };
  return new Passwords({ random: new SystemRandom(), config });
}

test('a hash is a PHC string with a salt of its own and fits its password alone', async () => {
  const made = passwords();
  const [first, second] = [await made.hash('tortoise lamp'), await made.hash('tortoise lamp')];
  assert.match(first, /^\$argon2id\$v=19\$m=8,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.notEqual(first, second);
  assert.equal(await made.verify('tortoise lamp', first), true);
  assert.equal(await made.verify('tortoise lamb', first), false);
  assert.equal(await made.verify('tortoise lamp', undefined), false);
  assert.equal(await made.verify('tortoise lamp', null), false);
});

test('a hash made with another cost, and by another program, is still understood', async () => {
  // Made by the reference implementation: argon2 somesalt -id -t 2 -m 16 -p 1, "password".
  const known =
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  assert.equal(await passwords().verify('password', known), true);
  assert.equal(await passwords().verify('Password', known), false);
});

test('the same word typed on two systems is the same password', async () => {
  const made = passwords();
  const hash = await made.hash('caf\u00e9 au lait');
  assert.equal(await made.verify('cafe\u0301 au lait', hash), true);
});

test('a stored hash that cannot be read, or asks for too much, is an error', async () => {
  const tail = '$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  for (const stored of [
    '',
    'plain',
    `$argon2i$v=19$m=8,t=1,p=1${tail}`,
    `$argon2id$v=19$m=8,t=999,p=1${tail}`,
  ]) {
    await assert.rejects(passwords().verify('x', stored), { code: 'SITE_PASSWORD_HASH' });
  }
});

test('a few are hashed at once, a bounded number waits, the next one is refused', async () => {
  const made = passwords({ passwordsAtOnce: 1, passwordsWaitingMax: 2 });
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map(() => made.hash('tortoise lamp')));
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
  );
  assert.equal(await made.verify('tortoise lamp', await made.hash('tortoise lamp')), true);
});

test('passwords that are too short, too long or the name are refused in words', () => {
  assert.equal(checkPassword('tortoise lamp', 'olga'), undefined);
  assert.equal(checkPassword('1234567', 'olga')?.code, 'password-short');
  assert.equal(checkPassword('x'.repeat(257), 'olga')?.code, 'password-long');
  assert.equal(checkPassword('Olga.Petrova', 'olga.petrova')?.code, 'password-name');
  assert.match(generatePassword(new SystemRandom()), /^([0-9a-f]{6}-){3}[0-9a-f]{6}$/);
});
