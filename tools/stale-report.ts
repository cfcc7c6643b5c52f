// Prints which pages of docs/generated/ differ from the sources, for `npm run check`.

import { stalePages } from './generate-docs.ts';

const stale = await stalePages();
for (const name of stale) {
  process.stdout.write(
    `docs/generated/${name} is stale: run \`sh bin/node tools/generate-docs.ts\`\n`,
  );
}
process.exitCode = stale.length > 0 ? 1 : 0;
