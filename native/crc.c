// CRC32C by the processor's own instruction, eight bytes at a time: a tenth of what tables take in
// JavaScript. Where the processor has none the call says so, and src/log/segment/crc32c.ts sums by itself.

#include "sockets.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t sum(const uint8_t *bytes, size_t length,
                                                       uint32_t seed) {
  uint64_t crc = ~seed;
  for (; length >= 8; bytes += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; length > 0; bytes++, length--) crc = _mm_crc32_u8((uint32_t)crc, *bytes);
  return ~(uint32_t)crc;
}

static bool can_sum(void) {
  unsigned int a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSE4_2) != 0;
}

#else

static uint32_t sum(const uint8_t *bytes, size_t length, uint32_t seed) {
  (void)bytes;
  (void)length;
  return seed;
}

static bool can_sum(void) { return false; }

#endif

// crc32c(bytes, from, to, seed): the checksum of bytes[from, to), which goes on from `seed`. -1 without the
// instruction.
napi_value crc32c(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  Instance *instance;
  uint8_t *bytes;
  size_t length;
  int64_t from, to;
  uint32_t seed;
  if (!get_arguments(env, info, 4, arguments, &instance) ||
      !get_bytes(env, arguments[0], &bytes, &length) ||
      napi_get_value_int64(env, arguments[1], &from) != napi_ok ||
      napi_get_value_int64(env, arguments[2], &to) != napi_ok ||
      napi_get_value_uint32(env, arguments[3], &seed) != napi_ok || from < 0 || to < from ||
      (uint64_t)to > length) {
    return refuse(env, "crc32c(bytes, from, to, seed)");
  }
  // Asked once: a virtual machine answers slowly.
  if (instance->sums == 0) instance->sums = can_sum() ? 1 : -1;
  if (instance->sums < 0) return new_int(env, -1);
  napi_value result = NULL;
  napi_create_uint32(env, sum(bytes + from, (size_t)(to - from), seed), &result);
  return result;
}
