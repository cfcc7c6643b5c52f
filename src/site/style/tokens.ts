// The values that every page is drawn from: colours for both themes, type scale, spacing. They are
// data, so that tokens.test.ts can compute the contrast of every pair that is used together. The
// rules for their use are in docs/design.md.

interface Themed {
  readonly light: string;
  readonly dark: string;
}

/** Six hexadecimal digits each. `soft` colours are grounds for text of the same name. */
export const COLOURS = {
  page: { light: '#f4f6f7', dark: '#0f1417' },
  surface: { light: '#ffffff', dark: '#171e22' },
  sunken: { light: '#eaeef0', dark: '#0a0e10' },
  line: { light: '#d5dce0', dark: '#2a353b' },
  control: { light: '#6f7d86', dark: '#74828b' },
  text: { light: '#17212a', dark: '#e4eaed' },
  muted: { light: '#4d5b64', dark: '#a2afb7' },
  accent: { light: '#0b5d7c', dark: '#6ac4e6' },
  accentHover: { light: '#084a63', dark: '#92d5ee' },
  onAccent: { light: '#ffffff', dark: '#05212c' },
  accentSoft: { light: '#e0eff5', dark: '#10303c' },
  good: { light: '#1a6839', dark: '#72d495' },
  goodSoft: { light: '#e1f3e8', dark: '#122b1c' },
  warn: { light: '#854700', dark: '#f1b65f' },
  warnSoft: { light: '#fcefdb', dark: '#31230e' },
  bad: { light: '#ac241c', dark: '#ff9d95' },
  badSoft: { light: '#fce9e8', dark: '#391817' },
  onBad: { light: '#ffffff', dark: '#2f0a08' },
} as const satisfies Record<string, Themed>;

export type ColourName = keyof typeof COLOURS;

interface Pair {
  readonly front: ColourName;
  readonly ground: ColourName;
  /** WCAG 2.2: 4.5 for text, 3 for the edges of controls and for the focus ring. */
  readonly ratioMin: 4.5 | 3;
}

const GROUNDS: readonly ColourName[] = ['page', 'surface', 'sunken'];

/** Every pair of colours that the style sheet puts on one another. */
export const PAIRS: readonly Pair[] = [
  ...GROUNDS.flatMap((ground) => [
    { front: 'text', ground, ratioMin: 4.5 } as const,
    { front: 'muted', ground, ratioMin: 4.5 } as const,
    { front: 'accent', ground, ratioMin: 4.5 } as const,
    { front: 'accentHover', ground, ratioMin: 4.5 } as const,
    { front: 'good', ground, ratioMin: 4.5 } as const,
    { front: 'warn', ground, ratioMin: 4.5 } as const,
    { front: 'bad', ground, ratioMin: 4.5 } as const,
    { front: 'control', ground, ratioMin: 3 } as const,
  ]),
  { front: 'onAccent', ground: 'accent', ratioMin: 4.5 },
  { front: 'onAccent', ground: 'accentHover', ratioMin: 4.5 },
  { front: 'onBad', ground: 'bad', ratioMin: 4.5 },
  { front: 'text', ground: 'accentSoft', ratioMin: 4.5 },
  { front: 'accent', ground: 'accentSoft', ratioMin: 4.5 },
  { front: 'good', ground: 'goodSoft', ratioMin: 4.5 },
  { front: 'text', ground: 'goodSoft', ratioMin: 4.5 },
  { front: 'warn', ground: 'warnSoft', ratioMin: 4.5 },
  { front: 'text', ground: 'warnSoft', ratioMin: 4.5 },
  { front: 'bad', ground: 'badSoft', ratioMin: 4.5 },
  { front: 'text', ground: 'badSoft', ratioMin: 4.5 },
];

/** Sizes in rem; each name is a custom property `--type-…`. */
export const TYPE_SCALE = {
  small: 0.875,
  body: 1,
  large: 1.125,
  heading: 1.25,
  title: 1.625,
} as const;

/** Sizes in rem; `--space-…`. Steps of 4 px at the usual root size. */
export const SPACING = { 1: 0.25, 2: 0.5, 3: 0.75, 4: 1, 5: 1.5, 6: 2, 7: 3 } as const;

/** `:root` with a custom property per token. `light-dark()` follows `color-scheme`. */
export function tokenStyle(): string {
  const lines = [
    ...Object.entries(COLOURS).map(
      ([name, { light, dark }]) => `--${kebab(name)}: light-dark(${light}, ${dark});`,
    ),
    ...Object.entries(TYPE_SCALE).map(([name, size]) => `--type-${name}: ${size}rem;`),
    ...Object.entries(SPACING).map(([name, size]) => `--space-${name}: ${size}rem;`),
  ];
  return `:root {\n  color-scheme: light dark;\n  ${lines.join('\n  ')}\n}\n`;
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** WCAG 2.2 contrast ratio of two `#rrggbb` colours, 1 to 21. */
export function contrast(front: string, ground: string): number {
  const [high = 0, low = 0] = [luminance(front), luminance(ground)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
