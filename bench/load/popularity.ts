// Which torrent each peer of a simulated community shares. The curve is that of aquatic's load test:
// a few thousand torrents have most of the peers, most torrents have one or none. Torrent i of N has
// the weight P/N + exp(6.5 - 500 i/N) for P peers.

import { SeededRandom } from '#base/random.ts';

/** For each peer a torrent, 0 to torrents - 1; the same for the same numbers. */
export function torrentsOfPeers(torrents: number, peers: number): Uint32Array {
  const sums = new Float64Array(torrents);
  let sum = 0;
  for (let torrent = 0; torrent < torrents; torrent++) {
    sum += peers / torrents + Math.exp(6.5 - (500 * torrent) / torrents);
    sums[torrent] = sum;
  }
  const random = new SeededRandom(0x5eed);
  return Uint32Array.from({ length: peers }, () => find(sums, (random.u32() / 2 ** 32) * sum));
}

/** The first place whose sum is above `value`. */
function find(sums: Float64Array, value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
