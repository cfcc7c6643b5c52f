// Bound sockets: IPv4 or IPv6, alone on their port or sharing it, or UNIX.

#include "sockets.h"

#include <netinet/tcp.h>
#include <sys/un.h>

_Static_assert(sizeof ((struct sockaddr_un *)0)->sun_path == PATH_BYTES, "a path has its bytes");

static socklen_t address_of(const int32_t *words, struct sockaddr_storage *into) {
  memset(into, 0, sizeof *into);
  if (words[CONFIG_FAMILY] == FAMILY_UNIX) {
    struct sockaddr_un *local = (struct sockaddr_un *)into;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, &words[WORDS], PATH_BYTES);
    return sizeof *local;
  }
  uint16_t port = htons((uint16_t)words[CONFIG_PORT]);
  if (words[CONFIG_FAMILY] == 4) {
    struct sockaddr_in *four = (struct sockaddr_in *)into;
    four->sin_family = AF_INET;
    four->sin_port = port;
    memcpy(&four->sin_addr, &words[CONFIG_ADDRESS], 4);
    return sizeof *four;
  }
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)into;
  six->sin6_family = AF_INET6;
  six->sin6_port = port;
  memcpy(&six->sin6_addr, &words[CONFIG_ADDRESS], 16);
  return sizeof *six;
}

static int bind_one(const int32_t *words, int type, bool is_shared) {
  int32_t family = words[CONFIG_FAMILY];
  int domain = family == 6 ? AF_INET6 : family == FAMILY_UNIX ? AF_UNIX : AF_INET;
  int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  struct sockaddr_storage address;
  socklen_t length = address_of(words, &address);
  bool is_set = true;
  if (family == 6) is_set = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
  // Connections of an earlier run that still linger must not keep the port.
  if (type == SOCK_STREAM && family != FAMILY_UNIX) {
    is_set = is_set && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
  }
  if (is_shared) is_set = is_set && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  if (!is_set || bind(fd, (struct sockaddr *)&address, length) != 0) {
    int failure = -errno;
    close(fd);
    return failure;
  }
  return fd;
}

int open_bound(const int32_t *words, int type) {
  bool is_shared = words[CONFIG_SHARE_COUNT] > 0;
  if (is_shared && words[CONFIG_SHARE_INDEX] == 0 && words[CONFIG_PORT] != 0) {
    // SO_REUSEPORT would let two servers of one user take each other's datagrams in silence.
    int probe = bind_one(words, type, false);
    if (probe < 0) return probe;
    int listened = type == SOCK_STREAM ? listen(probe, 1) : 0;
    int failure = -errno;
    close(probe);
    if (listened != 0) return failure;
  }
  return bind_one(words, type, is_shared);
}

bool has_path(const int32_t *words) {
  const char *path = (const char *)&words[WORDS];
  return path[0] != 0 && path[PATH_BYTES - 1] == 0;
}

int dial_unix(const int32_t *words) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct sockaddr_storage address;
  socklen_t length = address_of(words, &address);
  // Stands at once, or not at all: EAGAIN means that nobody accepts as fast.
  if (connect(fd, (struct sockaddr *)&address, length) != 0) {
    int failure = -errno;
    close(fd);
    return failure;
  }
  return fd;
}

int read_port(int fd) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return -errno;
  if (address.ss_family == AF_UNIX) return 0;
  if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
  return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
}
