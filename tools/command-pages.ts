// A page for each command of bin/swarmkeep: what --help says, from the command itself.

import type { Command as Commander } from 'commander';
import type { CliCommand } from '#cli/command.ts';
import { COMMANDS } from '#cli/commands/commands.ts';
import { leafOf } from '#cli/leaf.ts';

/** Name below docs/generated/, and content. */
export function commandPages(madeBy: string): ReadonlyMap<string, string> {
  const pages = new Map(
    COMMANDS.map((command) => [`commands/${fileOf(command)}`, commandPage(command, madeBy)]),
  );
  const rows = COMMANDS.map(
    (command) => `| [${command.name}](${fileOf(command)}) | ${cell(command.summary)} |`,
  );
  const head = '| command | what it does |\n|---|---|';
  pages.set('commands/index.md', `# Commands\n\n${madeBy}\n\n${head}\n${rows.join('\n')}\n`);
  return pages;
}

function fileOf({ name }: CliCommand): string {
  return `${name.replaceAll(' ', '-')}.md`;
}

function commandPage(command: CliCommand, madeBy: string): string {
  const leaf = leafOf(command);
  const words = leaf.registeredArguments.map((one) =>
    one.required ? `<${one.name()}>` : `[${one.name()}]`,
  );
  const usage = ['swarmkeep', command.name, ...words, '[options]'].join(' ');
  return `# swarmkeep ${command.name}

${madeBy}

${command.summary}

\`\`\`
${usage}
\`\`\`

${argumentTable(leaf)}${optionTable(leaf)}## Example

\`\`\`
${command.example}
\`\`\`

[All commands](index.md)
`;
}

function argumentTable(leaf: Commander): string {
  const rows = leaf.registeredArguments.map(
    (one) => `| \`${cell(one.name())}\` | ${cell(one.description)} |`,
  );
  if (rows.length === 0) return '';
  return `| argument | what it is |\n|---|---|\n${rows.join('\n')}\n\n`;
}

function optionTable(leaf: Commander): string {
  const rows = leaf.options.map((one) => `| \`${cell(one.flags)}\` | ${cell(one.description)} |`);
  return `| option | what it does |\n|---|---|\n${rows.join('\n')}\n\n`;
}

function cell(words: string): string {
  return words.replaceAll('|', '\\|');
}
