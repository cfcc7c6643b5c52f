// Prints what tidy.ts finds in the tree, for `npm run check`.

import { tidyTree } from './tidy.ts';

const findings = tidyTree();
for (const { path, line, message } of findings) {
  process.stdout.write(`${path}:${line}: ${message}\n`);
}
process.exitCode = findings.length > 0 ? 1 : 0;
