// The page about the API in docs/generated: its routes and its problems, for reading.

import { PERMISSIONS } from '#site/permissions.ts';
import { API_ROUTES } from './all-routes.ts';
import { API_PREFIX } from './api-route.ts';
import { PAGES_WITHOUT_API } from './pages-without-api.ts';
import { PROBLEMS } from './problem.ts';

export function apiPage(madeBy: string): string {
  const routes = API_ROUTES.map(
    ({ name, method, path, permission, summary, sessionOnly }) =>
      `| \`${name}\` | ${method} \`${path}\` | ${permission}${sessionOnly === true ? ', by session' : ''} | ${cell(summary)} |`,
  );
  const problems = Object.entries(PROBLEMS).map(
    ([code, { status, meaning }]) => `| \`${code}\` | ${status} | ${cell(meaning)} |`,
  );
  const without = Object.entries(PAGES_WITHOUT_API).map(
    ([name, why]) => `| \`${name}\` | ${cell(why)} |`,
  );
  return `# API

${madeBy}

Everything that the pages can do, for programs, below \`${API_PREFIX}\`. The same as an OpenAPI 3.1 document, with
all fields: \`${API_PREFIX}/openapi.json\`. Clients of one file for TypeScript, Python, Go, Ruby, Perl and PHP lie
in \`clients/\`. Why it is as it is: [decision 19](../decisions/0019-api.md).

A program sends \`Authorization: Bearer TOKEN\`. A token is made on the site, under your name; it has scopes, which
are permissions: ${Object.keys(PERMISSIONS).join(', ')}. Times are Unix milliseconds, sizes are
bytes. Lists come in pages: \`nextCursor\` of one is the \`cursor\` of the next.

## Routes

| name | request | permission | what |
|---|---|---|---|
${routes.join('\n')}

## Problems

What is refused is answered as RFC 9457 says (\`application/problem+json\`). Programs go by \`code\`: one of these, an
error code of [the server](errors.md), or the code of what a model refused, such as \`category-unknown\`, whose
\`detail\` says what would be right.

| code | status | what it means |
|---|---|---|
${problems.join('\n')}

## Pages without a route

| page | why |
|---|---|
${without.join('\n')}
`;
}

function cell(words: string): string {
  return words.replaceAll('|', '\\|');
}
