// SHA-256 of a segment and its tree of BEP 52, in one pass, by a thread of the pool. A processor with
// instructions for SHA-256 waits half of its time for the round before; the hash of the whole and that of a
// block of 16 KiB read the same bytes, so they share the message schedule and run beside each other at the
// price of one. Without such instructions there is nothing to gain: the call says so, and JavaScript hashes
// twice. Who wants the tree alone has two blocks hashed beside each other, for 0.6 of that price.
//
// The bytes, and the buffer that takes the hashes, are the caller's again when `done` is called. That buffer
// has 32 bytes for the SHA-256 of the segment (untouched when it is not wanted), 32 for its root, and 32 for
// each block: first the nodes of the layer that was asked for, then anything.
//
// Segments of a file that follow each other can be read by the same call, each stretch hashed while it is
// near the processor: the event loop hears of them once, not of each reading and each hashing. `done` is told
// 0, or 1: the file goes on behind what is said to be its end, or 2: it ends before, or a negative errno.

#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BLOCK_BYTES 16384
#define DIGEST_BYTES 32
#define SEGMENT_BYTES_MAX (16 * 1024 * 1024)
#define HEIGHT_MAX 40
// As the height of a layer: none is wanted, nor the SHA-256 of the whole.
#define JUST_ROOT -2
#define PAGE_BYTES (2 * 1024 * 1024)
// Read, then hashed. Whole blocks.
#define STRETCH_BYTES (16 * BLOCK_BYTES)
#define SEGMENTS_MAX 8
#define REFERENCES_MAX (3 + SEGMENTS_MAX)

typedef struct Segment {
  uint8_t *bytes;
  size_t length;
  uint8_t *into;
} Segment;

typedef struct HashJob {
  Segment segments[SEGMENTS_MAX];
  uint32_t count;
  // Rows above the blocks: of the root, and of the layer that is wanted; below 0 when none is.
  int32_t height;
  int32_t layer_height;
  // Where they are read from; its descriptor is below 0 when they are there.
  FileSource source;
  bool is_end;
  int32_t status;
  napi_async_work work;
  // Whom to tell, and what keeps the memory.
  napi_ref references[REFERENCES_MAX];
} HashJob;

static size_t blocks_of(size_t length) { return (length + BLOCK_BYTES - 1) / BLOCK_BYTES; }

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

// The words of the next four rounds, and those of sixteen rounds later in their place.
WITH_SHA static inline __attribute__((always_inline)) __m128i take_words(__m128i *words, int at) {
  __m128i now = words[at & 3];
  if (at >= 12) return now;
  __m128i last = words[(at + 3) & 3];
  __m128i seventh = _mm_alignr_epi8(last, words[(at + 2) & 3], 4);
  __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, words[(at + 1) & 3]), seventh);
  words[at & 3] = _mm_sha256msg2_epu32(sum, last);
  return now;
}

WITH_SHA static inline __attribute__((always_inline)) void load_words(__m128i *words,
                                                                      const uint8_t *bytes) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  for (int at = 0; at < 4; at++) {
    words[at] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + at), swap);
  }
}

WITH_SHA static inline void four_rounds(State *state, __m128i words, int at) {
  __m128i low = _mm_add_epi32(words, _mm_load_si128((const __m128i *)ROUNDS + at));
  two_rounds(state, low, _mm_shuffle_epi32(low, 0x0e));
}

WITH_SHA static inline void sum_up(State *state, const State *before) {
  state->abef = _mm_add_epi32(state->abef, before->abef);
  state->cdgh = _mm_add_epi32(state->cdgh, before->cdgh);
}

// `count` times 64 bytes into both states, or into one.
WITH_SHA static inline __attribute__((always_inline)) void add_blocks(State *one, State *two,
                                                                      const uint8_t *bytes,
                                                                      size_t count) {
  State a = *one;
  State b = two == NULL ? a : *two;
  for (; count > 0; count--, bytes += 64) {
    State a_before = a, b_before = b;
    __m128i words[4];
    load_words(words, bytes);
#pragma GCC unroll 16
    for (int at = 0; at < 16; at++) {
      __m128i now = take_words(words, at);
      four_rounds(&a, now, at);
      if (two != NULL) four_rounds(&b, now, at);
    }
    sum_up(&a, &a_before);
    sum_up(&b, &b_before);
  }
  *one = a;
  if (two != NULL) *two = b;
}

