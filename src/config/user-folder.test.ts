import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userFolder } from './user-folder.ts';

test('on Linux it is XDG_CONFIG_HOME, else .config; a relative variable does not count', () => {
  const linux = { platform: 'linux', home: '/home/ada' };
  assert.equal(userFolder({ ...linux, env: {} }), '/home/ada/.config/swarmkeep');
  assert.equal(
    userFolder({ ...linux, env: { XDG_CONFIG_HOME: '/etc/ada' } }),
    '/etc/ada/swarmkeep',
  );
  for (const odd of ['', 'ada', './ada']) {
    const env = { XDG_CONFIG_HOME: odd };
    assert.equal(userFolder({ ...linux, env }), '/home/ada/.config/swarmkeep');
  }
  assert.equal(
    userFolder({ platform: 'freebsd', home: '/home/ada', env: { APPDATA: 'C:\\x' } }),
    '/home/ada/.config/swarmkeep',
  );
});

test('on macOS it is in Library, whatever XDG says', () => {
  const mac = { platform: 'darwin', home: '/Users/ada', env: { XDG_CONFIG_HOME: '/x' } };
  assert.equal(userFolder(mac), '/Users/ada/Library/Application Support/Swarmkeep');
});

test('on Windows it is APPDATA, else the roaming folder of the home', () => {
  const windows = { platform: 'win32', home: 'C:\\Users\\ada' };
  const env = { APPDATA: 'D:\\Profiles\\ada', XDG_CONFIG_HOME: '/x' };
  assert.equal(userFolder({ ...windows, env }), 'D:\\Profiles\\ada\\Swarmkeep');
  assert.equal(userFolder({ ...windows, env: {} }), 'C:\\Users\\ada\\AppData\\Roaming\\Swarmkeep');
});
