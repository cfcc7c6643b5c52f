// The long run of power-cut.server.test.ts.

process.env['SWARMKEEP_POWER_CUTS'] ??= '500';
await import('./power-cut.server.test.ts');
