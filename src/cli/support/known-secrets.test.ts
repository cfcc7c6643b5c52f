// A secret planted in every place that a bundle is made from is not in the bundle: settings, key files, log
// lines and their fields, URLs, labels of metrics, quoted errors.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '#config/load.ts';
import { SECTIONS } from '#config/schema.ts';
import { knownSecrets } from './known-secrets.ts';
import { redactedLine } from './log-lines.ts';
import { redactedMetrics } from './redacted-metrics.ts';
import { CUT_SETTINGS, redactedSettings } from './redacted-settings.ts';
import { Redactor } from './redactor.ts';

test('a secret planted in settings, key files, log lines, URLs or labels is in no bundle', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-secrets-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'keys'));
  writeFileSync(join(folder, 'keys/log-api'), 'KEYFILESECRET');
  writeFileSync(
    join(folder, 's3.json'),
    '{"accessKeyId":"planted-id","secretAccessKey":"plantedS3"}',
  );
  const config = loadConfig({
    overrides: [
      'sql.url=postgres://keep:plantedsql@db.example.org/x',
      'site.smtpUrl=smtp://plantedmail@mail.example.org:25',
      'log.deleteHook=/bin/keep,plantedhook',
      'site.publicUrl=https://planted-host.example.org',
      `s3.keyFile=${join(folder, 's3.json')}`,
    ],
  });
  const redactor = new Redactor({
    secrets: knownSecrets(folder, config),
    known: [],
    dataPath: folder,
    showsAddresses: false,
  });
  const line = (fields: object): unknown => redactedLine(JSON.stringify(fields), redactor);
  const bundle = JSON.stringify([
    redactedSettings(config, redactor),
    line({ msg: 'it quoted KEYFILESECRET and plantedS3', count: 3 }),
    line({ msg: 'x', error: 'connect postgres://keep:plantedsql@db/x failed: plantedsql' }),
    line({ msg: 'GET /torrents?search=planted-search', peer: 'planted-peer 203.0.113.9' }),
    line({
      msg: 'No torrent is called "planted title"',
      memberId: 424242,
      detail: { a: 'planted' },
    }),
    redactedLine('plain: token=planted-plain', redactor),
    redactedLine('{"broken": "password=planted-broken', redactor),
    redactedMetrics(
      'a_total{client="/plantedkeyplanted123/announce",ip="203.0.113.9"} 1',
      redactor,
    ),
  ]);
  for (const secret of ['planted', 'KEYFILESECRET', '203.0.113.9', '424242']) {
    assert.ok(!bundle.includes(secret), `${secret} in ${bundle}`);
  }
  assert.ok(bundle.includes('"count":3'));
  assert.ok(bundle.includes('"changed":["site.publicUrl"'));
});

test('settings that are cut whole exist, and no other setting is called a secret', () => {
  const names = Object.entries(SECTIONS).flatMap(([section, { shape }]) =>
    Object.keys(shape).map((key) => `${section}.${key}`),
  );
  for (const name of CUT_SETTINGS) assert.ok(names.includes(name), name);
  const suspicious = names.filter((name) =>
    /(password|secret|token|credentials?|url)$/i.test(name),
  );
  const harmless = ['site.publicUrl'];
  assert.deepEqual(
    suspicious.filter((name) => ![...CUT_SETTINGS, ...harmless].includes(name)),
    [],
  );
});
