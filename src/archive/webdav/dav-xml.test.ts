import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseXml, xmlText } from './dav-xml.ts';
import { davResponse, parsePropfind } from './propfind.ts';

test('elements have the namespace of their prefix, also where it is given again below', () => {
  const text = `<?xml version="1.0"?><!-- c --><D:a xmlns:D="DAV:" x='1'>\n<b/><c xmlns="urn:c"><D:d xmlns:D='urn:d'></D:d><e/></c></D:a>\n`;
  const a = parseXml(text);
  assert.deepEqual([a?.space, a?.name], ['DAV:', 'a']);
  assert.deepEqual(
    a?.children.map(({ space, name }) => [space, name]),
    [
      ['', 'b'],
      ['urn:c', 'c'],
    ],
  );
  assert.deepEqual(
    a?.children[1]?.children.map(({ space, name }) => [space, name]),
    [
      ['urn:d', 'd'],
      ['urn:c', 'e'],
    ],
  );
});

test('what is not well-formed, or could grow, is refused', () => {
  for (const text of [
    ...[
      '',
      'x',
      '<a>',
      '</a>',
      '<a></b>',
      '<a/><b/>',
      '<a',
      '<a b>',
      '<a b=c/>',
      '<a b="1" b="2"/>',
    ],
    ...[
      '<a>&unknown;</a>',
      '<a>]]></a>',
      '<x:a/>',
      '<a x:b="1"/>',
      '<D:a xmlns:D=""/>',
      '<a b="<"/>',
    ],
    ...['<a><!-- </a>', '<a>&</a>', '<1/>', '<a xmlns:xml="urn:x"/>', '<a><![CDATA[</a>'],
    '<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>',
    '<a>'.repeat(40) + '</a>'.repeat(40),
    `<a>${'<b/>'.repeat(3000)}</a>`,
  ]) {
    assert.equal(parseXml(text), undefined, text.slice(0, 60));
  }
});

test('no text makes it throw, hang or find elements where there are none', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '/',
    'a',
    'D:',
    'xmlns:D="DAV:"',
    '"',
    "'",
    '&',
    ';',
    ' ',
    '<a>',
    '</a>',
    '<!--',
    '-->',
    '<?',
    '=',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = pieces.join('');
      parseXml(text);
      parsePropfind(text);
    }),
    { numRuns: 3000 },
  );
  const hostile = `<a ${'b = "1" '.repeat(20_000)}`;
  // Time of this process's own, so that other work on the machine does not count.
  const before = process.cpuUsage();
  assert.equal(parseXml(hostile), undefined);
  assert.equal(parseXml('<a>'.repeat(100_000)), undefined);
  assert.ok(process.cpuUsage(before).user < 5_000_000);
});

test('a PROPFIND asks for all, for names, or for those it names', () => {
  const ask = (inside: string): unknown =>
    parsePropfind(`<propfind xmlns="DAV:">${inside}</propfind>`);
  assert.equal(parsePropfind(''), 'all');
  assert.equal(ask('<foobar/><allprop/>'), 'all');
  assert.equal(ask('<propname/>'), 'names');
  assert.deepEqual(ask('<prop><getetag/><x xmlns="urn:x"/></prop>'), [
    { space: 'DAV:', name: 'getetag' },
    { space: 'urn:x', name: 'x' },
  ]);
  for (const inside of ['', '<foobar/>', '<prop/><allprop/>']) assert.equal(ask(inside), undefined);
  assert.equal(parsePropfind('<propfind><allprop/></propfind>'), undefined, 'of no namespace');
});

test('names of files stay text in the answer', () => {
  const name = '<&">\u0007 \ud800';
  const resource = { href: '/dav/x', name, isFolder: false, bytes: 1, etag: '"e"', changedMs: 0 };
  const told = davResponse(resource, [
    ...[
      { space: 'DAV:', name: 'displayname' },
      { space: 'urn:"<', name: 'other' },
    ],
    { space: 'DAV:', name: 'constructor' },
  ]);
  assert.match(told, /<D:displayname>&lt;&amp;&quot;&gt;\ufffd \ufffd<\/D:displayname>/);
  assert.match(told, /<other xmlns="urn:&quot;&lt;"\/><constructor xmlns="DAV:"\/>.*404 Not Found/);
  assert.ok(parseXml(`<D:m xmlns:D="DAV:">${told}</D:m>`) !== undefined);
  assert.equal(xmlText('a'), 'a');
});
