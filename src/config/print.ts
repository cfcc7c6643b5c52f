// The configuration as commented TOML, made from the schema, so that what is documented is what is
// read. Each setting stands with its description and its value; loading the text gives the same.

import { stringify } from 'smol-toml';
import type { z } from 'zod';
import { type Config, SECTION_WORDS, SECTIONS, type SectionName } from './schema.ts';

const COMMENT_COLUMNS = 98;
const UNITS = '# Settings in bytes or milliseconds may carry a unit: "64 MiB", "5 min", "21 d".';

export function printConfig(config: Config): string {
  const sections = (Object.keys(SECTIONS) as SectionName[]).map((name) => {
    const values = config[name] as Readonly<Record<string, unknown>>;
    const fields = Object.entries(SECTIONS[name].shape).map(([key, field]) => {
      const words = comment((field as z.ZodType).description ?? '');
      return `${words}\n${stringifyOne(key, values[key])}`;
    });
    return `${comment(SECTION_WORDS[name])}\n[${name}]\n\n${fields.join('\n\n')}\n`;
  });
  return `${UNITS}\n\n\n${sections.join('\n\n')}`;
}

/** One line: a table is written inline, so that every setting stands below its own comment. */
function stringifyOne(key: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return stringify({ [key]: value }).trimEnd();
  }
  const inner = Object.entries(value).map(([name, one]) => stringify({ [name]: one }).trimEnd());
  return `${key} = { ${inner.join(', ')} }`;
}

function comment(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(/\s+/)) {
    if (line.length + 1 + word.length > COMMENT_COLUMNS) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines.join('\n');
}
