// What can go wrong between the words a person typed and the rooms that answer them.

import { CodedError } from '#base/errors.ts';

export const CLI_ERRORS = {
  CLI_USAGE: 'The command was asked wrongly; its --help shows how. Exit code 2.',
  CLI_DATA_LOCKED:
    'Another process works on this data folder and does not answer on its socket; end it first.',
  CLI_DATA_UNUSABLE: 'The data folder cannot be made or written; check its path and its owner.',
  CLI_SERVER_GONE: 'The server closed the connection before it had answered; see its log.',
  CLI_NOT_FOUND: 'What the command names does not exist.',
  CLI_REFUSED: 'The rooms refused what was asked; the message says why.',
  CLI_FOUND_DAMAGE: 'A check found something; the lines above it say what. Exit code 1.',
  CLI_OUTPUT_FAILED:
    'What the command answered could not be written (a full disk?). It was done all the same, and may have been lost with a password or key in it. Exit code 1.',
  CLI_PORT_IN_USE: 'A port cannot be bound: it is taken, or this user may not bind it.',
  CLI_BIND_TIMED_OUT:
    'The tracker could not bind its port in time; see which process or rule holds the port.',
  CLI_USER_UNUSABLE:
    'The server cannot run as the user that server.user names; the message says what is missing.',
  CLI_THREAD_DIED: 'A thread of the server ended by itself; the server ends too and can restart.',
} as const;

export type CliErrorCode = keyof typeof CLI_ERRORS;

export class CliError extends CodedError<CliErrorCode> {}
