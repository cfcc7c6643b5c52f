// The store's own doors as the OpenAPI document describes them: putting and getting a blob. They are
// answered by store/, before the site; docs/store-protocol.md has the rest.

const ref = {
  name: 'ref',
  in: 'path',
  required: true,
  description: '`sha256-` and the SHA-256 of the bytes in lower-case hexadecimal.',
  schema: { type: 'string', pattern: '^sha256-[0-9a-f]{64}$' },
};

const refused = {
  description: 'Refused; the code is in `error.code`.',
  content: {
    'application/json': {
      schema: {
        type: 'object',
        properties: {
          error: {
            type: 'object',
            properties: { code: { type: 'string' }, message: { type: 'string' } },
            required: ['code', 'message'],
          },
        },
        required: ['error'],
      },
    },
  },
};

const stored = {
  type: 'object',
  properties: {
    ref: { type: 'string' },
    bytes: { type: 'integer', minimum: 0 },
    new: { type: 'boolean' },
  },
  required: ['ref', 'bytes', 'new'],
};

export const STORE_PATHS = {
  '/api/store/blobs/{ref}': {
    put: {
      operationId: 'putBlob',
      tags: ['store'],
      summary: 'Store the bytes of that name, at most 16 MiB. On disk when it is answered.',
      description: 'Needs the permission `store`.',
      parameters: [ref],
      requestBody: { required: true, content: { 'application/octet-stream': {} } },
      responses: {
        '200': {
          description: 'There already.',
          content: { 'application/json': { schema: stored } },
        },
        '201': { description: 'Stored.', content: { 'application/json': { schema: stored } } },
        default: refused,
      },
    },
    get: {
      operationId: 'getBlob',
      tags: ['store'],
      summary: 'The bytes of that name; ranges are given.',
      description: 'Needs the permission `store`.',
      parameters: [ref],
      responses: {
        '200': { description: 'The bytes.', content: { 'application/octet-stream': {} } },
        default: refused,
      },
    },
  },
} as const;
