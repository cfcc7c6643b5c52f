// What the file managers of Windows and macOS ask, in their order, when somebody opens the archive as a disk,
// looks into a folder, opens a file and tries to write: as their vendors describe it and as they are seen to
// do. They give up at the first answer that they do not expect.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDownloads } from '#archive/downloads/test-downloads.ts';
import { parseXml, type XmlElement } from './dav-xml.ts';
import { ask, BASE, davOf, FILES, FOLDER, hrefsOf, type Told } from './test-dav.ts';
import type { WebDav } from './webdav.ts';

const FILE = `${BASE}/readme.txt`;
const INSIDE = `${BASE}/notes%20%26%20plans`;

const WINDOWS = {
  'user-agent': 'Microsoft-WebDAV-MiniRedir/10.0.19045',
  translate: 'f',
  connection: 'Keep-Alive',
} as const;
const WINDOWS_NAMED =
  '<?xml version="1.0" encoding="utf-8"?><a:propfind xmlns:a="DAV:" xmlns:Z="urn:schemas-microsoft-com:">' +
  '<a:prop><a:creationdate/><a:getlastmodified/><a:getcontentlength/><a:resourcetype/><a:isreadonly/>' +
  '<a:ishidden/><Z:Win32FileAttributes/><Z:Win32LastModifiedTime/></a:prop></a:propfind>';
const QUOTA =
  '<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:"><D:prop>' +
  '<D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>';

const MAC = { 'user-agent': 'WebDAVFS/3.0.0 (03008000) Darwin/23.6.0 (x86_64)', accept: '*/*' };
const MAC_LOOKS =
  '<?xml version="1.0" encoding="utf-8"?>\n<D:propfind xmlns:D="DAV:">\n<D:prop>\n<D:getlastmodified/>\n' +
  '<D:getcontentlength/>\n<D:creationdate/>\n<D:resourcetype/>\n</D:prop>\n</D:propfind>\n';
const MAC_QUOTA =
  '<?xml version="1.0" encoding="utf-8"?>\n<D:propfind xmlns:D="DAV:">\n<D:prop>\n' +
  '<D:quota-available-bytes/>\n<D:quota-used-bytes/>\n<D:quota/>\n<D:quotaused/>\n</D:prop>\n</D:propfind>\n';

/** With the status of each group of properties, as a client walks it. */
function groupsOf({ status, body }: Told): { href: string; statuses: string[] }[] {
  assert.equal(status, 207);
  const root = parseXml(body);
  assert.equal(root?.name, 'multistatus');
  const responses = root?.children ?? [];
  const statuses = [...body.matchAll(/<D:status>([^<]*)</g)].map((match) => match[1] ?? '');
  const hrefs = hrefsOf(body);
  return responses.map((response: XmlElement, at) => {
    const groups = response.children.filter(({ name }) => name === 'propstat').length;
    return { href: hrefs[at] ?? '', statuses: statuses.splice(0, groups) };
  });
}

async function refusesWrites(dav: WebDav, headers: Readonly<Record<string, string>>) {
  const lock =
    '<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>' +
    '<D:locktype><D:write/></D:locktype><D:owner><D:href>DESK\\mina</D:href></D:owner></D:lockinfo>';
  for (const [method, target, body] of [
    ['LOCK', FILE, lock],
    ['PUT', `${BASE}/new.txt`, ''],
    ['PROPPATCH', FILE, '<D:propertyupdate xmlns:D="DAV:"/>'],
    ['MKCOL', `${BASE}/New%20folder`, ''],
    ['MOVE', FILE, ''],
    ['DELETE', FILE, ''],
  ] as const) {
    const refused = await ask(dav, method, target, { body, headers });
    assert.equal(refused.status, 405, method);
    assert.equal(refused.headers['allow'], 'OPTIONS, GET, HEAD, PROPFIND', method);
  }
}

