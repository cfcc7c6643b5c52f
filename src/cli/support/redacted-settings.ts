// The settings as a support bundle has them. Those that may hold a secret whole, as a URL with a password
// does, only say whether they are set; every other text is redacted.

import type { Item, Json } from '#cli/command.ts';
import type { Config, SectionName } from '#config/schema.ts';
import { SECTIONS } from '#config/schema.ts';
import type { Redactor } from './redactor.ts';

/** By section and name. */
export const CUT_SETTINGS: readonly string[] = ['sql.url', 'site.smtpUrl', 'log.deleteHook'];

/** `changed` names the settings that are not as they are by themselves. */
export function redactedSettings(config: Config, redactor: Redactor): Item {
  const changed: string[] = [];
  const values: Record<string, Json> = {};
  for (const [section, schema] of Object.entries(SECTIONS)) {
    const own = config[section as SectionName] as Readonly<Record<string, Json>>;
    const standard = schema.parse({}) as Readonly<Record<string, Json>>;
    const shown = Object.entries(own).map(([key, value]): [string, Json] => {
      const name = `${section}.${key}`;
      if (JSON.stringify(value) !== JSON.stringify(standard[key])) changed.push(name);
      if (!CUT_SETTINGS.includes(name)) return [key, redactor.value(value)];
      return [key, isEmpty(value) ? 'not set' : 'set'];
    });
    values[section] = Object.fromEntries(shown);
  }
  return { changed, values };
}

function isEmpty(value: Json): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0);
}
