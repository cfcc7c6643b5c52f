// TCP in batches: one call writes and closes what JavaScript asked for, accepts, and reads all ready
// connections into one arena. A connection is a slot; JavaScript alone decides when it ends, so a
// slot is never reused under its feet.
//
// One ArrayBuffer is shared with src/net/tcp-slots.ts, in this order:
//   operations  batch * 8 words: slot, flags, chunk, offset, length, result, result flags, unused
//   events      batch * 4 words: slot, flags, bytes, port
//   addresses   batch * 16 bytes: the peers of new connections
//   rooms       connections * 1 word: how many bytes a connection's input still takes
// Event `n` has its bytes from n * input bytes of the input ArrayBuffer. What is written stands in
// output chunks, added as they are needed.
//
// Connections are watched edge-triggered and by one epoll_ctl for their whole life, made in the call
// after they were accepted: one that is answered and closed at once never costs it.

#include "sockets.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum { BUFFER_WORDS, BUFFER_SHARED, BUFFER_INPUT };
enum { OPERATION_WORDS = 8, EVENT_WORDS = 4 };
enum OperationFlag {
  OPERATION_WRITE = 1,
  // Ends the connection as soon as all is written, so that the peer gets all of it.
  OPERATION_CLOSE = 2,
  // Ends our side only.
  OPERATION_SHUT = 4,
  OPERATION_READ = 8,
  // Ends it now, whatever is lost.
  OPERATION_DROP = 16,
};
enum ResultFlag { RESULT_CLOSED = 1, RESULT_SHUT = 2 };
enum EventFlag {
  EVENT_NEW = 1,
  // The peer sends no more, and all it sent is in this event or before.
  EVENT_END = 2,
  // The read filled the room: there may be more.
  EVENT_FULL = 4,
  EVENT_WRITABLE = 8,
  EVENT_GONE = 16,
  // Not read, because there is no room or it was read in this turn already.
  EVENT_READABLE = 32,
};
enum Watch { WATCH_NONE, WATCH_READING, WATCH_BOTH };
enum Accept { ACCEPT_PAUSE, ACCEPT_RESUME, ACCEPT_STOP };

#define LISTENER UINT32_MAX
#define ACCEPT_TRIES_MAX 16

typedef struct Connection {
  int fd;
  uint32_t read_turn;
  uint8_t watch;
  // The peer has ended its side; that edge is told once, perhaps long before its last bytes are read.
  bool has_ended;
} Connection;

typedef struct Chunk {
  Buffer buffer;
  uint32_t checked_turn;
} Chunk;

typedef struct Tcp {
  Socket socket;
  bool is_four;
  int listener;
  // Closed to accept and end one connection more when there are no descriptors left.
  int reserve;
  uint32_t batch;
  uint32_t connections_max;
  uint32_t input_bytes;
  uint32_t turn;
  int32_t *operations;
  int32_t *events;
  uint8_t *addresses;
  int32_t *rooms;
  uint8_t *input;
  uint32_t event_count;
  Connection *connections;
  int32_t *free_slots;
  uint32_t free_count;
  // Accepted in the last turn and not watched yet.
  int32_t *fresh;
  uint32_t fresh_count;
  struct epoll_event *ready;
  Chunk *chunks;
  uint32_t chunk_count;
} Tcp;

static void dispose(Socket *socket) {
  Tcp *tcp = (Tcp *)socket;
  if (tcp->connections != NULL) {
    for (uint32_t slot = 0; slot < tcp->connections_max; slot++) {
      if (tcp->connections[slot].fd >= 0) close(tcp->connections[slot].fd);
    }
  }
  if (tcp->listener >= 0) close(tcp->listener);
  if (tcp->reserve >= 0) close(tcp->reserve);
  if (socket->fd >= 0) close(socket->fd);
  tcp->listener = tcp->reserve = socket->fd = -1;
  for (uint32_t at = 0; at < tcp->chunk_count; at++) {
    drop_buffer(socket->instance->env, &tcp->chunks[at].buffer);
  }
  free(tcp->connections);
  free(tcp->free_slots);
  free(tcp->fresh);
  free(tcp->ready);
  free(tcp->chunks);
}

