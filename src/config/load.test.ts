import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { codeOf, messageOf } from '#base/errors.ts';
import { below, SeededRandom } from '#base/random.ts';
import { ConfigError } from './errors.ts';
import { loadConfig } from './load.ts';
import { type Config, SECTIONS } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function load(toml: string, ...overrides: string[]): Config {
  const path = join(folder, 'swarmkeep.toml');
  writeFileSync(path, toml);
  return loadConfig({ file: { path, required: true }, overrides });
}

function refusal(run: () => unknown): {
  readonly code: string | undefined;
  readonly words: string;
} {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return { code: codeOf(error), words: messageOf(error).replaceAll(folder, 'DATA') };
  }
  assert.fail('nothing was refused');
}

test('defaults give way to the file, and the file to --set', () => {
  const defaults = loadConfig({ overrides: [] });
  assert.equal(defaults.site.port, 8080);
  const config = load('[site]\nport = 8081\naddress = "0.0.0.0"\n', 'site.port=8082');
  assert.equal(config.site.port, 8082);
  assert.equal(config.site.address, '0.0.0.0');
  assert.deepEqual(config.log, defaults.log);
});

test('every setting of every room has a default and says what it does', () => {
  for (const [section, schema] of Object.entries(SECTIONS)) {
    assert.equal(schema.safeParse({}).success, true, section);
    for (const [key, field] of Object.entries(schema.shape)) {
      const words = (field as { readonly description?: string }).description ?? '';
      assert.match(words, /[a-z].{10,}\.$/s, `${section}.${key} needs a description in sentences`);
    }
  }
});

test('a missing file is fine unless it was named', () => {
  const path = join(folder, 'nothing.toml');
  assert.equal(loadConfig({ file: { path, required: false }, overrides: [] }).site.port, 8080);
  const { code } = refusal(() => loadConfig({ file: { path, required: true }, overrides: [] }));
  assert.equal(code, 'CONFIG_UNREADABLE');
});

test('--set reads numbers, booleans, texts, lists and TOML as the schema wants them', () => {
  const { tracker, site } = load(
    '',
    'tracker.port=0',
    'site.publicUrl=https://a.example',
    'site.port = 81',
  );
  assert.equal(tracker.port, 0);
  assert.equal(site.publicUrl, 'https://a.example');
  assert.equal(site.port, 81);
  assert.deepEqual(load('', 'site.proxies=10.0.0.1, 10.0.0.2').site.proxies, [
    '10.0.0.1',
    '10.0.0.2',
  ]);
  assert.deepEqual(load('', 'site.proxies=["10.0.0.1"]').site.proxies, ['10.0.0.1']);
  assert.deepEqual(load('', 'site.proxies=').site.proxies, []);
  assert.equal(load('', 'site.publicUrl="https://b.example"').site.publicUrl, 'https://b.example');
});

test('sizes and times may carry a unit, in the file and in --set', () => {
  const { log } = load('[log]\nsegmentBytesMax = "8 MiB"\n', 'log.segmentAgeMsMax=2 h');
  assert.equal(log.segmentBytesMax, 8 * 2 ** 20);
  assert.equal(log.segmentAgeMsMax, 7_200_000);
});

test('a setting is read by its old name for a while, and its new one is told', () => {
  const path = join(folder, 'renamed.toml');
  const renamed = { 'site.listenPort': 'site.port', 'log.maxTopics': 'log.topicsMax' };
  const read = (text: string, ...overrides: string[]) => {
    writeFileSync(path, text);
    const warnings: string[] = [];
    const warn = (warning: string): void => void warnings.push(warning);
    const config = loadConfig({ file: { path, required: true }, overrides, renamed, warn });
    return { config, warnings };
  };
  const old = read('[site]\nlistenPort = 8099\n', 'log.maxTopics=12');
  assert.deepEqual([old.config.site.port, old.config.log.topicsMax], [8099, 12]);
  assert.equal(old.warnings.length, 2);
  assert.match(old.warnings[0] ?? '', /"site\.listenPort" in ".*" is called "site\.port" now/);
  const both = read('[site]\nlistenPort = 8099\nport = 8098\n');
  assert.deepEqual([both.config.site.port, both.warnings.length], [8098, 1]);
  assert.deepEqual(read('[site]\nport = 8098\n').warnings, []);
  const wrong = refusal(() => read('[site]\nlistenPort = 99999\n'));
  assert.match(wrong.words, /site\.port = 99999/);
});

