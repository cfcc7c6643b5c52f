// Runs benchmarks: `npm run bench` all of them, `npm run bench -- swarm log` those. Each is a file of
// this folder and runs in a process of its own, so that none measures another's leftovers. With
// `--write` its lines replace its section of docs/benchmarks.md, under machine, commit and command.
// `npm run bench -- load udp|http|ws …` is the load generator by itself, see load.ts.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { ROOT, runProgram } from '#tools/child-process.ts';

const ALL = [
  ...['swarm', 'log', 'log-server', 'ledger', 'accounting', 'restart'],
  ...['tracker', 'store', 'archive', 's3', 'start', 'site', 'site-signin', 'crowd'],
];
/** Of a benchmark some of whose rows do not count, and say so. */
const ROWS_MISSING = 3;
const DOCUMENT = `${ROOT}docs/benchmarks.md`;
const OPENING = `# Benchmarks

Measured by \`npm run bench -- NAME --write\`; each section says where and when. What a benchmark does
stands at the top of its file in \`bench/\`. Times on a shared machine are of CPU, not of the clock,
where the line says so.
`;

const words = process.argv.slice(2);
if (words[0] === 'load') {
  const how = ['-C', 'swarmkeep-src', 'bench/load.ts', ...words.slice(1)];
  const finished = await runProgram(process.execPath, how, { isShown: true });
  process.exit(finished.exitCode ?? 1);
}
const isWritten = words.includes('--write');
const asked = words.filter((word) => word !== '--write');
const unknown = asked.filter((name) => !ALL.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`No benchmark "${unknown[0]}"; there are: ${ALL.join(', ')}\n`);
  process.exit(2);
}
const where = await describeMachine();
process.stdout.write(`${where}\n`);
for (const name of asked.length > 0 ? asked : ALL) {
  const arguments_ = ['-C', 'swarmkeep-src', `bench/${name}.ts`];
  const finished = await runProgram(process.execPath, arguments_, { isShown: true });
  if (finished.exitCode !== 0) process.exitCode = 1;
  const isWorthIt = finished.exitCode === 0 || finished.exitCode === ROWS_MISSING;
  if (isWritten && isWorthIt) writeSection(name, finished.output);
}

async function describeMachine(): Promise<string> {
  const commit = await runProgram('git', ['describe', '--always', '--dirty']);
  const cores = cpus();
  const model = cores[0]?.model.trim() ?? 'unknown processor';
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const software = `Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  return `${cores.length} × ${model}, ${memory}; ${software}; commit ${commit.output.trim()}`;
}

function writeSection(name: string, output: string): void {
  const before = existsSync(DOCUMENT) ? readFileSync(DOCUMENT, 'utf8') : OPENING;
  const heading = `## ${name}\n`;
  const lines = output
    .split('\n')
    .filter((line) => line.startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2));
  const section = `${heading}\n${where}\n\n${lines.map(listItem).join('\n')}\n`;
  const start = before.indexOf(heading);
  if (start < 0) {
    writeFileSync(DOCUMENT, `${before.trimEnd()}\n\n${section}`);
    return;
  }
  const next = before.indexOf('\n## ', start + 1);
  const rest = next < 0 ? '' : before.slice(next);
  writeFileSync(DOCUMENT, `${before.slice(0, start)}${section}${rest}`);
}

/** A line that begins with two spaces belongs to the one before it. */
function listItem(line: string): string {
  return line.startsWith('  ') ? `  - ${line.slice(2)}` : `- ${line}`;
}