static bool is_sane(const int32_t *words) {
  return (words[CONFIG_FAMILY] == 4 || words[CONFIG_FAMILY] == 6) && words[CONFIG_PORT] >= 0 &&
         words[CONFIG_PORT] <= 65535 && words[CONFIG_BACKLOG] > 0 &&
         words[CONFIG_CONNECTIONS] > 0 && words[CONFIG_CONNECTIONS] <= 16777216 &&
         words[CONFIG_BATCH] > 0 && words[CONFIG_BATCH] <= 4096 && words[CONFIG_INPUT_BYTES] > 0 &&
         words[CONFIG_INPUT_BYTES] <= 16777216 && words[CONFIG_SHARE_COUNT] >= 0 &&
         words[CONFIG_SHARE_INDEX] >= 0;
}

static bool make_memory(Tcp *tcp) {
  size_t count = tcp->connections_max;
  tcp->connections = malloc(count * sizeof *tcp->connections);
  tcp->free_slots = malloc(count * sizeof *tcp->free_slots);
  tcp->fresh = calloc(tcp->batch, sizeof *tcp->fresh);
  tcp->ready = calloc(tcp->batch, sizeof *tcp->ready);
  if (tcp->connections == NULL) return false;
  for (size_t slot = 0; slot < count; slot++) tcp->connections[slot].fd = -1;
  if (tcp->free_slots == NULL || tcp->fresh == NULL || tcp->ready == NULL) return false;
  // Low slots are given first, and those that were used last: their memory is warm.
  for (size_t slot = 0; slot < count; slot++) tcp->free_slots[slot] = (int32_t)(count - 1 - slot);
  tcp->free_count = (uint32_t)count;
  return true;
}

static int watch_listener(Tcp *tcp, int call, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u32 = LISTENER};
  return epoll_ctl(tcp->socket.fd, call, tcp->listener, &event);
}

static int32_t open_tcp(Tcp *tcp, napi_value on_ready) {
  int32_t *words = tcp->socket.words;
  int fd = open_bound(words, SOCK_STREAM);
  if (fd < 0) return fd;
  tcp->listener = fd;
  int on = 1;
  // Connections inherit it; answers are whole when they are written, there is nothing to gather.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (listen(fd, words[CONFIG_BACKLOG]) != 0) return -errno;
  int port = read_port(fd);
  if (port < 0) return port;
  words[REPORT_PORT] = port;
  tcp->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  tcp->socket.fd = epoll_create1(EPOLL_CLOEXEC);
  if (tcp->socket.fd < 0) return -errno;
  if (!make_memory(tcp)) return -ENOMEM;
  if (watch_listener(tcp, EPOLL_CTL_ADD, EPOLLIN) != 0) return -errno;
  return adopt(tcp->socket.instance, &tcp->socket, on_ready);
}

static bool take_memory(Tcp *tcp, napi_env env, const napi_value *arguments) {
  Buffer *buffers = tcp->socket.buffers;
  if (!take_buffer(env, arguments[0], WORDS * sizeof(int32_t), &buffers[BUFFER_WORDS])) return false;
  int32_t *words = (int32_t *)buffers[BUFFER_WORDS].data;
  tcp->socket.words = words;
  if (!is_sane(words)) return false;
  tcp->is_four = words[CONFIG_FAMILY] == 4;
  tcp->batch = (uint32_t)words[CONFIG_BATCH];
  tcp->connections_max = (uint32_t)words[CONFIG_CONNECTIONS];
  tcp->input_bytes = (uint32_t)words[CONFIG_INPUT_BYTES];
  size_t batch = tcp->batch;
  size_t shared_bytes = batch * ((OPERATION_WORDS + EVENT_WORDS) * sizeof(int32_t) + 16) +
                        tcp->connections_max * sizeof(int32_t);
  if (!take_buffer(env, arguments[1], shared_bytes, &buffers[BUFFER_SHARED]) ||
      !take_buffer(env, arguments[2], batch * tcp->input_bytes, &buffers[BUFFER_INPUT])) {
    return false;
  }
  tcp->operations = (int32_t *)buffers[BUFFER_SHARED].data;
  tcp->events = tcp->operations + batch * OPERATION_WORDS;
  tcp->addresses = (uint8_t *)(tcp->events + batch * EVENT_WORDS);
  tcp->rooms = (int32_t *)(tcp->addresses + batch * 16);
  tcp->input = buffers[BUFFER_INPUT].data;
  return true;
}

