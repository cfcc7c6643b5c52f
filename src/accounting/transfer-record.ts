// A record of the log topic `transfers`, version 1: one announce that was admitted, with what it
// moved. This file owns the format. Integers are little endian. A record is 128 bytes:
//
//    0  version            u8   1
//    1  event              u8   0 none, 1 completed, 2 started, 3 stopped, 4 paused (BEP 15, BEP 21)
//    2  flags              u16  see RECORD_FLAG
//    4  door               u8   0 UDP, 1 HTTP, 2 WebSocket
//    5  family             u8   4, 6, or 0 when the address was left out or removed
//    6  port               u16  0 when the address was left out or removed
//    8  member             u32  0 when nobody was named
//   12  torrent            u32
//   16  peer id            20 bytes
//   36  announce key       u32  the client's own random key, 0 when it sent none
//   40  sequence           u32  1 for the first record of a baseline, then without gap or repeat
//   44  elapsed            u32  seconds since the baseline's last record, 0 on first sight
//   48  uploaded delta     u64  real bytes this record proves; 0 on first sight and on reset
//   56  downloaded delta   u64
//   64  uploaded           u64  the client's counter, the baseline from here on
//   72  downloaded         u64
//   80  left               u64  2^53-1 when unknown
//   88  time               u64  Unix milliseconds of the announce
//   96  address            16 bytes, IPv4 in the first four; zeros when left out or removed
//  112  upload credit      u16  percent of the delta that is credited (100; 0 to 65,535)
//  114  download credit    u16
//  116  info hash version  u8   1 or 2: the hash it came by
//  117  reserved           11 zero bytes
//
// A record is valid if and only if its length is 128, its version is 1, every u64 is below 2^53,
// both deltas are at most their counters, and reserved bytes are zero. The baseline key is (member,
// torrent, peer id). The chain rule: sequence is the previous record's + 1 and each counter minus
// its delta equals the previous record's counter, unless the record is marked `first` (sequence 1)
// or `reset` (deltas 0). Addresses stand at fixed places and outside of any sum, so that a job can
// blank them in old records without touching anything else (A17).

export const TRANSFER_RECORD_BYTES = 128;

export const RECORD_FLAG = {
  /** First sight of this key: founds a baseline, credits nothing. */
  first: 1,
  /** A counter went down and the lower one is the new baseline; credits nothing. */
  reset: 2,
  /** `left` was 0 in the baseline's last record: the elapsed time was seed time. */
  seededBefore: 4,
  /** This record is the one that completed the torrent for this member, as the tracker saw it. */
  completes: 8,
  /** The address was left out because the member is protected, or blanked by age. */
  addressRemoved: 16,
  /** A counter stood lower than the baseline, which was kept: credits nothing (late announce). */
  late: 32,
} as const;
