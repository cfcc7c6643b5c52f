import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ForwardedHeader, forwardedHops } from './forwarded.ts';

/** `192.0.2.1:80 ?`: the hops, `?` for one that says nothing. */
function hops(header: ForwardedHeader, ...lines: readonly string[]): string {
  const head = `GET /a HTTP/1.1\r\nHost: t\r\n${lines.join('\r\n')}\r\n\r\n`;
  return forwardedHops(head, header)
    .map(({ ip, port }) => (ip === '' ? '?' : port === 0 ? ip : `${ip} ${port}`))
    .join(', ');
}
const xff = (...values: readonly string[]): string =>
  hops('x-forwarded-for', ...values.map((value) => `x-Forwarded-FOR: ${value}`));
const forwarded = (...values: readonly string[]): string =>
  hops('forwarded', ...values.map((value) => `Forwarded: ${value}`));

test('X-Forwarded-For is one list, on however many lines, with ports or without', () => {
  assert.equal(xff('203.0.113.7, 2001:db8::1,10.0.0.2'), '203.0.113.7, 2001:db8::1, 10.0.0.2');
  assert.equal(xff('1.1.1.1', '2.2.2.2,3.3.3.3'), '1.1.1.1, 2.2.2.2, 3.3.3.3');
  assert.equal(xff('1.1.1.1:80, [2001:db8::1]:443, [::1]'), '1.1.1.1 80, 2001:db8::1 443, ::1');
  assert.equal(xff('1.1.1.1', ''), '1.1.1.1');
  assert.equal(xff(',, 1.1.1.1 ,'), '1.1.1.1');
  assert.equal(hops('x-forwarded-for', 'X-Forwarded-Forx: 1.1.1.1'), '');
  assert.equal(hops('x-forwarded-for', 'Forwarded: for=1.1.1.1'), '');
});

test('Forwarded is read as RFC 7239 writes it', () => {
  assert.equal(forwarded('for="_gazonk"'), '?');
  assert.equal(forwarded('For="[2001:db8:cafe::17]:4711"'), '2001:db8:cafe::17 4711');
  assert.equal(forwarded('for=192.0.2.60;proto=http;by=203.0.113.43'), '192.0.2.60');
  assert.equal(forwarded('for=192.0.2.43, for=198.51.100.17'), '192.0.2.43, 198.51.100.17');
  assert.equal(
    forwarded('for=192.0.2.43', 'for=unknown;x="a,b;c\\"d",FOR=1.1.1.1'),
    '192.0.2.43, ?, 1.1.1.1',
  );
  assert.equal(forwarded('for="1.1.1.1:_port"'), '1.1.1.1');
  assert.equal(forwarded('proto=https'), '?');
  assert.equal(forwarded(', for=1.1.1.1 ,; ,'), '1.1.1.1');
  assert.equal(forwarded('for="\\1.1.1.1"'), '1.1.1.1');
});

test('what cannot be read is an unknown hop, never the address of somebody else', () => {
  assert.equal(xff('1.1.1.1, nonsense, 3.3.3.3'), '1.1.1.1, ?, 3.3.3.3');
  assert.equal(xff('unknown, _x, [1.1.1.1, 1.1.1.1:99999x'), '?, ?, ?, ?');
  // The quote is never closed: where the next hop begins cannot be known.
  assert.equal(forwarded('for="1.1.1.1, for=2.2.2.2'), '?');
  assert.equal(forwarded('for=1.1.1.1;for=2.2.2.2'), '?');
  assert.equal(forwarded('for=1.1.1.1 for=2.2.2.2'), '?');
  assert.equal(forwarded('for="1.1.1.1, for=2.2.2.2', 'for=3.3.3.3'), '?, 3.3.3.3');
});

test('8 KiB of hops are read from their end and in no time', () => {
  const many = Array.from({ length: 700 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
  assert.match(xff(many.join(',')), /^10\.0\.2\.\d+, .*, 10\.0\.2\.187$/);
  // Time of this process's own, so that other work on the machine does not count.
  const before = process.cpuUsage();
  for (const value of [`for="${'\\"'.repeat(4000)}`, ';'.repeat(8000), `;${' '.repeat(8000)}x`]) {
    forwarded(value);
  }
  assert(process.cpuUsage(before).user < 200_000);
});
