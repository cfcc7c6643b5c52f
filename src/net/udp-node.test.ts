import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { nodeUdp } from './udp-node.ts';
import { udpSocketSuite } from './udp-socket.conformance.ts';

udpSocketSuite(
  'nodeUdp',
  nodeUdp({ clock: new SystemClock(), logger: silentLogger, metrics: new Registry() }),
);
