import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { nodeTcp } from './tcp-node.ts';
import { tcpServerSuite } from './tcp-server.conformance.ts';

tcpServerSuite(
  'nodeTcp',
  nodeTcp({ clock: new SystemClock(), logger: silentLogger, metrics: new Registry() }),
);