// tcpOpen(words, shared, input, onReady): an id, or a negative errno.
napi_value tcp_open(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  Instance *instance;
  if (!get_arguments(env, info, 4, arguments, &instance)) return refuse(env, "tcpOpen: 4 arguments");
  Tcp *tcp = calloc(1, sizeof *tcp);
  if (tcp == NULL) return new_int(env, -ENOMEM);
  Socket *socket = &tcp->socket;
  socket->kind = KIND_TCP;
  socket->instance = instance;
  socket->fd = tcp->listener = tcp->reserve = -1;
  socket->id = -1;
  socket->dispose = dispose;
  int32_t result = take_memory(tcp, env, arguments) ? open_tcp(tcp, arguments[3]) : -EINVAL;
  // adopt() has released it when it failed with an id already given.
  if (result < 0 && socket->id < 0) release_socket(socket);
  return new_int(env, result);
}

// tcpAddOutput(id, chunk): the chunk's number, or a negative errno.
napi_value tcp_add_output(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  Instance *instance;
  if (!get_arguments(env, info, 2, arguments, &instance)) {
    return refuse(env, "tcpAddOutput: 2 arguments");
  }
  Tcp *tcp = (Tcp *)get_socket(instance, arguments[0], KIND_TCP);
  if (tcp == NULL) return refuse(env, "tcpAddOutput(id, chunk)");
  Chunk chunk = {0};
  if (!take_buffer(env, arguments[1], 1, &chunk.buffer)) return refuse(env, "tcpAddOutput(id, chunk)");
  Chunk *chunks = realloc(tcp->chunks, (tcp->chunk_count + 1) * sizeof *chunks);
  if (chunks == NULL) {
    drop_buffer(env, &chunk.buffer);
    return new_int(env, -ENOMEM);
  }
  tcp->chunks = chunks;
  chunks[tcp->chunk_count] = chunk;
  return new_int(env, (int32_t)tcp->chunk_count++);
}

// tcpAccept(id, what): 0 pauses accepting, 1 goes on, 2 stops for good.
napi_value tcp_accept(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  Instance *instance;
  int32_t what = 0;
  if (!get_arguments(env, info, 2, arguments, &instance)) return refuse(env, "tcpAccept: 2 arguments");
  Tcp *tcp = (Tcp *)get_socket(instance, arguments[0], KIND_TCP);
  if (tcp == NULL || !get_int(env, arguments[1], &what)) return refuse(env, "tcpAccept(id, what)");
  if (tcp->listener < 0) return NULL;
  if (what == ACCEPT_STOP) {
    close(tcp->listener);
    tcp->listener = -1;
  } else {
    watch_listener(tcp, EPOLL_CTL_MOD, what == ACCEPT_RESUME ? EPOLLIN : 0);
  }
  return NULL;
}

static void watch_connection(Tcp *tcp, uint32_t slot, uint8_t wanted) {
  Connection *connection = &tcp->connections[slot];
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (wanted == WATCH_BOTH ? EPOLLOUT : 0),
      .data.u32 = slot,
  };
  int call = connection->watch == WATCH_NONE ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  // Should the kernel refuse, the connection is silent and its deadline ends it.
  if (epoll_ctl(tcp->socket.fd, call, connection->fd, &event) == 0) connection->watch = wanted;
}

static void close_connection(Tcp *tcp, uint32_t slot) {
  close(tcp->connections[slot].fd);
  tcp->connections[slot].fd = -1;
  tcp->free_slots[tcp->free_count++] = (int32_t)slot;
}

static void add_event(Tcp *tcp, uint32_t slot, int32_t flags, int32_t bytes) {
  int32_t *event = tcp->events + tcp->event_count * EVENT_WORDS;
  event[0] = (int32_t)slot;
  event[1] = flags;
  event[2] = bytes;
  tcp->event_count++;
}