test('an unknown setting is refused with the nearest one', () => {
  assert.deepEqual(
    refusal(() => load('[site]\nprot = 1\n')),
    {
      code: 'CONFIG_UNKNOWN_KEY',
      words: 'There is no setting "site.prot" in "DATA/swarmkeep.toml"; the nearest is "site.port"',
    },
  );
  assert.deepEqual(
    refusal(() => load('[trakcer]\nport = 1\n')),
    {
      code: 'CONFIG_UNKNOWN_KEY',
      words: 'There is no setting "trakcer" in "DATA/swarmkeep.toml"; the nearest is "tracker"',
    },
  );
  assert.deepEqual(
    refusal(() => load('', 'sit.port=1')),
    {
      code: 'CONFIG_UNKNOWN_KEY',
      words: 'There is no setting "sit" of --set; the nearest is "site"',
    },
  );
  assert.match(
    refusal(() => load('', 'site.prot=1')).words,
    /"site.prot" of --set; .* "site.port"/,
  );
});

test('a value that does not fit is refused with its place, its value and what is expected', () => {
  const wrong = refusal(() => load('[site]\nport = 70000\n'));
  assert.equal(wrong.code, 'CONFIG_INVALID');
  assert.match(wrong.words, /^Cannot use site\.port = 70000 in "DATA\/swarmkeep\.toml": .*65535/);
  const set = refusal(() => load('', 'site.port=eighty'));
  assert.match(set.words, /^Cannot use site\.port = "eighty" of --set: .*number/);
  assert.match(refusal(() => load('site = 5\n')).words, /^Cannot use site = 5 in/);
  assert.match(refusal(() => load('', 'site.port')).words, /expected section\.key=value/);
});

test('--set says the bound that a number is beyond, and what an address is', () => {
  for (const [override, words] of [
    ['site.port=99999', /^Cannot use site\.port = 99999 of --set: .*65535/],
    ['log.segmentBytesMax=1 B', /^Cannot use log\.segmentBytesMax = "1 B" of --set: .*4096/],
    ['tracker.addresses=["x"]', /^Cannot use tracker\.addresses\.0 = "x" of --set: .*IPv4 or IPv6/],
    ['tracker.addresses=localhost', /IPv4 or IPv6.*not looked up/],
    ['site.proxies=proxy', /IPv4 or IPv6/],
    ['site.publicUrl=javascript:x', /expected an address such as "https:\/\/swarm/],
    ['site.publicUrl=https://a.example/?x=1', /expected an address such as/],
    ['site.publicUrl=https://me:secret@a.example', /expected an address such as/],
    ['tracker.publicUrls.http=udp://a.example:1', /publicUrls\.http = .*such as "https:/],
    ['tracker.publicUrls.udp=http://a.example', /such as "udp:/],
    ['tracker.publicUrls.ws=https://a.example', /such as "wss:/],
  ] as const) {
    const refused = refusal(() => load('', override));
    assert.deepEqual([refused.code, words.test(refused.words)], ['CONFIG_INVALID', true], override);
  }
  const { tracker, site } = load(
    '[tracker]\naddresses = ["::", "10.0.0.1"]\n',
    'tracker.publicUrls.udp=udp://[2001:db8::1]:6969',
    'site.publicUrl=https://a.example/swarm',
  );
  assert.deepEqual(tracker.addresses, ['::', '10.0.0.1']);
  assert.equal(tracker.publicUrls.udp, 'udp://[2001:db8::1]:6969');
  assert.equal(site.publicUrl, 'https://a.example/swarm');
});

test('--set is not blamed for what the file has wrong', () => {
  const { words } = refusal(() => load('[site]\naddress = 7\n', 'site.port=81'));
  assert.match(words, /^Cannot use site\.address = 7 in/);
});

test('a file that is not TOML is refused with line and column', () => {
  const { code, words } = refusal(() => load('[site]\nport = = 1\n'));
  assert.equal(code, 'CONFIG_SYNTAX');
  assert.match(words, /^Cannot parse DATA\/swarmkeep\.toml:2:\d+: /);
});

test('--set cannot reach the prototype of all objects', () => {
  for (const override of ['site.__proto__.spoiled=1', 'site.constructor.prototype.spoiled=1']) {
    assert.equal(refusal(() => load('', override)).code, 'CONFIG_UNKNOWN_KEY');
  }
  assert.equal(Object.hasOwn(Object.prototype, 'spoiled'), false);
});

test('mutated files and words are read or refused, never anything else', () => {
  const seed = Number(process.env.SEED ?? 7);
  const random = new SeededRandom(seed);
  const text = '[site]\nport = 8081\npublicUrl = "https://a.example"\n[log]\ntopicsMax = 12\n';
  for (let round = 0; round < 2000; round++) {
    const characters = [...text];
    for (let change = below(random, 4); change >= 0; change--) {
      const at = below(random, characters.length);
      characters.splice(at, below(random, 3), String.fromCharCode(below(random, 128)));
    }
    const mutated = characters.join('');
    const { words } = outcome(() => load(mutated, mutated.slice(below(random, 60))));
    assert.ok(words.length < 2000, `SEED=${seed} round ${round}`);
  }
});

function outcome(run: () => unknown): { readonly words: string } {
  try {
    run();
    return { words: '' };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { words: messageOf(error) };
  }
}
