// `swarmkeep config …` and `swarmkeep db …`: what the operator set, and the schema of the database.

import { readFileSync } from 'node:fs';
import { flagOf, type LocalCommand, type RoomsCommand, textOf } from '#cli/command.ts';

export const configPrint: LocalCommand = {
  name: 'config print',
  summary: 'Print every setting in force, as commented TOML.',
  example: 'swarmkeep config print > data/swarmkeep.toml',
  local: true,
  async runLocal(options, _input, output) {
    const { configFor } = await import('#cli/config-for.ts');
    const { printConfig } = await import('#config/print.ts');
    const config = configFor(options);
    output.item(options.json ? structuredClone(config) : { text: printConfig(config) });
  },
  text: (item) => textOf(item, 'text').trimEnd(),
};

export const configCheck: LocalCommand = {
  name: 'config check',
  summary: 'Check a configuration file without using it.',
  example: 'swarmkeep config check data/swarmkeep.toml',
  local: true,
  declare: (commander) => commander.argument('<file>', 'The file.'),
  prepare: (words) => ({ file: words.args[0] ?? '' }),
  async runLocal(options, input, output) {
    const { loadConfig } = await import('#config/load.ts');
    const path = textOf(input, 'file');
    loadConfig({ file: { path, required: true }, overrides: options.set });
    output.item({ file: path, bytes: readFileSync(path).byteLength, valid: true });
  },
  text: (item) => `${item['file']} is valid`,
};

export const dbStatus: RoomsCommand = {
  name: 'db status',
  summary: 'The steps of the schema and when each was applied.',
  example: 'swarmkeep db status',
  readOnly: true,
  async run(rooms, _input, output) {
    const { MIGRATIONS } = await import('#cli/migrations.ts');
    const { migrationStatus } = await import('#sql/migrate.ts');
    for (const state of await migrationStatus(rooms.sql, MIGRATIONS)) {
      output.item({ name: state.name, appliedMs: state.appliedMs ?? null });
    }
  },
  text(item) {
    const appliedMs = item['appliedMs'];
    const when = typeof appliedMs === 'number' ? new Date(appliedMs).toISOString() : 'pending';
    return `${textOf(item, 'name').padEnd(32)} ${when}`;
  },
};

export const dbMigrate: RoomsCommand = {
  name: 'db migrate',
  summary: 'Apply the pending steps of the schema; `serve` does so at start.',
  example: 'swarmkeep db migrate --dry-run',
  readOnly: true,
  declare: (commander) =>
    commander.option('--dry-run', 'Apply them in a transaction that is rolled back.'),
  prepare: (words) => ({ dryRun: words.options['dryRun'] === true }),
  async run(rooms, input, output) {
    const { MIGRATIONS } = await import('#cli/migrations.ts');
    const { migrate } = await import('#sql/migrate.ts');
    const dryRun = flagOf(input, 'dryRun');
    const names = await migrate(rooms.sql, MIGRATIONS, { clock: rooms.clock, dryRun });
    output.item({ dryRun, applied: [...names] });
  },
  text(item) {
    const names = item['applied'] as string[];
    if (names.length === 0) return 'The schema is up to date.';
    return `${item['dryRun'] === true ? 'would apply' : 'applied'} ${names.join(', ')}`;
  },
};
