// `swarmkeep doctor`: looks at the settings, the machine and the running server as an operator would at
// 3 a.m. and says what to do. Exits 1 when it finds something.

import type { Item, RoomsCommand } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

export const doctor: RoomsCommand = {
  name: 'doctor',
  summary: 'Look for what is wrong or will be, and say what to do. Exits 1 on a find.',
  example: 'swarmkeep doctor --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const { examine } = await import('#cli/doctor/doctor.ts');
    const { findings, checks } = await examine(rooms, {
      signal: output.signal,
      onCheck: (done, total) => output.progress({ what: 'checks', done, total }),
    });
    output.item({ checks: [...checks], findings: findings.map((one): Item => ({ ...one })) });
    if (findings.length > 0) throw new CliError('CLI_FOUND_DAMAGE', `${findings.length} findings`);
  },
  text(item) {
    const findings = item['findings'] as Item[];
    const looked = (item['checks'] as string[]).join(', ');
    if (findings.length === 0) return `Nothing is wrong. Looked at: ${looked}.`;
    return findings.map((one) => `- ${one['what']}\n  ${one['advice']}`).join('\n');
  },
};
