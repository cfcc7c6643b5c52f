// `npm run check`: everything that reading the code can find, in under a minute. The steps are in
// check-steps.ts.

import { runChecks } from './check-steps.ts';
import { secondsText } from './child-process.ts';

const results = await runChecks();
for (const { name, isGood, ms } of results) {
  process.stdout.write(`${isGood ? 'ok   ' : 'FAIL '} ${name} (${secondsText(ms)})\n`);
}
for (const { name, isGood, output } of results) {
  if (!isGood) process.stdout.write(`\n${name}:\n${output}\n`);
}
process.exitCode = results.every(({ isGood }) => isGood) ? 0 : 1;
