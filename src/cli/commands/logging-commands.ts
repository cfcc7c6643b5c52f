// `swarmkeep logging …`: what the running server writes to standard error, by module. What is set here ends
// with the process; the settings server.logLevel and server.logLevels are what the next one starts with.

import {
  isLogLevel,
  type LevelTable,
  LOG_LEVELS,
  LogLevels,
  levelWords,
  MODULES_MAX,
  withLevel,
} from '#base/log-levels.ts';
import { type Item, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { Diagnosis } from '#cli/support/diagnosis.ts';

const PASSES = 'Until the server ends: server.logLevels in its settings is what it starts with.';

export const loggingShow: RoomsCommand = {
  name: 'logging show',
  summary: 'How much the running server logs: the level of all modules, and of each.',
  example: 'swarmkeep logging show --json',
  readOnly: true,
  async run(rooms, _input, output) {
    output.item(await levelsItem(running(rooms)));
  },
  text: levelsText,
};

export const loggingSet: RoomsCommand = {
  name: 'logging set',
  summary:
    'Log more or less from now on: for one module and those below it, or for all. Ends with the server.',
  example: 'swarmkeep logging set tracker/net debug',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<module-or-level>', 'A module as `logging show` names them; or a level, for all.')
      .argument('[level]', LOG_LEVELS.join(', ')),
  prepare: ({ args: [first = '', second] }) =>
    second === undefined ? { module: '', level: first } : { module: first, level: second },
  async run(rooms, input, output) {
    const diagnosis = running(rooms);
    const [module, level] = [textOf(input, 'module'), textOf(input, 'level')];
    if (!isLogLevel(level)) {
      throw new CliError('CLI_USAGE', `"${level}" is no level: ${LOG_LEVELS.join(', ')}`);
    }
    const table = await withModule(diagnosis, module, level);
    // Whoever reads the log must see why it says more from here on, or less.
    rooms.logger.for('logging').warn('The levels of the log are changed', {
      from: levelWords(diagnosis.levels),
      to: levelWords(table),
    });
    diagnosis.setLevels(table);
    output.item(await levelsItem(diagnosis));
  },
  text: (item) => `${levelsText(item)}\n${PASSES}`,
};

export const loggingReset: RoomsCommand = {
  name: 'logging reset',
  summary: 'Log again as the settings of the running server say.',
  example: 'swarmkeep logging reset',
  readOnly: true,
  async run(rooms, _input, output) {
    const diagnosis = running(rooms);
    diagnosis.resetLevels();
    output.item(await levelsItem(diagnosis));
  },
  text: levelsText,
};

function running({ diagnosis }: Rooms): Diagnosis {
  if (diagnosis !== undefined) return diagnosis;
  throw new CliError(
    'CLI_REFUSED',
    'No server runs on this data folder; what the next one logs is set by server.logLevel and server.logLevels',
  );
}

async function withModule(
  diagnosis: Diagnosis,
  module: string,
  level: LevelTable['base'],
): Promise<LevelTable> {
  const modules = await diagnosis.modules();
  const table = withLevel(diagnosis.levels, modules, { module, level });
  if (table === 'unknown') {
    throw new CliError(
      'CLI_NOT_FOUND',
      `No module is called "${module}"; there are: ${modules.join(', ')}`,
    );
  }
  if (table !== 'full') return table;
  throw new CliError('CLI_REFUSED', `More than ${MODULES_MAX} levels: see \`logging reset\``);
}

async function levelsItem(diagnosis: Diagnosis): Promise<Item> {
  const levels = new LogLevels(diagnosis.levels);
  const modules = await diagnosis.modules();
  return {
    level: diagnosis.levels.base,
    set: diagnosis.levels.modules,
    modules: modules.map((module) => ({ module, level: levels.levelOf(module) })),
  };
}

function levelsText(item: Item): string {
  const modules = item['modules'] as Item[];
  const set = item['set'] as Readonly<Record<string, string>>;
  const width = Math.max(3, ...modules.map(({ module }) => String(module).length));
  const lines = modules.map(({ module, level }) => {
    const isOwn = Object.hasOwn(set, String(module));
    return `${String(module).padEnd(width)}  ${level}${isOwn ? '  (set for it)' : ''}`;
  });
  return [`${'all'.padEnd(width)}  ${item['level']}`, ...lines].join('\n');
}