// Reads into the next event's part of the arena; returns the event's flags, the bytes in `*bytes`.
static int32_t read_connection(Tcp *tcp, uint32_t slot, uint32_t ready, int32_t *bytes) {
  Connection *connection = &tcp->connections[slot];
  bool is_broken = (ready & (EPOLLERR | EPOLLHUP)) != 0;
  if ((ready & (EPOLLRDHUP | EPOLLHUP)) != 0) connection->has_ended = true;
  int32_t room = tcp->rooms[slot];
  *bytes = 0;
  if (room <= 0 || connection->read_turn == tcp->turn) {
    return EVENT_READABLE | (is_broken ? EVENT_GONE : 0);
  }
  connection->read_turn = tcp->turn;
  size_t size = (uint32_t)room < tcp->input_bytes ? (size_t)room : tcp->input_bytes;
  uint8_t *into = tcp->input + (size_t)tcp->event_count * tcp->input_bytes;
  ssize_t length;
  do {
    length = recv(connection->fd, into, size, MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length == 0) return EVENT_END;
  if (length < 0) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : EVENT_GONE;
  }
  *bytes = (int32_t)length;
  if ((size_t)length == size) return EVENT_FULL;
  // A short read emptied the queue; had the peer ended before it, nothing can follow.
  return connection->has_ended ? EVENT_END : 0;
}

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

static void write_connection(Tcp *tcp, napi_env env, int32_t *operation) {
  uint32_t slot = (uint32_t)operation[0];
  int32_t flags = operation[1];
  uint32_t chunk_at = (uint32_t)operation[2];
  operation[5] = -EINVAL;
  if (chunk_at >= tcp->chunk_count) return;
  Chunk *chunk = &tcp->chunks[chunk_at];
  if (chunk->checked_turn != tcp->turn) {
    if (!is_attached(env, &chunk->buffer)) return;
    chunk->checked_turn = tcp->turn;
  }
  int32_t offset = operation[3];
  int32_t length = operation[4];
  if (offset < 0 || length < 0 || (size_t)offset + (size_t)length > chunk->buffer.length) return;
  // What ends the connection goes out with its end, in one segment.
  bool is_last = (flags & (OPERATION_CLOSE | OPERATION_SHUT)) != 0;
  int how = MSG_DONTWAIT | MSG_NOSIGNAL | (is_last ? MSG_MORE : 0);
  Connection *connection = &tcp->connections[slot];
  ssize_t sent;
  do {
    sent = send(connection->fd, chunk->buffer.data + offset, (size_t)length, how);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) sent = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
  operation[5] = (int32_t)sent;
  if (sent >= 0 && sent < length && connection->watch != WATCH_BOTH) {
    watch_connection(tcp, slot, WATCH_BOTH);
  }
}

static void run_operation(Tcp *tcp, napi_env env, int32_t *operation) {
  uint32_t slot = (uint32_t)operation[0];
  int32_t flags = operation[1];
  operation[5] = 0;
  operation[6] = 0;
  if (slot >= tcp->connections_max || tcp->connections[slot].fd < 0) {
    operation[5] = -EBADF;
    return;
  }
  if ((flags & OPERATION_DROP) != 0) {
    close_connection(tcp, slot);
    operation[6] = RESULT_CLOSED;
    return;
  }
  if ((flags & OPERATION_WRITE) != 0) {
    write_connection(tcp, env, operation);
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

static bool is_passing(int failure) {
  switch (failure) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
      return true;
    default:
      return false;
  }
}

// Without a descriptor the connection could only wait in the backlog and wake us again and again, so
// it is taken by the reserved one and ended. False when even that cannot be.
static bool shed_connection(Tcp *tcp) {
  if (tcp->reserve < 0) return false;
  close(tcp->reserve);
  int fd = accept4(tcp->listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  tcp->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) tcp->socket.words[REPORT_SHED]++;
  return fd >= 0;
}

static void add_connection(Tcp *tcp, int fd, const struct sockaddr_storage *from) {
  uint32_t slot = (uint32_t)tcp->free_slots[--tcp->free_count];
  Connection *connection = &tcp->connections[slot];
  connection->fd = fd;
  connection->read_turn = tcp->turn - 1;
  connection->watch = WATCH_NONE;
  connection->has_ended = false;
  tcp->rooms[slot] = (int32_t)tcp->input_bytes;
  tcp->fresh[tcp->fresh_count++] = (int32_t)slot;
  uint8_t *address = tcp->addresses + tcp->event_count * 16;
  uint16_t port;
  if (tcp->is_four) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    memset(address, 0, 16);
    memcpy(address, &four->sin_addr, 4);
    port = ntohs(four->sin_port);
  } else {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    memcpy(address, &six->sin6_addr, 16);
    port = ntohs(six->sin6_port);
  }
  tcp->events[tcp->event_count * EVENT_WORDS + 3] = port;
  int32_t bytes;
  int32_t flags = read_connection(tcp, slot, 0, &bytes);
  add_event(tcp, slot, EVENT_NEW | flags, bytes);
}

