// The whole walk of fault-walk.crash.test.ts: every operation, in every way.

process.env['SWARMKEEP_WHOLE_WALK'] ??= '1';
await import('./fault-walk.crash.test.ts');
