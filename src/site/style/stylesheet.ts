// The one style sheet, put together from its parts when the program starts.

import { baseStyle } from './base.ts';
import { chartsStyle } from './charts.ts';
import { coversStyle } from './covers.ts';
import { frameStyle } from './frame.ts';
import { listsStyle } from './lists.ts';
import { partsStyle } from './parts.ts';
import { tablesStyle } from './tables.ts';
import { tokenStyle } from './tokens.ts';

/** All of it. Repeated blanks are taken out; nothing else is changed. */
export function stylesheet(): string {
  const parts = [
    tokenStyle(),
    baseStyle,
    frameStyle,
    partsStyle,
    tablesStyle,
    listsStyle,
    chartsStyle,
    coversStyle,
  ];
  return parts.join('\n').replaceAll(/\n\s*/g, '\n').trimStart();
}
