import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { API_ROUTES } from './all-routes.ts';
import { openApiDocument } from './openapi.ts';

const document = openApiDocument(API_ROUTES);

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator({});
  const result = await validator.validate(structuredClone(document) as never);
  assert.deepEqual(result.errors, undefined, JSON.stringify(result.errors, null, 1));
  assert.equal(result.valid, true);
  assert.equal(validator.version, '3.1');
});

test('every reference leads to something, and every component is referred to', () => {
  const text = JSON.stringify(document);
  const used = new Set([...text.matchAll(/"#\/components\/(\w+\/\w+)"/g)].map((one) => one[1]));
  const { schemas, parameters, responses } = document.components;
  const there = Object.entries({ schemas, parameters, responses }).flatMap(([kind, of]) =>
    Object.keys(of).map((name) => `${kind}/${name}`),
  );
  assert.deepEqual([...used].toSorted(), there.toSorted());
});

test('operations have names of their own, and paths have all of their parameters', () => {
  const names = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map((operation) => operation['operationId']),
  );
  assert.equal(new Set(names).size, names.length);
  for (const route of API_ROUTES) {
    const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name);
    const path = `/api/v1${route.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    const operation = document.paths[path]?.[route.method.toLowerCase()] as {
      readonly parameters?: readonly { readonly in: string; readonly name: string }[];
    };
    const described = (operation.parameters ?? []).filter((one) => one.in === 'path');
    assert.deepEqual(
      described.map((one) => one.name),
      inPath,
      route.name,
    );
  }
});
