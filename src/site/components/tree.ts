// Folders and files with their sizes. A folder opens and closes without a script.

import { html } from 'hono/html';
import { plural } from '#site/format/number.ts';
import { bytes } from './figures.ts';
import { icon } from './icon.ts';
import { attribute, type Html } from './markup.ts';

export interface TreeNode {
  readonly name: string;
  /** Where the name leads; a folder's opens it instead. */
  readonly href?: string;
  /** Of the file, or of everything in the folder. */
  readonly sizeBytes: number;
  /** Present for a folder. */
  readonly children?: readonly TreeNode[];
  /** Files in the folder at any depth. */
  readonly fileCount?: number;
}

export interface Tree {
  readonly nodes: readonly TreeNode[];
  /** Folders above this depth start open. */
  readonly openDepth?: number;
}

export function tree({ nodes, openDepth = 1 }: Tree): Html {
  return html`<ul class="tree">${nodes.map((node) => line(node, openDepth))}</ul>`;
}

function line(node: TreeNode, openDepth: number): Html {
  const { name, href, sizeBytes, children, fileCount } = node;
  if (children === undefined) {
    const shown = href === undefined ? html`${name}` : html`<a href="${href}">${name}</a>`;
    return html`<li><div class="tree-line">${icon('file')}<span class="name">${shown}</span>${bytes(sizeBytes)}</div></li>`;
  }
  const count =
    fileCount === undefined
      ? ''
      : html` <span class="muted small">${plural(fileCount, 'file')}</span>`;
  return html`<li><details${attribute('open', openDepth > 0)}><summary><div class="tree-line">${icon('right', 'turn')}${icon('folder')}<span class="name">${name}${count}</span>${bytes(sizeBytes)}</div></summary><ul>${children.map((child) => line(child, openDepth - 1))}</ul></details></li>`;
}
