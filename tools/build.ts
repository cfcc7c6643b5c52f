// `npm run build`: the JavaScript that a published package runs, in dist/. A package under
// node_modules may hold no TypeScript that Node would have to strip. The import map of package.json
// sends `#log/segment.ts` to dist/log/segment.js when no condition asks for the sources.
//
// Ends by asking the result for its help, with a Node that knows nothing of the sources.

import { cpSync, globSync, rmSync } from 'node:fs';
import { ROOT, runProgram, runScript, secondsText } from './child-process.ts';

async function build(): Promise<void> {
  rmSync(`${ROOT}dist`, { recursive: true, force: true });
  const compiled = await runScript('typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
  if (compiled.exitCode !== 0) throw new Error(`tsc failed:\n${compiled.output}`);
  for (const path of globSync('src/**/*.*', { cwd: ROOT })) {
    const isSource = path.endsWith('.ts') || path.includes('/golden/');
    if (!isSource) cpSync(`${ROOT}${path}`, `${ROOT}${path.replace(/^src\//, 'dist/')}`);
  }
  const help = await runProgram(process.execPath, ['dist/cli/main.js', '--help']);
  if (help.exitCode !== 0 || !help.output.includes('serve')) {
    throw new Error(`dist/cli/main.js --help failed:\n${help.output}`);
  }
  process.stdout.write(`built dist/ in ${secondsText(compiled.ms)}\n`);
}

await build();