// Two blocks that follow each other, from their beginning, of one state each.
WITH_SHA static void hash_beside(State *one, State *two, const uint8_t *bytes) {
  State a = first_state(), b = a;
  for (const uint8_t *end = bytes + BLOCK_BYTES; bytes < end; bytes += 64) {
    State a_before = a, b_before = b;
    __m128i a_words[4], b_words[4];
    load_words(a_words, bytes);
    load_words(b_words, bytes + BLOCK_BYTES);
#pragma GCC unroll 16
    for (int at = 0; at < 16; at++) {
      __m128i a_now = take_words(a_words, at), b_now = take_words(b_words, at);
      four_rounds(&a, a_now, at);
      four_rounds(&b, b_now, at);
    }
    sum_up(&a, &a_before);
    sum_up(&b, &b_before);
  }
  *one = a;
  *two = b;
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

WITH_SHA static void hash_pair(const uint8_t *left, const uint8_t *right, uint8_t *into) {
  uint8_t pair[2 * DIGEST_BYTES];
  memcpy(pair, left, DIGEST_BYTES);
  memcpy(pair + DIGEST_BYTES, right, DIGEST_BYTES);
  State state = first_state();
  add_to_one(&state, pair, 1);
  finish(&state, NULL, 0, sizeof pair, into);
}

// Of the `count` nodes in that row those of the row `to`, in their place, and how many they are. What is
// missing to a whole tree are trees of zero leaves.
static size_t raise_row(uint8_t *nodes, size_t count, int32_t from, int32_t to) {
  uint8_t pad[DIGEST_BYTES] = {0};
  for (int32_t row = 0; row < to; row++) {
    if (row >= from) {
      for (size_t at = 0; at < count; at += 2) {
        const uint8_t *left = nodes + at * DIGEST_BYTES;
        hash_pair(left, at + 1 < count ? left + DIGEST_BYTES : pad, nodes + at / 2 * DIGEST_BYTES);
      }
      count = (count + 1) / 2;
    }
    hash_pair(pad, pad, pad);
  }
  return count;
}

static void hash_tree(uint8_t *root, uint8_t *blocks, size_t count, const HashJob *job) {
  int32_t from = job->layer_height < 0 ? 0 : job->layer_height;
  count = raise_row(blocks, count, 0, from);
  if (job->layer_height < 0) {
    raise_row(blocks, count, from, job->height);
    memcpy(root, blocks, DIGEST_BYTES);
    return;
  }
  // The layer stays.
  uint8_t nodes[SEGMENT_BYTES_MAX / BLOCK_BYTES * DIGEST_BYTES];
  memcpy(nodes, blocks, count * DIGEST_BYTES);
  raise_row(nodes, count, from, job->height);
  memcpy(root, nodes, DIGEST_BYTES);
}

// Into the hash of the whole, and that of each block. Only the last stretch has a rest that is not hashed.
WITH_SHA static size_t add_stretch(State *whole, const uint8_t *bytes, size_t length,
                                   uint8_t *leaf_into) {
  size_t rest = 0;
  for (size_t at = 0; at < length; at += BLOCK_BYTES, leaf_into += DIGEST_BYTES) {
    size_t leaf_bytes = length - at < BLOCK_BYTES ? length - at : BLOCK_BYTES;
    rest = leaf_bytes % 64;
    State leaf = first_state();
    add_to_both(whole, &leaf, bytes + at, leaf_bytes / 64);
    finish(&leaf, bytes + at + leaf_bytes - rest, rest, leaf_bytes, leaf_into);
  }
  return rest;
}

// The same of the blocks alone, however many: two beside each other, and what is left by itself.
WITH_SHA static void hash_blocks(const uint8_t *bytes, size_t length, uint8_t *into) {
  while (length >= 2 * BLOCK_BYTES) {
    State one, two;
    hash_beside(&one, &two, bytes);
    finish(&one, NULL, 0, BLOCK_BYTES, into);
    finish(&two, NULL, 0, BLOCK_BYTES, into + DIGEST_BYTES);
    bytes += 2 * BLOCK_BYTES;
    length -= 2 * BLOCK_BYTES;
    into += 2 * DIGEST_BYTES;
  }
  while (length > 0) {
    size_t leaf_bytes = length < BLOCK_BYTES ? length : BLOCK_BYTES, rest = leaf_bytes % 64;
    State leaf = first_state();
    add_to_one(&leaf, bytes, leaf_bytes / 64);
    finish(&leaf, bytes + leaf_bytes - rest, rest, leaf_bytes, into);
    bytes += leaf_bytes;
    length -= leaf_bytes;
    into += DIGEST_BYTES;
  }
}

static int32_t run_segment(HashJob *job, const Segment *segment) {
  bool is_there = job->source.fd < 0;
  if (!is_there) look_ahead(&job->source, segment->length);
  uint8_t *root = segment->into + DIGEST_BYTES, *blocks = root + DIGEST_BYTES;
  if (job->layer_height == JUST_ROOT) {
    int32_t status = is_there ? 0 : read_source(&job->source, segment->bytes, segment->length);
    if (status != 0) return status;
    hash_blocks(segment->bytes, segment->length, blocks);
    hash_tree(root, blocks, blocks_of(segment->length), job);
    return 0;
  }
  State whole = first_state();
  size_t rest = 0;
  for (size_t at = 0; at < segment->length; at += STRETCH_BYTES) {
    size_t left = segment->length - at, take = left < STRETCH_BYTES ? left : STRETCH_BYTES;
    int32_t status = is_there ? 0 : read_source(&job->source, segment->bytes + at, take);
    if (status != 0) return status;
    uint8_t *leaves = blocks + at / BLOCK_BYTES * DIGEST_BYTES;
    rest = add_stretch(&whole, segment->bytes + at, take, leaves);
  }
  const uint8_t *end = segment->bytes + segment->length;
  finish(&whole, end - rest, rest, segment->length, segment->into);
  hash_tree(root, blocks, blocks_of(segment->length), job);
  return 0;
}

static int32_t run_hash(HashJob *job) {
  for (uint32_t at = 0; at < job->count; at++) {
    int32_t status = run_segment(job, &job->segments[at]);
    if (status != 0) return status;
  }
  if (!job->is_end) return 0;
  uint8_t more;
  // What is not there costs no page.
  job->source.is_past_cache = false;
  int32_t status = read_source(&job->source, &more, 1);
  return status == 2 ? 0 : status == 0 ? 1 : status;
}

#else

static bool can_hash(void) { return false; }
static int32_t run_hash(HashJob *job) { return (void)job, -ENOSYS; }

#endif

// In a thread of the pool.
static void execute(napi_env env, void *data) {
  (void)env;
  HashJob *job = data;
  job->status = run_hash(job);
  close_source(&job->source);
}

static void free_job(napi_env env, HashJob *job) {
  for (int at = 0; at < REFERENCES_MAX; at++) {
    if (job->references[at] != NULL) napi_delete_reference(env, job->references[at]);
  }
  if (job->work != NULL) napi_delete_async_work(env, job->work);
  if (job->source.fd >= 0) close(job->source.fd);
  free(job);
}

static void complete(napi_env env, napi_status status, void *data) {
  HashJob *job = data;
  napi_value receiver, done, result, told = new_int(env, job->status);
  bool is_told = status == napi_ok && told != NULL && napi_get_global(env, &receiver) == napi_ok &&
                 napi_get_reference_value(env, job->references[0], &done) == napi_ok;
  free_job(env, job);
  if (is_told) napi_call_function(env, receiver, done, 1, &told, &result);
}

static bool get_segment(napi_env env, napi_value value, Segment *segment) {
  return get_bytes(env, value, &segment->bytes, &segment->length) && segment->length > 0 &&
         segment->length <= SEGMENT_BYTES_MAX;
}

// `settings`: into, height, layerHeight, done. Undefined, with an exception, when they are not that.
static bool get_settings(napi_env env, const napi_value *settings, HashJob *job) {
  napi_valuetype type = napi_undefined;
  uint8_t *into;
  size_t room, needed = 0;
  if (!get_bytes(env, settings[0], &into, &room) || !get_int(env, settings[1], &job->height) ||
      !get_int(env, settings[2], &job->layer_height) ||
      napi_typeof(env, settings[3], &type) != napi_ok || type != napi_function) {
    return false;
  }
  if (job->height < 0 || job->height > HEIGHT_MAX || job->layer_height > job->height) return false;
  for (uint32_t at = 0; at < job->count; at++) {
    size_t blocks = blocks_of(job->segments[at].length);
    if ((size_t)1 << job->height < blocks) return false;
    job->segments[at].into = into + needed;
    needed += (2 + blocks) * DIGEST_BYTES;
  }
  return room >= needed;
}

// Takes the job over, and its descriptor. `memory`: the arrays of the segments, and what is lent to a source.
static napi_value begin_job(napi_env env, HashJob asked, const napi_value *settings,
                            const napi_value *memory) {
  HashJob *job = malloc(sizeof *job);
  if (job == NULL) {
    if (asked.source.fd >= 0) close(asked.source.fd);
    return new_int(env, -ENOMEM);
  }
  *job = asked;
  napi_value name;
  napi_ref *kept = job->references;
  bool is_kept = napi_create_reference(env, settings[3], 1, kept) == napi_ok &&
                 napi_create_reference(env, settings[0], 1, kept + 1) == napi_ok;
  uint32_t kept_count = job->count + (job->source.fd >= 0 ? 1 : 0);
  for (uint32_t at = 0; at < kept_count; at++) {
    is_kept = is_kept && napi_create_reference(env, memory[at], 1, kept + 2 + at) == napi_ok;
  }
  if (is_kept && napi_create_string_utf8(env, "swarmkeep:hash", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_create_async_work(env, NULL, name, execute, complete, job, &job->work) == napi_ok &&
      napi_queue_async_work(env, job->work) == napi_ok) {
    return new_int(env, 0);
  }
  free_job(env, job);
  return new_int(env, -ENOMEM);
}

// Asked once: a virtual machine answers slowly.
static bool has_instructions(Instance *instance) {
  if (instance->hashes == 0) instance->hashes = can_hash() ? 1 : -1;
  return instance->hashes > 0;
}

napi_value hash_segment(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  Instance *instance;
  HashJob asked = {.count = 1, .source = {.fd = -1, .direct = -1}};
  if (!get_arguments(env, info, 5, arguments, &instance) ||
      !get_segment(env, arguments[0], &asked.segments[0]) ||
      !get_settings(env, arguments + 1, &asked)) {
    return refuse(env, "hashSegment(bytes, into, height, layerHeight, done)");
  }
  if (!has_instructions(instance)) return new_int(env, -ENOSYS);
  return begin_job(env, asked, arguments + 1, arguments);
}

static bool get_rooms(napi_env env, napi_value list, napi_value *rooms, HashJob *job) {
  if (napi_get_array_length(env, list, &job->count) != napi_ok) return false;
  if (job->count == 0 || job->count > SEGMENTS_MAX) return false;
  for (uint32_t at = 0; at < job->count; at++) {
    if (napi_get_element(env, list, at, &rooms[at]) != napi_ok ||
        !get_segment(env, rooms[at], &job->segments[at])) {
      return false;
    }
  }
  return true;
}

napi_value hash_file(napi_env env, napi_callback_info info) {
  napi_value arguments[9], rooms[SEGMENTS_MAX + 1];
  Instance *instance;
  int32_t fd;
  int64_t position;
  uint8_t *spare;
  size_t spare_length;
  HashJob asked = {.source = {.fd = -1, .direct = -1}};
  if (!get_arguments(env, info, 9, arguments, &instance) || !get_int(env, arguments[0], &fd) ||
      napi_get_value_int64(env, arguments[1], &position) != napi_ok || position < 0 ||
      napi_get_value_bool(env, arguments[2], &asked.is_end) != napi_ok ||
      !get_rooms(env, arguments[3], rooms, &asked) ||
      !get_bytes(env, arguments[4], &spare, &spare_length) ||
      !get_settings(env, arguments + 5, &asked)) {
    return refuse(env, "hashFile(file, position, isEnd, rooms, spare, into, height, layerHeight, done)");
  }
  if (!has_instructions(instance)) return new_int(env, -ENOSYS);
  // The caller may close its own at any time.
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return new_int(env, -errno);
  open_source(&asked.source, own, position);
  lend_room(&asked.source, spare, spare_length);
  rooms[asked.count] = arguments[4];
  return begin_job(env, asked, arguments + 5, rooms);
}

// Where in a huge page the memory begins: what goes to a disk past the system's cache must begin a page.
napi_value page_offset(napi_env env, napi_callback_info info) {
  napi_value argument;
  Instance *instance;
  uint8_t *bytes;
  size_t length;
  if (!get_arguments(env, info, 1, &argument, &instance) ||
      !get_bytes(env, argument, &bytes, &length)) {
    return refuse(env, "pageOffset(bytes)");
  }
  return new_int(env, (int32_t)((uintptr_t)bytes % PAGE_BYTES));
}
