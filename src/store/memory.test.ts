import { MemoryStore } from './memory.ts';
import { describeStore } from './store.conformance.ts';

describeStore('memory', async () => ({
  store: new MemoryStore(),
  reopen: undefined,
  dispose: async () => {},
}));
