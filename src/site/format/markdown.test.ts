import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { markdown } from './markdown.ts';

const html = (text: string): string => String(markdown(text));

const CASES: readonly (readonly [string, string])[] = [
  ['One\ntwo  \nthree', '<p>One\ntwo<br>\nthree</p>'],
  ['# A *b*', '<h3>A <em>b</em></h3>'],
  ['- a\n- b\n\nc', '<ul><li>a</li><li>b</li></ul>\n<p>c</p>'],
  ['3. a\n4. b', '<ol start="3"><li>a</li><li>b</li></ol>'],
  ['- a\n  - b', '<ul><li>a\n<ul><li>b</li></ul></li></ul>'],
  ['> a\n> b', '<blockquote><p>a\nb</p></blockquote>'],
  ['```sh\na <b>\n```\nc', '<pre tabindex="0"><code>a &lt;b&gt;</code></pre>\n<p>c</p>'],
  ['---', '<hr>'],
  ['`a*b*` **c _d_** ~~e~~', '<p><code>a*b*</code> <strong>c <em>d</em></strong> <s>e</s></p>'],
  ['snake_case_name 2*3*4', '<p>snake_case_name 2<em>3</em>4</p>'],
  ['a ** b', '<p>a ** b</p>'],
  ['\\*a\\*', '<p>*a*</p>'],
  ['[a](/torrents)', '<p><a href="/torrents">a</a></p>'],
  [
    'See https://a.example/x_y_z?a=1&b=2.',
    '<p>See <a href="https://a.example/x_y_z?a=1&amp;b=2" rel="nofollow noopener noreferrer">https://a.example/x_y_z?a=1&amp;b=2</a>.</p>',
  ],
  ['[x](javascript:alert(1))', '<p>[x](javascript:alert(1))</p>'],
  ['[x](//evil.example)', '<p>[x](//evil.example)</p>'],
  ['[x](/\\evil.example)', '<p>[x](/\\evil.example)</p>'],
  ['[x](data:text/html,a)', '<p>[x](data:text/html,a)</p>'],
  ['<script>alert(1)</script>', '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
  ['<img src=x onerror=alert(1)>', '<p>&lt;img src=x onerror=alert(1)&gt;</p>'],
  [
    '![x](https://a.example/x.png)',
    '<p>!<a href="https://a.example/x.png" rel="nofollow noopener noreferrer">x</a></p>',
  ],
];

test('markdown() renders the marks it knows and shows the rest as text', () => {
  for (const [text, expected] of CASES) assert.equal(html(text), expected, text);
});

const TAGS =
  /<\/?(?:h[3-6]|p|ul|li|blockquote|pre|code|em|strong|s)>|<pre tabindex="0">|<hr>|<br>|<ol(?: start="\d+")?>|<\/ol>|<a href="(?:https?:\/\/|\/)[^"<>]*"(?: rel="nofollow noopener noreferrer")?>|<\/a>/g;

test('markdown() writes no tag and no address but its own, whatever it is given', () => {
  const pieces = fc.constantFrom(
    '<',
    '>',
    '"',
    "'",
    '&',
    '*',
    '**',
    '_',
    '__',
    '~~',
    '`',
    '```',
    '[',
    ']',
    '(',
    ')',
    '\\',
    '\n',
    '\n\n',
    '- ',
    '1. ',
    '> ',
    '# ',
    ' ',
    'a',
    'javascript:',
    'https://',
    'http://x',
    '/',
    '//',
    'onload=',
    '<script>',
    '</p>',
    '&lt;',
    '\t',
    '    ',
    'data:',
    '://',
  );
  const text = fc.oneof(
    fc.array(pieces, { maxLength: 60 }).map((all) => all.join('')),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (given) => {
      const rest = html(given).replace(TAGS, '');
      assert.doesNotMatch(rest, /[<>"']/);
      assert.doesNotMatch(rest, /&(?!(?:amp|lt|gt|quot|#39);)/);
    }),
    { numRuns: 3000, seed: 20_261 },
  );
});

test('markdown() closes what it opens, in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('*', '_', '**', 'a ', '`', '- ', '\n', '> ', '  ', '[a](/b)'), {
        maxLength: 40,
      }),
      (all) => {
        const open: string[] = [];
        for (const [tag] of html(all.join('')).matchAll(TAGS)) {
          const name = /[a-z0-9]+/.exec(tag)?.[0] ?? '';
          if (name === 'br' || name === 'hr') continue;
          if (tag.startsWith('</')) assert.equal(open.pop(), name);
          else open.push(name);
        }
        assert.deepEqual(open, []);
      },
    ),
    { numRuns: 2000, seed: 20_262 },
  );
});

test('markdown() takes no longer than its text for the longest descriptions', () => {
  const hostile = [
    '*',
    '**a',
    '[',
    '[a](',
    '`',
    '``a`',
    '_a ',
    '> ',
    '- ',
    '\\',
    '<https://',
    '  - a\n',
    'https://a.example/))))',
  ];
  for (const piece of hostile) {
    const text = piece.repeat(40_000 / piece.length);
    // Time of this process's own, so that other work on the machine does not count.
    const before = process.cpuUsage();
    html(text);
    assert.ok(process.cpuUsage(before).user < 1_000_000, piece);
  }
});