static void accept_connections(Tcp *tcp) {
  int32_t *words = tcp->socket.words;
  uint32_t tries = tcp->batch + ACCEPT_TRIES_MAX;
  while (tcp->event_count < tcp->batch && tries-- > 0) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd = accept4(tcp->listener, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (tcp->free_count == 0) {
        close(fd);
        words[REPORT_TOO_MANY]++;
      } else {
        words[REPORT_ACCEPTED]++;
        add_connection(tcp, fd, &from);
      }
      continue;
    }
    int failure = errno;
    if (failure == EAGAIN || failure == EWOULDBLOCK) return;
    if (is_passing(failure)) continue;
    words[REPORT_ACCEPT_ERRNO] = failure;
    if ((failure == EMFILE || failure == ENFILE) && shed_connection(tcp)) continue;
    // JavaScript goes on after a pause; until then the backlog may not wake us.
    words[REPORT_PAUSED] = 1;
    watch_listener(tcp, EPOLL_CTL_MOD, 0);
    return;
  }
}

static void poll_connections(Tcp *tcp) {
  int space = (int)(tcp->batch - tcp->event_count);
  if (space == 0) return;
  int count = epoll_wait(tcp->socket.fd, tcp->ready, space, 0);
  if (count < 0 && errno != EINTR) tcp->socket.words[REPORT_POLL_ERRNO] = errno;
  bool is_listener_ready = false;
  for (int at = 0; at < count; at++) {
    uint32_t slot = tcp->ready[at].data.u32;
    uint32_t ready = tcp->ready[at].events;
    if (slot == LISTENER) {
      is_listener_ready = true;
      continue;
    }
    // A child process that is being started may keep a closed descriptor's events coming.
    if (tcp->connections[slot].fd < 0) continue;
    int32_t bytes = 0;
    int32_t flags = 0;
    bool is_reading = (ready & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0;
    if (is_reading) flags = read_connection(tcp, slot, ready, &bytes);
    if ((ready & EPOLLOUT) != 0) flags |= EVENT_WRITABLE;
    if (flags != 0 || bytes > 0) add_event(tcp, slot, flags, bytes);
  }
  if (is_listener_ready && tcp->listener >= 0) accept_connections(tcp);
}

// tcpTurn(id, operations, mayPoll): runs the operations, then reads what is ready; how many events.
napi_value tcp_turn(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  Instance *instance;
  int32_t count = 0;
  int32_t may_poll = 0;
  if (!get_arguments(env, info, 3, arguments, &instance)) return refuse(env, "tcpTurn: 3 arguments");
  Tcp *tcp = (Tcp *)get_socket(instance, arguments[0], KIND_TCP);
  if (tcp == NULL || !get_int(env, arguments[1], &count) || count < 0 ||
      (uint32_t)count > tcp->batch || !get_int(env, arguments[2], &may_poll)) {
    return refuse(env, "tcpTurn(id, operations, mayPoll)");
  }
  const Buffer *buffers = tcp->socket.buffers;
  if (!is_attached(env, &buffers[BUFFER_WORDS]) || !is_attached(env, &buffers[BUFFER_SHARED]) ||
      !is_attached(env, &buffers[BUFFER_INPUT])) {
    return refuse(env, "tcpTurn: a buffer was taken away");
  }
  int32_t *words = tcp->socket.words;
  memset(&words[REPORT_ACCEPTED], 0, (REPORT_POLL_ERRNO - REPORT_ACCEPTED + 1) * sizeof *words);
  tcp->turn++;
  tcp->event_count = 0;
  for (int32_t at = 0; at < count; at++) {
    run_operation(tcp, env, tcp->operations + at * OPERATION_WORDS);
  }
  for (uint32_t at = 0; at < tcp->fresh_count; at++) {
    uint32_t slot = (uint32_t)tcp->fresh[at];
    const Connection *connection = &tcp->connections[slot];
    if (connection->fd >= 0 && connection->watch == WATCH_NONE) {
      watch_connection(tcp, slot, WATCH_READING);
    }
  }
  tcp->fresh_count = 0;
  if (may_poll != 0) poll_connections(tcp);
  return new_int(env, (int32_t)tcp->event_count);
}
