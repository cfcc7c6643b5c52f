// SHA-256 of a segment and of each of its blocks of 16 KiB, the leaves of BEP 52, in one pass. A processor
// with instructions for SHA-256 waits half of its time for the round before; both hashes read the same
// bytes, so they share the message schedule and run beside each other at the price of one. Without such
// instructions there is nothing to gain: the call says so, and JavaScript hashes twice.

#include "sockets.h"

#define BLOCK_BYTES 16384
#define DIGEST_BYTES 32

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

static const uint32_t ROUNDS[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

// The eight words of a state as the instructions want them.
typedef struct State {
  __m128i abef;
  __m128i cdgh;
} State;

static State first_state(void) {
  return (State){_mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c),
                 _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19)};
}

WITH_SHA static inline void two_rounds(State *state, __m128i low, __m128i high) {
  state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, low);
  state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, high);
}

// `count` times 64 bytes into both states, or into one.
WITH_SHA static inline __attribute__((always_inline)) void add_blocks(State *one, State *two,
                                                                      const uint8_t *bytes,
                                                                      size_t count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  State a = *one;
  State b = two == NULL ? a : *two;
  for (; count > 0; count--, bytes += 64) {
    State a_before = a, b_before = b;
    __m128i words[4];
    for (int at = 0; at < 4; at++) {
      words[at] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + at), swap);
    }
#pragma GCC unroll 16
    for (int at = 0; at < 16; at++) {
      __m128i now = words[at & 3];
      __m128i low = _mm_add_epi32(now, _mm_load_si128((const __m128i *)ROUNDS + at));
      __m128i high = _mm_shuffle_epi32(low, 0x0e);
      two_rounds(&a, low, high);
      if (two != NULL) two_rounds(&b, low, high);
      if (at >= 12) continue;
      __m128i last = words[(at + 3) & 3];
      __m128i seventh = _mm_alignr_epi8(last, words[(at + 2) & 3], 4);
      __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, words[(at + 1) & 3]), seventh);
      words[at & 3] = _mm_sha256msg2_epu32(sum, last);
    }
    a.abef = _mm_add_epi32(a.abef, a_before.abef);
    a.cdgh = _mm_add_epi32(a.cdgh, a_before.cdgh);
    b.abef = _mm_add_epi32(b.abef, b_before.abef);
    b.cdgh = _mm_add_epi32(b.cdgh, b_before.cdgh);
  }
  *one = a;
  if (two != NULL) *two = b;
}

WITH_SHA static void add_to_both(State *one, State *two, const uint8_t *bytes, size_t count) {
  add_blocks(one, two, bytes, count);
}

WITH_SHA static void add_to_one(State *one, const uint8_t *bytes, size_t count) {
  add_blocks(one, NULL, bytes, count);
}

// The last `rest` bytes, fewer than 64, of a message of `total`.
WITH_SHA static void finish(State *state, const uint8_t *bytes, size_t rest, uint64_t total,
                            uint8_t *into) {
  uint8_t tail[128] = {0};
  if (rest > 0) memcpy(tail, bytes, rest);
  tail[rest] = 0x80;
  size_t length = rest < 56 ? 64 : 128;
  for (int at = 0; at < 8; at++) tail[length - 1 - at] = (uint8_t)(total * 8 >> (8 * at));
  add_to_one(state, tail, length / 64);
  uint32_t abef[4], cdgh[4];
  _mm_storeu_si128((__m128i *)abef, state->abef);
  _mm_storeu_si128((__m128i *)cdgh, state->cdgh);
  const uint32_t words[8] = {abef[3], abef[2], cdgh[3], cdgh[2],
                             abef[1], abef[0], cdgh[1], cdgh[0]};
  for (int at = 0; at < 8; at++) {
    uint32_t word = __builtin_bswap32(words[at]);
    memcpy(into + 4 * at, &word, 4);
  }
}

static bool can_hash(void) {
  unsigned int a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) {
    return false;
  }
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & (1u << 29)) != 0;
}

WITH_SHA static void hash_both(const uint8_t *bytes, size_t length, uint8_t *into) {
  State whole = first_state();
  uint8_t *leaf_into = into + DIGEST_BYTES;
  size_t rest = 0;
  for (size_t at = 0; at < length; at += BLOCK_BYTES, leaf_into += DIGEST_BYTES) {
    size_t leaf_bytes = length - at < BLOCK_BYTES ? length - at : BLOCK_BYTES;
    rest = leaf_bytes % 64;
    State leaf = first_state();
    add_to_both(&whole, &leaf, bytes + at, leaf_bytes / 64);
    finish(&leaf, bytes + at + leaf_bytes - rest, rest, leaf_bytes, leaf_into);
  }
  finish(&whole, bytes + length - rest, rest, length, into);
}

#else

static bool can_hash(void) { return false; }
static void hash_both(const uint8_t *bytes, size_t length, uint8_t *into) {
  (void)bytes, (void)length, (void)into;
}

#endif

static bool get_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length) {
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok) return false;
  *bytes = data;
  return type == napi_uint8_array && data != NULL;
}

napi_value hash_segment(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  Instance *instance;
  uint8_t *bytes, *into;
  size_t length, room;
  if (!get_arguments(env, info, 2, arguments, &instance) ||
      !get_bytes(env, arguments[0], &bytes, &length) || length == 0 ||
      !get_bytes(env, arguments[1], &into, &room)) {
    return refuse(env, "hashSegment(bytes, into)");
  }
  size_t leaves = (length + BLOCK_BYTES - 1) / BLOCK_BYTES;
  if (room < (1 + leaves) * DIGEST_BYTES) return refuse(env, "hashSegment: no room");
  if (!can_hash()) return new_int(env, -ENOSYS);
  hash_both(bytes, length, into);
  return new_int(env, 0);
}
