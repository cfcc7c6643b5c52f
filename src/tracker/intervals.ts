// Settings of tracker and swarm that only make sense together: how often clients announce, and after
// which silence they are gone.

import type { SwarmConfig } from '#swarm/config.ts';
import type { AnnouncerWorld } from '#tracker/announce/announce.ts';
import type { TrackerConfig } from './config.ts';
import { TrackerError } from './errors.ts';

interface IntervalConfig {
  readonly tracker: TrackerConfig;
  readonly swarm: SwarmConfig;
}

/** What an announce may ask for and how often, from both rooms' settings. */
export function announceLimits(config: IntervalConfig): AnnouncerWorld['limits'] {
  const { waitingMax, announceIntervalMs, announceJitterPercent, peersPerAnswer } = config.tracker;
  const { announceIntervalMsMin, peersPerAnswerMax } = config.swarm;
  return {
    waitingMax,
    announceIntervalMs,
    announceIntervalMsMin,
    announceJitterPercent,
    peersPerAnswer,
    peersPerAnswerMax,
  };
}

/** @throws TrackerError TRACKER_CONFIG_INVALID: the settings contradict each other */
export function checkIntervals(config: IntervalConfig): void {
  const { announceIntervalMs, announceJitterPercent } = config.tracker;
  const { announceIntervalMsMin, peerAgeMsMax } = config.swarm;
  const shortestMs = announceIntervalMs * (1 - announceJitterPercent / 100);
  const longestMs = announceIntervalMs * (1 + announceJitterPercent / 100);
  if (shortestMs < announceIntervalMsMin) {
    throw new TrackerError(
      'TRACKER_CONFIG_INVALID',
      `tracker.announceIntervalMs ${announceIntervalMs} with its jitter goes below swarm.announceIntervalMsMin ${announceIntervalMsMin}, so every announce would be too early: expected at most ${Math.floor(shortestMs)} there`,
    );
  }
  if (longestMs >= peerAgeMsMax) {
    throw new TrackerError(
      'TRACKER_CONFIG_INVALID',
      `tracker.announceIntervalMs ${announceIntervalMs} with its jitter reaches swarm.peerAgeMsMax ${peerAgeMsMax}, so live peers would be dropped: expected more than ${Math.ceil(longestMs)} there`,
    );
  }
}
