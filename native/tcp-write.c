// What a TCP server does with its connections: writes, ends, reads again, one operation each.

#include "tcp.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

// Fewer are not worth a submission.
#define TOGETHER_MIN 2
#define NOT_SENT INT32_MIN

// Closes at once when the peer has nothing unread with us: unread bytes would turn the end into a
// reset, which can overtake the answer. Otherwise only our side ends. With an answer, JavaScript has
// just seen all that the peer sent; of one that was idle it cannot know.
static int32_t finish_connection(Tcp *tcp, uint32_t slot, bool is_known_empty) {
  int unread = 0;
  int fd = tcp->connections[slot].fd;
  if (!is_known_empty && ioctl(fd, SIOCINQ, &unread) == 0 && unread > 0) {
    shutdown(fd, SHUT_WR);
    return RESULT_SHUT;
  }
  close_connection(tcp, slot);
  return RESULT_CLOSED;
}

static bool is_open(const Tcp *tcp, const int32_t *operation) {
  uint32_t slot = (uint32_t)operation[0];
  return slot < tcp->connections_max && tcp->connections[slot].fd >= 0;
}

// The send that a write operation asks for; false when it names no bytes of ours.
static bool read_write(Tcp *tcp, napi_env env, const int32_t *operation, Transfer *into) {
  uint32_t chunk_at = (uint32_t)operation[2];
  if (chunk_at >= tcp->chunk_count) return false;
  Chunk *chunk = &tcp->chunks[chunk_at];
  if (chunk->checked_turn != tcp->turn) {
    if (!is_attached(env, &chunk->buffer)) return false;
    chunk->checked_turn = tcp->turn;
  }
  int32_t offset = operation[3];
  int32_t length = operation[4];
  if (offset < 0 || length < 0) return false;
  if ((size_t)offset + (size_t)length > chunk->buffer.length) return false;
  // What ends the connection goes out with its end, in one segment.
  bool is_last = (operation[1] & (OPERATION_CLOSE | OPERATION_SHUT)) != 0;
  into->is_send = true;
  into->fd = tcp->connections[operation[0]].fd;
  into->bytes = chunk->buffer.data + offset;
  into->length = (uint32_t)length;
  into->flags = MSG_DONTWAIT | MSG_NOSIGNAL | (is_last ? MSG_MORE : 0);
  return true;
}

static int32_t write_alone(Tcp *tcp, napi_env env, const int32_t *operation) {
  Transfer write;
  if (!read_write(tcp, env, operation, &write)) return -EINVAL;
  ssize_t sent;
  do {
    sent = send(write.fd, write.bytes, write.length, write.flags);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : (int32_t)sent;
}

// The writes of all operations by one submission; the result of each stands in its word 5, NOT_SENT
// where it has none.
static void write_together(Tcp *tcp, napi_env env, int32_t count) {
  uint32_t queued = 0;
  for (int32_t at = 0; at < count; at++) {
    int32_t *operation = tcp->operations + at * OPERATION_WORDS;
    bool is_write = (operation[1] & (OPERATION_WRITE | OPERATION_DROP)) == OPERATION_WRITE;
    Transfer write = {.tag = (uint32_t)at};
    operation[5] = NOT_SENT;
    if (!is_write || !is_open(tcp, operation)) continue;
    if (!read_write(tcp, env, operation, &write) || !ring_queue(tcp->ring, &write)) continue;
    // Nobody knows what became of one without a result: its connection ends.
    operation[5] = -EIO;
    queued++;
  }
  if (queued == 0) return;
  bool is_whole = ring_submit(tcp->ring);
  uint32_t tag;
  int32_t result;
  while (ring_result(tcp->ring, &tag, &result)) {
    tcp->operations[tag * OPERATION_WORDS + 5] = result == -EINTR ? NOT_SENT : result;
    queued--;
  }
  if (!is_whole || queued > 0) lose_ring(tcp);
}

static void judge_write(Tcp *tcp, int32_t *operation, int32_t sent) {
  uint32_t slot = (uint32_t)operation[0];
  if (sent == -EAGAIN || sent == -EWOULDBLOCK) sent = 0;
  operation[5] = sent;
  if (sent >= 0 && sent < operation[4] && tcp->connections[slot].watch != WATCH_BOTH) {
    watch_connection(tcp, slot, WATCH_BOTH);
  }
}

static void run_operation(Tcp *tcp, napi_env env, int32_t *operation) {
  uint32_t slot = (uint32_t)operation[0];
  int32_t flags = operation[1];
  int32_t sent = operation[5];
  operation[5] = 0;
  operation[6] = 0;
  if (!is_open(tcp, operation)) {
    operation[5] = -EBADF;
    return;
  }
  if ((flags & OPERATION_DROP) != 0) {
    close_connection(tcp, slot);
    operation[6] = RESULT_CLOSED;
    return;
  }
  if ((flags & OPERATION_WRITE) != 0) {
    judge_write(tcp, operation, sent == NOT_SENT ? write_alone(tcp, env, operation) : sent);
    // What is not out yet, or never will be, is JavaScript's to judge.
    if (operation[5] != operation[4]) return;
  }
  if ((flags & OPERATION_CLOSE) != 0) {
    bool has_written = (flags & OPERATION_WRITE) != 0;
    operation[6] = finish_connection(tcp, slot, has_written);
  }
  if (operation[6] == RESULT_CLOSED) return;
  if ((flags & OPERATION_SHUT) != 0) {
    shutdown(tcp->connections[slot].fd, SHUT_WR);
    operation[6] = RESULT_SHUT;
  }
  if ((flags & OPERATION_READ) != 0 && tcp->event_count < tcp->batch) {
    int32_t bytes;
    int32_t found = read_connection(tcp, slot, 0, &bytes);
    if (found != 0 || bytes > 0) add_event(tcp, slot, found, bytes);
  }
}

void run_operations(Tcp *tcp, napi_env env, int32_t count) {
  bool is_together = tcp->ring != NULL && count >= TOGETHER_MIN;
  if (is_together) write_together(tcp, env, count);
  for (int32_t at = 0; at < count; at++) {
    int32_t *operation = tcp->operations + at * OPERATION_WORDS;
    if (!is_together) operation[5] = NOT_SENT;
    run_operation(tcp, env, operation);
  }
}
