// A command as commander knows it: its words, its example, and what every command takes.

import { Command as Commander } from 'commander';
import type { CliCommand } from './command.ts';

/** Without an action; `name` is its last word. */
export function leafOf(command: CliCommand): Commander {
  const leaf = newCommander(command.name.split(' ').at(-1) ?? '', command.summary);
  leaf.addHelpText('after', `\nExample:\n  $ ${command.example}`);
  declareGlobals(leaf);
  command.declare?.(leaf);
  return leaf;
}

export function newCommander(name: string, summary: string): Commander {
  return new Commander(name).description(summary).exitOverride().helpCommand(false);
}

function declareGlobals(leaf: Commander): void {
  const collect = (value: string, before: string[]): string[] => [...before, value];
  leaf.option('--data <dir>', 'The data folder.', './data');
  leaf.option('--config <file>', 'Settings; swarmkeep.toml in the data folder unless given.');
  leaf.option('--set <section.key=value>', 'Override a setting; may be repeated.', collect, []);
  leaf.option('--json', 'Answer in JSON, one object a line.', false);
}
