// What the files of the TCP server share: its state, and the words of operations and events, as
// src/net/tcp-slots.ts has them.

#ifndef SWARMKEEP_TCP_H
#define SWARMKEEP_TCP_H

#include "sockets.h"

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
  bool is_unix;
  int listener;
  // Of a UNIX socket that listens: its file goes with it.
  char path[PATH_BYTES];
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
  // NULL: each send and receive is a call of its own.
  Ring *ring;
} Tcp;

// tcp.c
void watch_connection(Tcp *tcp, uint32_t slot, uint8_t wanted);
void close_connection(Tcp *tcp, uint32_t slot);
void add_event(Tcp *tcp, uint32_t slot, int32_t flags, int32_t bytes);
// Closes a ring that did not do as it should; from then on each send and receive is a call of its own.
void lose_ring(Tcp *tcp);

// tcp-read.c
// Reads into the next event's part of the arena; returns the event's flags, the bytes in `*bytes`.
int32_t read_connection(Tcp *tcp, uint32_t slot, uint32_t ready, int32_t *bytes);
// Reads the connections that `ready` tells of, `count` of them, and adds their events. True when the
// listener is among them.
bool read_ready(Tcp *tcp, int count);

// tcp-write.c
void run_operations(Tcp *tcp, napi_env env, int32_t count);

#endif
