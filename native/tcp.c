// TCP in batches: one call writes and closes what JavaScript asked for, accepts, and reads all ready
// connections into one arena. A connection is a slot; JavaScript alone decides when it ends, so a
// slot is never reused under its feet. What is written is in tcp-write.c, what is read in tcp-read.c.
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

#include "tcp.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#define ACCEPT_TRIES_MAX 16

static void close_listener(Tcp *tcp) {
  if (tcp->listener < 0) return;
  if (tcp->path[0] != 0) unlink(tcp->path);
  close(tcp->listener);
  tcp->listener = -1;
}

static void dispose(Socket *socket) {
  Tcp *tcp = (Tcp *)socket;
  if (tcp->connections != NULL) {
    for (uint32_t slot = 0; slot < tcp->connections_max; slot++) {
      if (tcp->connections[slot].fd >= 0) close(tcp->connections[slot].fd);
    }
  }
  close_listener(tcp);
  if (tcp->reserve >= 0) close(tcp->reserve);
  if (socket->fd >= 0) close(socket->fd);
  tcp->reserve = socket->fd = -1;
  for (uint32_t at = 0; at < tcp->chunk_count; at++) {
    drop_buffer(socket->instance->env, &tcp->chunks[at].buffer);
  }
  free(tcp->connections);
  free(tcp->free_slots);
  free(tcp->fresh);
  free(tcp->ready);
  free(tcp->chunks);
  ring_close(tcp->ring);
}

static bool is_sane(const int32_t *words) {
  int32_t family = words[CONFIG_FAMILY];
  return (family == 4 || family == 6 || family == FAMILY_UNIX) && words[CONFIG_PORT] >= 0 &&
         words[CONFIG_PORT] <= 65535 && words[CONFIG_BACKLOG] >= 0 &&
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

static int listen_tcp(Tcp *tcp) {
  int32_t *words = tcp->socket.words;
  int fd = open_bound(words, SOCK_STREAM);
  if (fd < 0) return fd;
  tcp->listener = fd;
  int on = 1;
  // Connections inherit it; answers are whole when they are written, there is nothing to gather.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int seconds = words[CONFIG_KEEP_ALIVE];
  if (seconds > 0) {
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  }
  // From here on the file is ours.
  if (tcp->is_unix) memcpy(tcp->path, &words[WORDS], PATH_BYTES);
  if (listen(fd, words[CONFIG_BACKLOG]) != 0) return -errno;
  int port = read_port(fd);
  if (port < 0) return port;
  words[REPORT_PORT] = port;
  tcp->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return 0;
}

static int32_t open_tcp(Tcp *tcp, napi_value on_ready) {
  const int32_t *words = tcp->socket.words;
  // With no backlog there is no listener: connections are dialled.
  bool is_listening = words[CONFIG_BACKLOG] > 0;
  int failure = is_listening ? listen_tcp(tcp) : 0;
  if (failure < 0) return failure;
  tcp->socket.fd = epoll_create1(EPOLL_CLOEXEC);
  if (tcp->socket.fd < 0) return -errno;
  if (!make_memory(tcp)) return -ENOMEM;
  if (words[CONFIG_TOGETHER] != 0) tcp->ring = ring_open(tcp->batch);
  if (is_listening && watch_listener(tcp, EPOLL_CTL_ADD, EPOLLIN) != 0) return -errno;
  return adopt(tcp->socket.instance, &tcp->socket, on_ready);
}

static bool take_memory(Tcp *tcp, napi_env env, const napi_value *arguments) {
  Buffer *buffers = tcp->socket.buffers;
  if (!take_buffer(env, arguments[0], WORDS * sizeof(int32_t), &buffers[BUFFER_WORDS])) return false;
  int32_t *words = (int32_t *)buffers[BUFFER_WORDS].data;
  tcp->socket.words = words;
  if (!is_sane(words)) return false;
  tcp->is_unix = words[CONFIG_FAMILY] == FAMILY_UNIX;
  if (tcp->is_unix) {
    if (buffers[BUFFER_WORDS].length < WORDS * sizeof(int32_t) + PATH_BYTES) return false;
    if (words[CONFIG_BACKLOG] > 0 && !has_path(words)) return false;
  } else if (words[CONFIG_BACKLOG] == 0) {
    return false;
  }
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
    close_listener(tcp);
  } else {
    watch_listener(tcp, EPOLL_CTL_MOD, what == ACCEPT_RESUME ? EPOLLIN : 0);
  }
  return NULL;
}

