// An S3 service for benchmarks, in a process of its own, that costs as little as can be: it takes what is
// put, keeps the first eight bytes of it, and gives it back with the filling that all blobs of the
// benchmark share. It looks at no signature. Says its port on a line; ends with its standard input.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3_BLOB_BYTES, S3_MARK_BYTES, s3Filling } from './s3-blobs.ts';

const ETAG = '"0123456789abcdef0123456789abcdef"';
const EMPTY_PAGE =
  '<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>';
const NO_SUCH_KEY = '<Error><Code>NoSuchKey</Code><Message>No</Message></Error>';
const filling = s3Filling().subarray(S3_MARK_BYTES);
const marks = new Map<string, Buffer>();

const server = createServer((request, response) => {
  const path = request.url?.split('?')[0] ?? '';
  if (request.method === 'PUT') take(path, request, response);
  else if (path.split('/').length < 3) response.end(EMPTY_PAGE);
  else give(path, request, response);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();

function take(path: string, request: IncomingMessage, response: ServerResponse): void {
  request.once('data', (part: Buffer) => marks.set(path, Buffer.from(part.subarray(0, 8))));
  request.on('data', () => {});
  request.once('end', () => response.writeHead(200, { etag: ETAG, 'content-length': 0 }).end());
}

function give(path: string, request: IncomingMessage, response: ServerResponse): void {
  const mark = marks.get(path);
  if (mark === undefined) {
    response.writeHead(404, { 'content-type': 'application/xml' });
    response.end(request.method === 'HEAD' ? undefined : NO_SUCH_KEY);
    return;
  }
  response.writeHead(200, { etag: ETAG, 'content-length': S3_BLOB_BYTES });
  if (request.method !== 'HEAD') response.write(mark);
  response.end(request.method === 'HEAD' ? undefined : filling);
}
