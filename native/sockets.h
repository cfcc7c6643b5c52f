// What the files of the addon share. README.md beside this tells what each call does and who owns
// which memory; the numbers of config and report words stand here and in src/net/addon.ts.

#ifndef SWARMKEEP_SOCKETS_H
#define SWARMKEEP_SOCKETS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8

#include <errno.h>
#include <netinet/in.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

// Raised when a call, a word or a layout changes; addon.ts compares.
#define ADDON_VERSION 9

// A socket is opened with a buffer of 32 words, which stays and carries reports afterwards. Words 0
// to 15 ask, 16 to 31 answer; the address stands in the last 16 bytes of the asking half. Family 1 is a
// UNIX socket: its path stands behind the words, in as many bytes as it may have, ended by a zero.
#define WORDS 32
#define PATH_BYTES 108
#define FAMILY_UNIX 1
enum ConfigWord {
  CONFIG_FAMILY = 0,
  CONFIG_PORT = 1,
  CONFIG_SHARE_COUNT = 2,
  CONFIG_SHARE_INDEX = 3,
  // UDP.
  CONFIG_SLOTS = 4,
  CONFIG_INPUT_BYTES = 5,
  CONFIG_OUTPUT_BYTES = 6,
  CONFIG_RECEIVE_BUFFER = 7,
  CONFIG_SEND_BUFFER = 8,
  CONFIG_STEER = 9,
  // TCP; input and output bytes as above.
  CONFIG_BACKLOG = 7,
  CONFIG_CONNECTIONS = 8,
  CONFIG_BATCH = 9,
  CONFIG_TOGETHER = 10,
  // Seconds of silence; 0 for none.
  CONFIG_KEEP_ALIVE = 11,
  CONFIG_ADDRESS = 12,
};
enum ReportWord {
  REPORT_PORT = 16,
  REPORT_RECEIVE_BUFFER = 17,
  REPORT_SEND_BUFFER = 18,
  REPORT_STEERED = 19,
  // UDP turns.
  REPORT_SENT = 16,
  REPORT_UNSENT_FROM = 17,
  REPORT_UNREACHABLE = 18,
  REPORT_SENDS_FAILED = 19,
  REPORT_SEND_ERRNO = 20,
  REPORT_RECEIVE_ERRNO = 21,
  REPORT_TOO_LONG = 22,
  REPORT_BAD_SENDERS = 23,
  REPORT_BYTES_IN = 24,
  REPORT_BYTES_OUT = 25,
  // TCP turns.
  REPORT_ACCEPTED = 16,
  REPORT_TOO_MANY = 17,
  REPORT_SHED = 18,
  REPORT_ACCEPT_ERRNO = 19,
  REPORT_PAUSED = 20,
  REPORT_POLL_ERRNO = 21,
};

#define SOCKETS_MAX 1024
#define BUFFERS_MAX 4

typedef struct Instance Instance;
typedef struct Socket Socket;

enum Kind { KIND_UDP = 1, KIND_TCP = 2, KIND_SENDER = 3 };

// One ArrayBuffer of JavaScript's: `reference` keeps it alive, `data` is where its bytes are.
typedef struct Buffer {
  napi_ref reference;
  uint8_t *data;
  size_t length;
} Buffer;

// The head of an open UDP socket, TCP server or sender of files.
struct Socket {
  enum Kind kind;
  int32_t id;
  Instance *instance;
  // Watched by the event loop: the UDP socket itself, the TCP server's epoll, or what a sender's
  // threads raise when a job has ended.
  int fd;
  uv_poll_t poll;
  napi_ref on_ready;
  napi_async_context context;
  Buffer buffers[BUFFERS_MAX];
  int32_t *words;
  // Frees what the kind owns besides this head, descriptors first.
  void (*dispose)(Socket *);
};

// What one environment (a thread of Node's) has open.
struct Instance {
  napi_env env;
  uv_loop_t *loop;
  napi_async_cleanup_hook_handle hook;
  // One for the cleanup hook, one for each handle that is not closed yet.
  int32_t owners;
  // Whether the processor has instructions for SHA-256: 1, -1, or 0 when nobody has asked.
  int32_t hashes;
  // The same of those for CRC32C.
  int32_t sums;
  Socket *sockets[SOCKETS_MAX];
};

