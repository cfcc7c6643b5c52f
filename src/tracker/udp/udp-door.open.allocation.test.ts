import { testAllocation } from './test-allocation.ts';

testAllocation(
  'an announce by UDP allocates nothing in open mode, from its datagram to its answer',
  'open',
);
