/*
 * A load generator for HTTP that costs less than what it measures: sends requests that were written
 * down before, over so many connections of each source address, one request under way on each.
 *
 *   http-replay PORT SOURCES CONNECTIONS CLOSED REQUESTS
 *
 * REQUESTS is a file of requests, each a u16 length (the machine's order) and its bytes; source s of S
 * sends the requests s, s + S, s + 2S, ... in turn. CLOSED 1 makes a connection for each request. Reads
 * commands from standard input: "fill" sends every request once, "measure SECONDS" runs and writes one
 * line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BYTES_MAX 16384
#define TIMES_MAX 1000000
#define EVENTS 256

typedef struct Connection {
  int fd, source, got, is_waiting, is_asked, is_answered;
  double sent;
  char bytes[BYTES_MAX];
} Connection;

typedef struct Request {
  const char *bytes;
  int length;
} Request;

static int port, sources, per_source, is_closed;
static Request *requests;
static long request_count, *next_of;
static Connection *connections;
static int poll_fd, connection_count;
static long filled, answers, errors, peers, refused, resets, ports;
static int is_filling, is_measuring;
static char first_error[160];
static float times[TIMES_MAX];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static double cpu_micros(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 + use.ru_utime.tv_usec +
         use.ru_stime.tv_usec;
}

static void read_requests(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) exit(2);
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *all = malloc(size);
  if (all == NULL || fread(all, 1, size, file) != (size_t)size) exit(2);
  fclose(file);
  requests = malloc(sizeof *requests * (size / 32 + 1));
  for (long at = 0; at + 2 < size;) {
    unsigned short length;
    memcpy(&length, all + at, 2);
    requests[request_count++] = (Request){all + at + 2, length};
    at += 2 + length;
  }
}

static void ask(Connection *it) {
  long *next = &next_of[it->source];
  Request *request = &requests[*next];
  if (send(it->fd, request->bytes, request->length, MSG_NOSIGNAL) < 0) return;
  *next = *next + sources < request_count ? *next + sources : it->source;
  it->is_asked = 1;
}

static void open_connection(Connection *it) {
  it->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int yes = 1;
  setsockopt(it->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(it->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + it->source);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(it->fd, (struct sockaddr *)&from, sizeof from);
  if (connect(it->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
    if (errno == EADDRNOTAVAIL) ports++;
    else refused++;
  }
  it->got = it->is_asked = it->is_answered = 0;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = it};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, it->fd, &event);
}

static void start(Connection *it) {
  if (it->is_waiting || !(is_filling || is_measuring)) return;
  it->is_waiting = 1;
  it->sent = now();
  if (it->fd < 0) open_connection(it);
  it->got = it->is_asked = 0;
  ask(it);
}

static void end(Connection *it) {
  close(it->fd);
  it->fd = -1;
  it->is_waiting = 0;
  start(it);
}

static void count_answer(Connection *it, const char *body) {
  if (is_filling && ++filled == request_count) {
    is_filling = 0;
    puts("filled");
    fflush(stdout);
  }
  if (!is_measuring) return;
  if (answers < TIMES_MAX) times[answers] = (now() - it->sent) * 1000;
  answers++;
  const char *failure = memmem(body, it->got - (body - it->bytes), "14:failure reason", 17);
  if (failure != NULL && errors++ == 0) snprintf(first_error, sizeof first_error, "%.80s", failure);
  const char *list = memmem(body, it->got - (body - it->bytes), "5:peers", 7);
  if (list != NULL) peers += atoi(list + 7) / 6;
}

/* Whether the answer is whole. */
static int hear(Connection *it) {
  it->bytes[it->got] = 0;
  char *end_of_head = strstr(it->bytes, "\r\n\r\n");
  if (end_of_head == NULL) return 0;
  char *length = strcasestr(it->bytes, "content-length:");
  char *body = end_of_head + 4;
  if (length == NULL || it->got < body - it->bytes + atoi(length + 15)) return 0;
  count_answer(it, body);
  return 1;
}

static void on_ready(Connection *it, unsigned events) {
  if (it->fd < 0) return;
  if (!it->is_asked && it->is_waiting && (events & EPOLLOUT)) ask(it);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  for (;;) {
    ssize_t got = recv(it->fd, it->bytes + it->got, BYTES_MAX - 1 - it->got, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (!it->is_answered && it->is_waiting && is_measuring) resets++;
      end(it);
      return;
    }
    it->got += got;
    if (it->is_answered || !hear(it)) continue;
    if (is_closed) {
      it->is_answered = 1;
      continue;
    }
    it->is_waiting = 0;
    start(it);
  }
}

static void turn(int wait_ms) {
  struct epoll_event events[EVENTS];
  int count = epoll_wait(poll_fd, events, EVENTS, wait_ms);
  for (int at = 0; at < count; at++) on_ready(events[at].data.ptr, events[at].events);
}

static int by_size(const void *a, const void *b) {
  float left = *(const float *)a, right = *(const float *)b;
  return left < right ? -1 : left > right;
}

static void start_all(void) {
  for (int at = 0; at < connection_count; at++) start(&connections[at]);
}

static void measure(double seconds) {
  answers = errors = peers = refused = resets = ports = 0;
  first_error[0] = 0;
  is_measuring = 1;
  double started = now(), cpu = cpu_micros();
  start_all();
  while (now() - started < seconds) turn(10);
  is_measuring = 0;
  double took = now() - started;
  cpu = cpu_micros() - cpu;
  long kept = answers < TIMES_MAX ? answers : TIMES_MAX;
  qsort(times, kept, sizeof *times, by_size);
  for (char *at = first_error; *at; at++) if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\') *at = '.';
  printf("{\"answers\":%ld,\"scrapes\":0,\"errors\":%ld,\"firstError\":\"%s\",\"losses\":{\"timeouts\":0,"
         "\"refused\":%ld,\"resets\":%ld,\"ports\":%ld},\"peersInAnswers\":%ld,\"seconds\":%.4f,"
         "\"ownCpuMicros\":%.0f,\"p50Ms\":%.4f,\"p99Ms\":%.4f}\n",
         answers, errors, first_error, refused, resets, ports, peers, took, cpu,
         kept ? times[kept / 2] : 0, kept ? times[kept * 99 / 100] : 0);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  port = atoi(argv[1]);
  sources = atoi(argv[2]);
  per_source = atoi(argv[3]);
  is_closed = atoi(argv[4]);
  read_requests(argv[5]);
  connection_count = sources * per_source;
  next_of = malloc(sizeof *next_of * sources);
  for (int source = 0; source < sources; source++) next_of[source] = source;
  connections = calloc(connection_count, sizeof *connections);
  poll_fd = epoll_create1(0);
  for (int at = 0; at < connection_count; at++) {
    connections[at].fd = -1;
    connections[at].source = at % sources;
  }
  char line[80];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strncmp(line, "fill", 4) == 0) {
      is_filling = 1;
      start_all();
      while (is_filling) turn(100);
    } else if (strncmp(line, "measure ", 8) == 0) measure(atof(line + 8));
  }
  return 0;
}
