import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isModuleName, LogLevels, levelTable, parseModuleLevel } from './log-levels.ts';

test('a module has the level that is set nearest to it, else the level of all', () => {
  const levels = new LogLevels(levelTable('info', ['tracker=warn', 'tracker/net=debug']));
  assert.equal(levels.levelOf('sql'), 'info');
  assert.equal(levels.levelOf('tracker'), 'warn');
  assert.equal(levels.levelOf('tracker/baselines'), 'warn');
  assert.equal(levels.levelOf('tracker/net/udp'), 'debug');
  assert.equal(levels.levelOf('trackers'), 'info', 'a name that only begins alike is another');
  assert.equal(levels.isWritten('tracker', 'info'), false);
  assert.equal(levels.isWritten('tracker', 'error'), true);
});

test('a change of levels is in force for modules that were asked for before', () => {
  const levels = new LogLevels(levelTable('info', []));
  assert.equal(levels.isWritten('sql', 'debug'), false);
  levels.set(levelTable('error', ['sql=debug']));
  assert.equal(levels.isWritten('sql', 'debug'), true);
  assert.equal(levels.isWritten('site', 'warn'), false);
  assert.deepEqual(levels.modules, ['site', 'sql']);
});

test('what is no module and level is refused', () => {
  assert.deepEqual(parseModuleLevel('tracker/net=debug'), ['tracker/net', 'debug']);
  for (const wrong of ['tracker', '=debug', 'tracker=loud', '/x=info', 'a//b=info', '']) {
    assert.equal(parseModuleLevel(wrong), undefined, wrong);
  }
  assert.equal(isModuleName('x'.repeat(101)), false);
  const levels = new LogLevels(levelTable('info', ['__proto__=debug', 'constructor=debug']));
  assert.equal(levels.levelOf('toString'), 'info');
});
