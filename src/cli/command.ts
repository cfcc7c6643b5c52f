// What a command of bin/swarmkeep is. The client half (prepare, text) runs in the process the person
// started; the other half (run) runs where the rooms are open: in the running server, reached over
// its UNIX socket, or right here under the data folder's lock. What passes between them is JSON.

import type { Command as Commander } from 'commander';
import type { Log } from '#log/log.ts';
import type { Store } from '#store/store.ts';
import type { Rooms } from './rooms.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
export type Item = { readonly [key: string]: Json };

/** Where a running command puts what it finds. */
export interface Output {
  /** One answer: a line of `--json`, or what `text` makes of it. */
  item(item: Item): void;
  /** For people only, on standard error: `done` of `total` (0 when unknown). */
  progress(progress: {
    readonly what: string;
    readonly done: number;
    readonly total: number;
  }): void;
  /** Aborted when the person pressed Ctrl-C or closed the pipe. */
  readonly signal: AbortSignal;
  /** Which user of the operating system asked a server for it. */
  readonly by?: string;
}

interface CommandWords {
  /** As typed: `member add`. */
  readonly name: string;
  readonly summary: string;
  /** Shown by --help, after `Example:`. */
  readonly example: string;
  /** Adds arguments and options. */
  readonly declare?: (commander: Commander) => void;
  /** Arguments and options to what `run` needs; reads files and standard input here. */
  readonly prepare?: (words: Words) => Promise<Item> | Item;
  /** Client side, before an item is shown: writes files. Undefined shows nothing. */
  readonly deliver?: (item: Item) => Item | undefined;
  /** One item as lines for people. */
  readonly text: (item: Item) => string;
}

/** Runs where the rooms are open. */
export interface RoomsCommand extends CommandWords {
  readonly local?: false;
  readonly run: (rooms: Rooms, input: Item, output: Output) => Promise<void>;
  /** Changes nothing: offline, the folder is opened as it is, without migrations or repair. */
  readonly readOnly?: boolean;
  /** Works on what is there: a data folder that is not is refused, and not made. */
  readonly needsData?: boolean;
  /** For where there is no data folder yet: then this is run, here. */
  readonly runWithoutData?: (options: Options, input: Item, output: Output) => Promise<void>;
  /**
   * For when the rooms cannot be opened or asked, and `why`; also when the input says `outside`: then
   * `why` is empty.
   */
  readonly runWithoutRooms?: (
    options: Options,
    why: string,
    input: Item,
    output: Output,
  ) => Promise<void>;
  /** Needs no room but the log, so it also works on a log server: with --url, and in `log serve`. */
  readonly runOnLog?: (log: Log, input: Item, output: Output) => Promise<void>;
  /** The same for a far store, with --url. */
  readonly runOnStore?: (store: Store, output: Output) => Promise<void>;
}

/** Runs in the process that was started: `serve`, `config print`. */
export interface LocalCommand extends CommandWords {
  readonly local: true;
  /** Ctrl-C takes its work back by the output's signal. */
  readonly isCancellable?: boolean;
  readonly runLocal: (options: Options, input: Item, output: Output) => Promise<void>;
}

export type CliCommand = RoomsCommand | LocalCommand;

/** What every command takes: where the data is and how settings are overridden. */
export interface Options {
  readonly data: string;
  readonly config?: string;
  readonly set: readonly string[];
  readonly json: boolean;
  /** Of commands that work on a far log or store: where it is, and what proves us to it. */
  readonly url?: string;
  readonly secretFile?: string;
  readonly caFile?: string;
  readonly tokenFile?: string;
}

export interface Words {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Narrowing helpers for `run`: the input was made by `prepare`, but it crossed a socket. */
export function textOf(input: Item, key: string): string {
  const value = input[key];
  return typeof value === 'string' ? value : '';
}

export function numberOf(input: Item, key: string): number | undefined {
  const value = input[key];
  return typeof value === 'number' ? value : undefined;
}

export function flagOf(input: Item, key: string): boolean {
  return input[key] === true;
}

export function listOf(input: Item, key: string): string[] {
  const value = input[key];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
