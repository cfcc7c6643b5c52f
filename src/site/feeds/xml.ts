// XML as feeds need it: elements of names that this code writes, and text that anybody wrote.

import { xmlText } from '#archive/webdav/dav-xml.ts';

/** Already XML. */
export interface Xml {
  readonly xml: string;
}

type Attributes = Readonly<Record<string, string | number>>;

/** `<name a="b">children</name>`; text is escaped, and what XML cannot hold is left out of it. */
export function element(
  name: string,
  attributes: Attributes = {},
  ...children: readonly (Xml | string | number)[]
): Xml {
  const start = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${xmlText(String(value))}"`,
  );
  const inside = children.map((child) =>
    typeof child === 'object' ? child.xml : xmlText(String(child)),
  );
  const body = inside.join('');
  const end = body === '' ? '/>' : `>${body}</${name}>`;
  return { xml: `<${name}${start.join('')}${end}` };
}

export function document(root: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root.xml}\n`;
}
