// What can be wrong with the operator's settings. Every message names the setting and what it expects.

import { CodedError } from '#base/errors.ts';

export const CONFIG_ERRORS = {
  CONFIG_UNREADABLE: 'The configuration file cannot be read; check its path and its owner.',
  CONFIG_SYNTAX: 'The configuration file is not TOML; the message names line and column.',
  CONFIG_UNKNOWN_KEY:
    'A setting of that name does not exist; the message names the nearest one that does.',
  CONFIG_INVALID: 'A setting has a value that it cannot take; the message says what it expects.',
} as const;

export type ConfigErrorCode = keyof typeof CONFIG_ERRORS;

export class ConfigError extends CodedError<ConfigErrorCode> {}