test('Windows opens the archive as a network drive, looks, reads, and may not write', () =>
  withDownloads(FILES, async (world) => {
    const dav = davOf(world);
    const stranger = { ...WINDOWS, authorization: '' };
    // A drive is mapped: what is there is asked before anybody has said who they are, without a slash.
    const options = await ask(dav, 'OPTIONS', '/dav', { headers: stranger });
    assert.deepEqual([options.status, options.headers['ms-author-via']], [200, 'DAV']);
    assert.match(options.headers['dav'] ?? '', /^1\b/);
    assert.match(options.headers['allow'] ?? '', /PROPFIND/);
    const first = await ask(dav, 'PROPFIND', '/dav', { depth: '0', headers: stranger });
    assert.equal(first.status, 401);
    assert.match(first.headers['www-authenticate'] ?? '', /^Basic /);
    const root = await ask(dav, 'PROPFIND', '/dav', { depth: '0', headers: WINDOWS });
    assert.deepEqual(groupsOf(root), [{ href: '/dav/', statuses: ['HTTP/1.1 200 OK'] }]);
    assert.match(root.body, /<D:collection\/>/);
    const quota = await ask(dav, 'PROPFIND', '/dav', { depth: '0', body: QUOTA, headers: WINDOWS });
    assert.deepEqual(groupsOf(quota)[0]?.statuses, ['HTTP/1.1 404 Not Found']);
    // What Explorer looks for everywhere.
    for (const name of ['desktop.ini', 'AutoRun.inf', 'folder.jpg', 'Thumbs.db']) {
      const at = `/dav/${encodeURIComponent(name)}`;
      assert.equal((await ask(dav, 'PROPFIND', at, { depth: '0', headers: WINDOWS })).status, 404);
    }
    const listed = await ask(dav, 'PROPFIND', '/dav', { depth: '1', headers: WINDOWS });
    assert.deepEqual(hrefsOf(listed.body), ['/dav/', `${BASE}/`]);
    // Folders without their slash, and brackets and other letters as Windows escapes them.
    const asWindows = `/dav/${FOLDER.replaceAll(' ', '%20')}`;
    const inside = await ask(dav, 'PROPFIND', asWindows, {
      ...{ depth: '1', body: WINDOWS_NAMED, headers: WINDOWS },
    });
    assert.deepEqual(hrefsOf(inside.body), [`${BASE}/`, `${INSIDE}/`, FILE]);
    for (const { statuses } of groupsOf(inside)) {
      assert.deepEqual(statuses, ['HTTP/1.1 200 OK', 'HTTP/1.1 404 Not Found']);
    }
    const file = await ask(dav, 'PROPFIND', FILE, { depth: '0', headers: WINDOWS });
    assert.match(file.body, /<D:getcontentlength>7</);
    assert.match(file.body, /<D:getlastmodified>\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT</);
    assert.match(file.body, /<D:creationdate>\d{4}-\d\d-\d\dT[\d:]{8}Z</);
    const got = await ask(dav, 'GET', FILE, { headers: WINDOWS });
    assert.deepEqual([got.status, got.body], [200, 'read me']);
    await refusesWrites(dav, WINDOWS);
  }));

test('macOS connects to the archive, looks for its own files, reads, and may not write', () =>
  withDownloads(FILES, async (world) => {
    const dav = davOf(world);
    const stranger = await ask(dav, 'OPTIONS', '/dav/', { headers: { ...MAC, authorization: '' } });
    // Of class 1 alone: Finder connects for reading only, and asks for no lock.
    assert.deepEqual([stranger.status, stranger.headers['dav']], [200, '1']);
    const looks = { depth: '0', body: MAC_LOOKS, headers: MAC };
    assert.deepEqual(groupsOf(await ask(dav, 'PROPFIND', '/dav/', looks)), [
      { href: '/dav/', statuses: ['HTTP/1.1 200 OK', 'HTTP/1.1 404 Not Found'] },
    ]);
    const quota = await ask(dav, 'PROPFIND', '/dav/', { ...looks, body: MAC_QUOTA });
    assert.deepEqual(groupsOf(quota)[0]?.statuses, ['HTTP/1.1 404 Not Found']);
    for (const name of [
      ...['._.', '.DS_Store', '.hidden', '.metadata_never_index', '.Spotlight-V100', '.Trashes'],
      ...['.metadata_never_index_unless_rootfs', 'Contents', '.localized', '.ql_disablethumbnails'],
    ]) {
      for (const place of ['/dav/', `${BASE}/`]) {
        assert.equal((await ask(dav, 'PROPFIND', place + name, looks)).status, 404, name);
      }
    }
    const listed = await ask(dav, 'PROPFIND', `${BASE}/`, { ...looks, depth: '1' });
    assert.deepEqual(hrefsOf(listed.body), [`${BASE}/`, `${INSIDE}/`, FILE]);
    assert.equal((await ask(dav, 'PROPFIND', `${BASE}/._readme.txt`, looks)).status, 404);
    // Letters and their marks apart: the file is in one piece, and is told so.
    const apart = encodeURIComponent('ä 100%.txt'.normalize('NFD'));
    const whole = encodeURIComponent('ä 100%.txt');
    assert.notEqual(apart, whole);
    const file = await ask(dav, 'PROPFIND', `${INSIDE}/${apart}`, looks);
    assert.deepEqual(hrefsOf(file.body), [`${INSIDE}/${whole}`]);
    const got = await ask(dav, 'GET', `${INSIDE}/${apart}`, { headers: MAC });
    assert.deepEqual([got.status, got.body], [200, 'hello']);
    // A file that is read on goes on where it stopped, if it is still the same.
    const rest = { range: 'bytes=2-', 'if-range': got.headers['etag'] ?? '' };
    const part = await ask(dav, 'GET', `${INSIDE}/${apart}`, { headers: { ...MAC, ...rest } });
    assert.deepEqual([part.status, part.body], [206, 'llo']);
    await refusesWrites(dav, MAC);
    assert.equal((await ask(dav, 'PUT', `${BASE}/.DS_Store`, { headers: MAC })).status, 405);
  }));
