// Operating errors of net/.

import { CodedError } from '#base/errors.ts';

export const NET_ERRORS = {
  NET_ADDRESS_INVALID:
    'An address to listen on is no IPv4 or IPv6 address. Names are not looked up: write the number.',
  NET_ADDRESS_FORBIDDEN:
    'An address that somebody else chose leads into this machine or its network; it was not asked. Where that is meant, the setting that allows it is named beside the feature.',
  NET_BIND_FAILED:
    'A port could not be opened. The message names address and port: see what else listens there, or choose another port.',
  NET_DIAL_FAILED:
    'Another program could not be reached. The message names its address: see whether it runs and listens there.',
  NET_HTTP_FAILED:
    'Another server gave no answer, or not all of it; the cause says why. See whether it runs and can be reached from here.',
  NET_HTTP_UNTRUSTED:
    'Another server shows a certificate that is not trusted here. Check the address; an authority of your own is named by NODE_EXTRA_CA_CERTS.',
  NET_HTTP_ANSWER_TOO_LARGE:
    'The answer of another server is longer than can be right; it was not read. Check the address.',
  NET_TLS_INVALID:
    'A TLS key or certificate cannot be used; the cause says why. Check the PEM files.',
  NET_SOCKET_FAILED:
    'A listening socket failed again and again. The program ends, because clients can no longer reach it.',
} as const;

export type NetErrorCode = keyof typeof NET_ERRORS;

export class NetError extends CodedError<NetErrorCode> {}
