// Many sends, or receives, by one system call: io_uring without anything asynchronous. Each is tried at
// once (MSG_DONTWAIT) and has its result when the submission returns; nothing of ours is the kernel's
// afterwards. The gain is not the calls that are saved: after each send() the kernel may hand the
// processor to whom the answer woke, after a batch of them it does so once.
//
// Where the kernel has no io_uring or forbids it, as containers may, ring_open() gives NULL and the
// caller makes one call for each. A ring belongs to one thread. Its heads and tails count on for ever;
// the kernel reads the tail of what is asked and writes the tail of the results, so those two are
// stored and loaded with release and acquire.

#include "sockets.h"

#if defined(__has_include)
#if __has_include(<linux/io_uring.h>)
#define HAS_RING 1
#endif
#endif

#ifdef HAS_RING

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct Ring {
  int fd;
  void *rings;
  size_t rings_bytes;
  struct io_uring_sqe *asked;
  size_t asked_bytes;
  uint32_t asked_max;
  uint32_t asked_mask;
  uint32_t *asked_tail;
  uint32_t *asked_order;
  // Written behind the tail and not submitted yet.
  uint32_t queued;
  struct io_uring_cqe *results;
  uint32_t results_mask;
  uint32_t *results_head;
  uint32_t *results_tail;
};

static bool map_ring(Ring *ring, const struct io_uring_params *made) {
  size_t asked_end = made->sq_off.array + made->sq_entries * sizeof(uint32_t);
  size_t results_end = made->cq_off.cqes + made->cq_entries * sizeof(struct io_uring_cqe);
  ring->rings_bytes = asked_end > results_end ? asked_end : results_end;
  ring->asked_bytes = made->sq_entries * sizeof(struct io_uring_sqe);
  int may = PROT_READ | PROT_WRITE;
  int how = MAP_SHARED | MAP_POPULATE;
  void *rings = mmap(NULL, ring->rings_bytes, may, how, ring->fd, IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) return false;
  ring->rings = rings;
  void *asked = mmap(NULL, ring->asked_bytes, may, how, ring->fd, IORING_OFF_SQES);
  if (asked == MAP_FAILED) return false;
  ring->asked = asked;
  ring->asked_max = made->sq_entries;
  uint8_t *base = rings;
  ring->asked_mask = *(uint32_t *)(base + made->sq_off.ring_mask);
  ring->asked_tail = (uint32_t *)(base + made->sq_off.tail);
  ring->asked_order = (uint32_t *)(base + made->sq_off.array);
  ring->results = (struct io_uring_cqe *)(base + made->cq_off.cqes);
  ring->results_mask = *(uint32_t *)(base + made->cq_off.ring_mask);
  ring->results_head = (uint32_t *)(base + made->cq_off.head);
  ring->results_tail = (uint32_t *)(base + made->cq_off.tail);
  return true;
}

Ring *ring_open(uint32_t entries) {
  Ring *ring = calloc(1, sizeof *ring);
  if (ring == NULL) return NULL;
  struct io_uring_params made = {.flags = IORING_SETUP_CLAMP};
  ring->fd = (int)syscall(SYS_io_uring_setup, entries, &made);
  // RW_CUR_POS came with Linux 5.6, as send and receive did; one map for both rings is older.
  uint32_t wanted = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_RW_CUR_POS;
  if (ring->fd < 0 || (made.features & wanted) != wanted || !map_ring(ring, &made)) {
    ring_close(ring);
    return NULL;
  }
  return ring;
}

void ring_close(Ring *ring) {
  if (ring == NULL) return;
  if (ring->asked != NULL) munmap(ring->asked, ring->asked_bytes);
  if (ring->rings != NULL) munmap(ring->rings, ring->rings_bytes);
  if (ring->fd >= 0) close(ring->fd);
  free(ring);
}

bool ring_queue(Ring *ring, const Transfer *transfer) {
  if (ring->queued == ring->asked_max) return false;
  uint32_t at = (*ring->asked_tail + ring->queued) & ring->asked_mask;
  struct io_uring_sqe *asked = &ring->asked[at];
  memset(asked, 0, sizeof *asked);
  asked->opcode = transfer->is_send ? IORING_OP_SEND : IORING_OP_RECV;
  asked->fd = transfer->fd;
  asked->addr = (uint64_t)(uintptr_t)transfer->bytes;
  asked->len = transfer->length;
  asked->msg_flags = (uint32_t)transfer->flags;
  asked->user_data = transfer->tag;
  ring->asked_order[at] = at;
  ring->queued++;
  return true;
}

bool ring_submit(Ring *ring) {
  uint32_t left = ring->queued;
  ring->queued = 0;
  __atomic_store_n(ring->asked_tail, *ring->asked_tail + left, __ATOMIC_RELEASE);
  while (left > 0) {
    long taken = syscall(SYS_io_uring_enter, ring->fd, left, 0, 0, NULL, 0);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) return false;
    left -= (uint32_t)taken;
  }
  return true;
}

bool ring_result(Ring *ring, uint32_t *tag, int32_t *result) {
  uint32_t head = *ring->results_head;
  if (head == __atomic_load_n(ring->results_tail, __ATOMIC_ACQUIRE)) return false;
  const struct io_uring_cqe *it = &ring->results[head & ring->results_mask];
  *tag = (uint32_t)it->user_data;
  *result = it->res;
  __atomic_store_n(ring->results_head, head + 1, __ATOMIC_RELEASE);
  return true;
}

#else

Ring *ring_open(uint32_t entries) { return (void)entries, NULL; }
void ring_close(Ring *ring) { (void)ring; }
bool ring_queue(Ring *ring, const Transfer *transfer) { return (void)ring, (void)transfer, false; }
bool ring_submit(Ring *ring) { return (void)ring, false; }
bool ring_result(Ring *ring, uint32_t *tag, int32_t *result) {
  return (void)ring, (void)tag, (void)result, false;
}

#endif
