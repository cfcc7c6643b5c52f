// Which lines are written: one level for all modules, and others for some of them. A module's own level
// counts for the modules below it as well, `tracker` for `tracker/net`, unless one nearer to them is
// set. May be changed while the loggers that were made from it are in use.

import type { LogLevel } from './logger.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

/** As plain data: it may cross to another thread. */
export interface LevelTable {
  readonly base: LogLevel;
  /** By module, at most MODULES_MAX. */
  readonly modules: Readonly<Record<string, LogLevel>>;
}

export const MODULES_MAX = 64;
const MODULE = /^[A-Za-z0-9][A-Za-z0-9 ._:-]*(\/[A-Za-z0-9][A-Za-z0-9 ._:-]*)*$/;
const MODULE_CHARS_MAX = 100;

export function isModuleName(text: string): boolean {
  return text.length <= MODULE_CHARS_MAX && MODULE.test(text);
}

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}

/** `entry` is `module=level`; undefined when it is none. */
export function parseModuleLevel(entry: string): readonly [string, LogLevel] | undefined {
  const at = entry.lastIndexOf('=');
  const [module, level] = [entry.slice(0, Math.max(0, at)), entry.slice(at + 1)];
  return isModuleName(module) && isLogLevel(level) ? [module, level] : undefined;
}

/** Of the settings; entries that are no `module=level` are left out. */
export function levelTable(base: LogLevel, entries: readonly string[]): LevelTable {
  const parsed = entries.map(parseModuleLevel).filter((one) => one !== undefined);
  return { base, modules: Object.fromEntries(parsed) };
}

/** `info tracker=debug`. */
export function levelWords({ base, modules }: LevelTable): string {
  return [base, ...Object.entries(modules).map((one) => one.join('='))].join(' ');
}

/**
 * With a level for one module and those below it, or for all others when `module` is empty. `unknown`: none
 * of the modules that there are is called so; `full`: MODULES_MAX have one of their own.
 */
export function withLevel(
  table: LevelTable,
  known: readonly string[],
  { module, level }: { readonly module: string; readonly level: LogLevel },
): LevelTable | 'unknown' | 'full' {
  if (module === '') return { ...table, base: level };
  const isKnown = known.some((one) => one === module || one.startsWith(`${module}/`));
  if (!isModuleName(module) || !isKnown) return 'unknown';
  const modules = { ...table.modules, [module]: level };
  return Object.keys(modules).length > MODULES_MAX ? 'full' : { ...table, modules };
}

export class LogLevels {
  #table: LevelTable;
  /** Level by module, worked out once: modules are few. */
  readonly #known = new Map<string, LogLevel>();

  constructor(table: LevelTable) {
    this.#table = table;
  }

  get table(): LevelTable {
    return this.#table;
  }

  /** Modules that a logger was made for, in order. */
  get modules(): readonly string[] {
    return [...this.#known.keys()].filter((name) => name !== '').sort();
  }

  /** In force for the next line. */
  set(table: LevelTable): void {
    this.#table = table;
    for (const module of this.#known.keys()) this.#known.set(module, this.#find(module));
  }

  levelOf(module: string): LogLevel {
    const known = this.#known.get(module);
    if (known !== undefined) return known;
    const level = this.#find(module);
    this.#known.set(module, level);
    return level;
  }

  isWritten(module: string, level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.levelOf(module));
  }

  #find(module: string): LogLevel {
    const { base, modules } = this.#table;
    for (let name = module; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('/')))) {
      const level = Object.hasOwn(modules, name) ? modules[name] : undefined;
      if (level !== undefined) return level;
    }
    return base;
  }
}