void watch_connection(Tcp *tcp, uint32_t slot, uint8_t wanted) {
  Connection *connection = &tcp->connections[slot];
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (wanted == WATCH_BOTH ? EPOLLOUT : 0),
      .data.u32 = slot,
  };
  int call = connection->watch == WATCH_NONE ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  // Should the kernel refuse, the connection is silent and its deadline ends it.
  if (epoll_ctl(tcp->socket.fd, call, connection->fd, &event) == 0) connection->watch = wanted;
}

void close_connection(Tcp *tcp, uint32_t slot) {
  close(tcp->connections[slot].fd);
  tcp->connections[slot].fd = -1;
  tcp->free_slots[tcp->free_count++] = (int32_t)slot;
}

void add_event(Tcp *tcp, uint32_t slot, int32_t flags, int32_t bytes) {
  int32_t *event = tcp->events + tcp->event_count * EVENT_WORDS;
  event[0] = (int32_t)slot;
  event[1] = flags;
  event[2] = bytes;
  tcp->event_count++;
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

static uint32_t take_slot(Tcp *tcp, int fd) {
  uint32_t slot = (uint32_t)tcp->free_slots[--tcp->free_count];
  Connection *connection = &tcp->connections[slot];
  connection->fd = fd;
  connection->read_turn = tcp->turn - 1;
  connection->watch = WATCH_NONE;
  connection->has_ended = false;
  tcp->rooms[slot] = (int32_t)tcp->input_bytes;
  return slot;
}

// tcpDial(id): connects to the UNIX socket whose path stands behind the words; the slot of the connection,
// or a negative errno.
napi_value tcp_dial(napi_env env, napi_callback_info info) {
  napi_value argument;
  Instance *instance;
  if (!get_arguments(env, info, 1, &argument, &instance)) return refuse(env, "tcpDial: 1 argument");
  Tcp *tcp = (Tcp *)get_socket(instance, argument, KIND_TCP);
  const Buffer *buffers = tcp == NULL ? NULL : tcp->socket.buffers;
  if (tcp == NULL || !tcp->is_unix || !is_attached(env, &buffers[BUFFER_WORDS]) ||
      !is_attached(env, &buffers[BUFFER_SHARED]) || !has_path(tcp->socket.words)) {
    return refuse(env, "tcpDial(id)");
  }
  if (tcp->free_count == 0) return new_int(env, -EMFILE);
  int fd = dial_unix(tcp->socket.words);
  if (fd < 0) return new_int(env, fd);
  uint32_t slot = take_slot(tcp, fd);
  watch_connection(tcp, slot, WATCH_READING);
  return new_int(env, (int32_t)slot);
}

static void add_connection(Tcp *tcp, int fd, const struct sockaddr_storage *from) {
  uint32_t slot = take_slot(tcp, fd);
  tcp->fresh[tcp->fresh_count++] = (int32_t)slot;
  uint8_t *address = tcp->addresses + tcp->event_count * 16;
  uint16_t port = 0;
  if (tcp->is_unix) {
    memset(address, 0, 16);
  } else if (tcp->is_four) {
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

void lose_ring(Tcp *tcp) {
  ring_close(tcp->ring);
  tcp->ring = NULL;
}

static void poll_connections(Tcp *tcp) {
  int space = (int)(tcp->batch - tcp->event_count);
  if (space == 0) return;
  int count = epoll_wait(tcp->socket.fd, tcp->ready, space, 0);
  if (count < 0 && errno != EINTR) tcp->socket.words[REPORT_POLL_ERRNO] = errno;
  bool is_listener_ready = read_ready(tcp, count);
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
  run_operations(tcp, env, count);
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
