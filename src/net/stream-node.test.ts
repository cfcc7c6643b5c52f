import { streamSuite } from './stream.conformance.ts';
import { listenNode } from './stream-node.ts';

streamSuite('listenNode', listenNode);
