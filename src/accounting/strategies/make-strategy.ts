// The strategy that the settings choose.

import type { RulesConfig } from '#accounting/rules-config.ts';
import { free } from './free.ts';
import { requiredRatio } from './required-ratio.ts';
import { seedLeech } from './seed-leech.ts';
import { seedLeechTime } from './seed-leech-time.ts';
import { type SeedTimeSettings, seedTime } from './seed-time.ts';
import type { Strategy, StrategyName } from './strategy.ts';
import { uploadDownload } from './upload-download.ts';

const MAKERS: Readonly<Record<StrategyName, (rules: RulesConfig) => Strategy>> = {
  free,
  'upload-download': (rules) =>
    uploadDownload({ required: rules.ratioRequired, graceBytes: rules.ratioGraceBytes }),
  'required-ratio': requiredRatio,
  'seed-leech': (rules) =>
    seedLeech({
      required: rules.seedLeechRequired,
      seedSecondsMin: rules.seedLeechSecondsMin,
      graceTorrents: rules.seedLeechGraceTorrents,
    }),
  'seed-leech-time': (rules) =>
    seedLeechTime({
      required: rules.seedLeechTimeRequired,
      windowDays: rules.seedLeechTimeWindowDays,
      graceSeconds: rules.seedLeechTimeGraceSeconds,
    }),
  'seed-time': (rules) => seedTime(seedTimeSettings(rules)),
};

export function seedTimeSettings(rules: RulesConfig): SeedTimeSettings {
  return {
    seedSecondsRequired: rules.seedTimeSecondsRequired,
    ratioRequired: rules.seedTimeRatioRequired,
    bufferShare: rules.seedTimeBufferShare,
    warnAfterMs: rules.seedTimeWarnAfterMs,
    hitAndRunAfterMs: rules.seedTimeHitAndRunAfterMs,
    hitAndRunsMax: rules.seedTimeHitAndRunsMax,
  };
}

export function makeStrategy(rules: RulesConfig): Strategy {
  return MAKERS[rules.strategy](rules);
}