// addon.c
bool get_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *into,
                   Instance **instance);
bool get_int(napi_env env, napi_value value, int32_t *into);
Socket *get_socket(Instance *instance, napi_value id, enum Kind kind);
napi_value new_int(napi_env env, int32_t value);
// Of a Uint8Array that was not transferred away.
bool get_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length);
napi_value refuse(napi_env env, const char *message);
// Takes an ArrayBuffer of at least `bytes_min`; false leaves nothing taken.
bool take_buffer(napi_env env, napi_value value, size_t bytes_min, Buffer *into);
void drop_buffer(napi_env env, Buffer *buffer);
bool is_attached(napi_env env, const Buffer *buffer);
// Gives the socket an id, watches its fd and calls `on_ready`; below 0 is an errno, and the caller
// disposes of the socket.
int32_t adopt(Instance *instance, Socket *socket, napi_value on_ready);
void release_socket(Socket *socket);
int watch(Socket *socket, int events);

// listen.c: a bound socket as words ask for it, or a negative errno.
int open_bound(const int32_t *words, int type);
int read_port(int fd);
// A connection to the UNIX socket that words name, or a negative errno.
int dial_unix(const int32_t *words);
bool has_path(const int32_t *words);

// ring.c: one send or receive of many that are made together.
typedef struct Ring Ring;
typedef struct Transfer {
  bool is_send;
  int fd;
  uint8_t *bytes;
  uint32_t length;
  // With MSG_DONTWAIT.
  int flags;
  // Comes back with the result.
  uint32_t tag;
} Transfer;
// NULL: each must be made by a call of its own.
Ring *ring_open(uint32_t entries);
void ring_close(Ring *ring);
// False: the ring is full.
bool ring_queue(Ring *ring, const Transfer *transfer);
// Makes all that is queued; every result is there when it returns. False: some were not made, and
// would be by the next submission, so the ring must be closed.
bool ring_submit(Ring *ring);
// Takes a result out, as the call of its own would have returned it with a negative errno; false when
// there is none.
bool ring_result(Ring *ring, uint32_t *tag, int32_t *result);

// udp.c and tcp.c
napi_value udp_open(napi_env env, napi_callback_info info);
napi_value udp_turn(napi_env env, napi_callback_info info);
napi_value udp_watch(napi_env env, napi_callback_info info);
napi_value tcp_open(napi_env env, napi_callback_info info);
napi_value tcp_dial(napi_env env, napi_callback_info info);
napi_value tcp_add_output(napi_env env, napi_callback_info info);
napi_value tcp_turn(napi_env env, napi_callback_info info);
napi_value tcp_accept(napi_env env, napi_callback_info info);

// send-file.c
napi_value send_open(napi_env env, napi_callback_info info);
napi_value send_file(napi_env env, napi_callback_info info);
napi_value send_cancel(napi_env env, napi_callback_info info);
napi_value send_take(napi_env env, napi_callback_info info);

// file-source.c: a file that is read in order.
typedef struct FileSource {
  int fd;
  // Of the next byte.
  int64_t position;
  // The same file past the system's cache; below 0 while it is not open.
  int direct;
  bool is_past_cache;
  // What was read past the cache and lies there; a page of the file begins it. NULL: there is none.
  uint8_t *room;
  int64_t room_start;
  size_t room_length;
} FileSource;
// Takes no descriptor over.
void open_source(FileSource *source, int fd, int64_t position);
// Memory that is the source's until it is closed; without 4 MiB of it everything is read through the cache.
void lend_room(FileSource *source, uint8_t *memory, size_t length);
// When nothing is read any more.
void close_source(FileSource *source);
// The next bytes, at most a segment: whether the cache has them decides how they are read.
void look_ahead(FileSource *source, size_t length);
// All of them: 0; 2 when the file has fewer; else a negative errno.
int32_t read_source(FileSource *source, uint8_t *into, size_t length);

// hash.c
napi_value hash_segment(napi_env env, napi_callback_info info);
napi_value hash_file(napi_env env, napi_callback_info info);
napi_value page_offset(napi_env env, napi_callback_info info);

// crc.c
napi_value crc32c(napi_env env, napi_callback_info info);

#endif
