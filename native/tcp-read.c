// What a TCP server reads: one event for each connection that has something to say.

#include "tcp.h"

#include <sys/epoll.h>

// Where the next event's bytes go, and how many; 0 when nothing may be read in this turn.
static size_t next_room(const Tcp *tcp, uint32_t slot, uint8_t **into) {
  int32_t room = tcp->rooms[slot];
  if (room <= 0 || tcp->connections[slot].read_turn == tcp->turn) return 0;
  *into = tcp->input + (size_t)tcp->event_count * tcp->input_bytes;
  return (uint32_t)room < tcp->input_bytes ? (size_t)room : tcp->input_bytes;
}

// What the result of a receive into `size` bytes means, as flags of its event.
static int32_t flags_of(const Connection *connection, ssize_t result, size_t size) {
  if (result == 0) return EVENT_END;
  if (result == -EINTR) return EVENT_READABLE;
  if (result < 0) return result == -EAGAIN || result == -EWOULDBLOCK ? 0 : EVENT_GONE;
  if ((size_t)result == size) return EVENT_FULL;
  // A short read emptied the queue; had the peer ended before it, nothing can follow.
  return connection->has_ended ? EVENT_END : 0;
}

int32_t read_connection(Tcp *tcp, uint32_t slot, uint32_t ready, int32_t *bytes) {
  Connection *connection = &tcp->connections[slot];
  bool is_broken = (ready & (EPOLLERR | EPOLLHUP)) != 0;
  if ((ready & (EPOLLRDHUP | EPOLLHUP)) != 0) connection->has_ended = true;
  uint8_t *into;
  size_t size = next_room(tcp, slot, &into);
  *bytes = 0;
  if (size == 0) return EVENT_READABLE | (is_broken ? EVENT_GONE : 0);
  connection->read_turn = tcp->turn;
  ssize_t length;
  do {
    length = recv(connection->fd, into, size, MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length > 0) *bytes = (int32_t)length;
  return flags_of(connection, length < 0 ? -errno : length, size);
}

// Of a connection that has bytes and nothing else to say. Its event stands there until the result does.
static bool queue_read(Tcp *tcp, uint32_t slot) {
  uint8_t *into;
  size_t size = next_room(tcp, slot, &into);
  if (size == 0) return false;
  Connection *connection = &tcp->connections[slot];
  Transfer read = {.fd = connection->fd,
                   .bytes = into,
                   .length = (uint32_t)size,
                   .flags = MSG_DONTWAIT,
                   .tag = tcp->event_count};
  if (!ring_queue(tcp->ring, &read)) return false;
  connection->read_turn = tcp->turn;
  // Should no result come, what lies there can only be lost with its connection.
  add_event(tcp, slot, EVENT_GONE, (int32_t)size);
  return true;
}

static void finish_reads(Tcp *tcp, uint32_t from, uint32_t queued) {
  bool is_whole = ring_submit(tcp->ring);
  uint32_t tag;
  int32_t result;
  while (ring_result(tcp->ring, &tag, &result)) {
    int32_t *event = tcp->events + tag * EVENT_WORDS;
    size_t size = (size_t)event[2];
    event[1] = flags_of(&tcp->connections[event[0]], result, size);
    event[2] = result > 0 ? result : 0;
    queued--;
  }
  if (is_whole && queued == 0) return;
  lose_ring(tcp);
  for (uint32_t at = from; at < tcp->event_count; at++) {
    int32_t *event = tcp->events + at * EVENT_WORDS;
    if ((event[1] & EVENT_GONE) != 0) event[2] = 0;
  }
}

bool read_ready(Tcp *tcp, int count) {
  bool is_listener_ready = false;
  bool is_together = tcp->ring != NULL && count > 1;
  uint32_t from = tcp->event_count;
  uint32_t queued = 0;
  for (int at = 0; at < count; at++) {
    uint32_t slot = tcp->ready[at].data.u32;
    uint32_t ready = tcp->ready[at].events;
    if (slot == LISTENER) {
      is_listener_ready = true;
      continue;
    }
    // A child process that is being started may keep a closed descriptor's events coming.
    if (tcp->connections[slot].fd < 0) continue;
    if (is_together && ready == EPOLLIN && queue_read(tcp, slot)) {
      queued++;
      continue;
    }
    int32_t bytes = 0;
    int32_t flags = 0;
    bool is_reading = (ready & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0;
    if (is_reading) flags = read_connection(tcp, slot, ready, &bytes);
    if ((ready & EPOLLOUT) != 0) flags |= EVENT_WRITABLE;
    if (flags != 0 || bytes > 0) add_event(tcp, slot, flags, bytes);
  }
  if (queued > 0) finish_reads(tcp, from, queued);
  return is_listener_ready;
}
