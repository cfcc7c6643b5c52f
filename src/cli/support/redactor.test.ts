import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Redactor } from './redactor.ts';

const redactor = new Redactor({
  secrets: ['correct horse battery', 'hunter22'],
  known: ['transfers', 'control'],
  dataPath: '/srv/swarmkeep',
  showsAddresses: false,
});
const cut = (text: string): string => redactor.text(text);

test('known secrets are cut wherever they stand', () => {
  assert.equal(cut('it said correct horse battery to hunter22!'), 'it said [secret] to [secret]!');
});

test('of a URL the scheme, the port and a host of this machine are left', () => {
  assert.equal(
    cut('at postgres://keep:pa55@db.example.org:5432/community?sslmode=on failed'),
    'at postgres://[host]:5432/[cut] failed',
  );
  assert.equal(cut('http://127.0.0.1:6969/shortkey/announce?x=1'), 'http://127.0.0.1:6969/[cut]');
  assert.equal(cut('udp://[2001:db8::7]:6969'), 'udp://[host]:6969');
  assert.equal(cut('GET /torrents?search=my+own+film HTTP'), 'GET /torrents?[cut] HTTP');
  assert.equal(cut('/k3y/announce'), '/[cut]/announce');
});

test('what is called a secret is cut, and words that only look drawn', () => {
  assert.equal(cut('password=open sesame'), 'password=[cut] sesame');
  assert.equal(cut('smtpPassword: "a b c", port: 25'), 'smtpPassword: [cut], port: 25');
  assert.equal(cut('Authorization: Bearer abcdef'), 'Authorization: [cut] [cut]');
  assert.equal(cut('key 0a1b2c3d4e5f60718293a4b5c6d7e8f9 of'), 'key [cut] of');
  assert.equal(cut('key Dp-JpFyXWMvDaCHLsZaVaSag-lghHnNM'), 'key [cut]', 'without a figure');
  assert.equal(cut('at processTicksAndRejections'), 'at processTicksAndRejections');
  assert.equal(cut('AbCd+12/34567890abcdefgh+12='), '[cut]');
  assert.equal(cut('segment 00000000000000000042.log'), 'segment 00000000000000000042.log');
  assert.equal(cut('archive/downloads/web-seed.ts:12'), 'archive/downloads/web-seed.ts:12');
});

test('addresses of the network are cut, those of this machine and times are not', () => {
  assert.equal(cut('from 203.0.113.9:51413'), 'from [address]:51413');
  assert.equal(cut('from [2001:db8::9]:51413 on ::1'), 'from [[address]]:51413 on ::1');
  assert.equal(cut('peer 2001:db8::9, 127.0.0.1'), 'peer [address], 127.0.0.1');
  assert.equal(cut('at 12:30:05, in file.ts:10:20'), 'at 12:30:05, in file.ts:10:20');
  assert.equal(cut('anna.b@mail.example.org wrote'), '[mail] wrote');
});

test('quoted words that are not known are cut: members and torrents are named so', () => {
  assert.equal(cut('No member is called "anna"'), 'No member is called "[cut]"');
  assert.equal(cut('The topic "transfers"'), 'The topic "transfers"');
  assert.equal(cut('Cannot open "/srv/swarmkeep/log/x"'), 'Cannot open "/srv/swarmkeep/log/x"');
  assert.equal(cut('Cannot open "/home/anna/Film"'), 'Cannot open "[cut]"');
});

test('addresses are shown when they are asked for, secrets never', () => {
  const shows = new Redactor({
    ...{ secrets: [], known: [], dataPath: '/srv', showsAddresses: true },
  });
  assert.equal(
    shows.text('203.0.113.9 http://u:p@tracker.example.org/k/announce'),
    '203.0.113.9 http://tracker.example.org/[cut]',
  );
});

test('any drawn key is cut from any text around it', () => {
  const key = fc
    .tuple(fc.stringMatching(/^[A-Za-z0-9_-]{30,64}$/), fc.stringMatching(/^[a-z][0-9]$/))
    .map(([long, mixed]) => long + mixed);
  const around = fc.stringMatching(/^[ -~]{0,40}$/);
  fc.assert(
    fc.property(around, key, around, (before, drawn, behind) => {
      assert.equal(cut(`${before}/${drawn} ${behind}`).includes(drawn), false);
      assert.equal(cut(`${before}"${drawn}"${behind}`).includes(drawn), false);
    }),
    { numRuns: 500 },
  );
});
