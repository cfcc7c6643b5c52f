// UDP in batches: one recvmmsg fills input slots in place, one sendmmsg sends output slots. Headers
// and vectors are made once, when the socket opens; a turn allocates nothing.
//
// The slots of a side lie in one ArrayBuffer, as DatagramSlots in src/net/udp-socket.ts lays them out:
//   bytes      slots * slot bytes, then padded to 8
//   addresses  slots * 16
//   lengths    slots * 2, of the machine's byte order, as ports
//   ports      slots * 2
//   families   slots * 1

#include "sockets.h"

#include <linux/filter.h>

enum { BUFFER_WORDS, BUFFER_INPUT, BUFFER_OUTPUT };

#define ANNOUNCE_BYTES_MIN 98
#define ACTION_AT 8
#define ACTION_ANNOUNCE 1
#define INFO_HASH_AT 16

typedef union Address {
  struct sockaddr_in four;
  struct sockaddr_in6 six;
} Address;

typedef struct Side {
  uint32_t slot_bytes;
  uint8_t *bytes;
  uint8_t *addresses;
  uint16_t *lengths;
  uint16_t *ports;
  uint8_t *families;
  struct mmsghdr *headers;
  struct iovec *vectors;
  Address *names;
} Side;

typedef struct Udp {
  Socket socket;
  bool is_four;
  uint32_t slots;
  Side input;
  Side output;
} Udp;

static size_t side_bytes(size_t slots, size_t slot_bytes) {
  return ((slots * slot_bytes + 7) & ~(size_t)7) + slots * 21;
}

static bool make_side(Udp *udp, Side *side, uint8_t *memory, uint32_t slot_bytes) {
  size_t slots = udp->slots;
  side->slot_bytes = slot_bytes;
  side->bytes = memory;
  side->addresses = memory + ((slots * slot_bytes + 7) & ~(size_t)7);
  side->lengths = (uint16_t *)(side->addresses + slots * 16);
  side->ports = side->lengths + slots;
  side->families = (uint8_t *)(side->ports + slots);
  side->headers = calloc(slots, sizeof *side->headers);
  side->vectors = calloc(slots, sizeof *side->vectors);
  side->names = calloc(slots, sizeof *side->names);
  if (side->headers == NULL || side->vectors == NULL || side->names == NULL) return false;
  socklen_t name_bytes = udp->is_four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  for (size_t slot = 0; slot < slots; slot++) {
    side->families[slot] = udp->is_four ? 4 : 6;
    side->vectors[slot].iov_base = side->bytes + slot * slot_bytes;
    side->vectors[slot].iov_len = slot_bytes;
    struct msghdr *header = &side->headers[slot].msg_hdr;
    header->msg_iov = &side->vectors[slot];
    header->msg_iovlen = 1;
    header->msg_name = &side->names[slot];
    header->msg_namelen = name_bytes;
    if (udp->is_four) side->names[slot].four.sin_family = AF_INET;
    else side->names[slot].six.sin6_family = AF_INET6;
  }
  return true;
}

static void free_side(Side *side) {
  free(side->headers);
  free(side->vectors);
  free(side->names);
}

static void dispose(Socket *socket) {
  Udp *udp = (Udp *)socket;
  if (socket->fd >= 0) close(socket->fd);
  socket->fd = -1;
  free_side(&udp->input);
  free_side(&udp->output);
}

// Root may go beyond the system's limit, others get what it allows. Returns what there is now.
static int32_t set_buffer(int fd, int forced, int plain, int32_t bytes) {
  if (bytes > 0 && setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0) {
    setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, plain, &granted, &length) != 0) return 0;
  // The kernel reports twice what it grants, for its own bookkeeping.
  return granted / 2;
}

// Announces go to the socket that the first word of the info hash names. A load beyond the end of a
// datagram would end the filter with 0, so its length is looked at first.
static bool steer(int fd, uint32_t count) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ANNOUNCE_BYTES_MIN, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ACTION_AT),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ACTION_ANNOUNCE, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, INFO_HASH_AT),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
      BPF_STMT(BPF_RET | BPF_A, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter) == 0;
}

static bool is_sane(const int32_t *words) {
  return (words[CONFIG_FAMILY] == 4 || words[CONFIG_FAMILY] == 6) && words[CONFIG_PORT] >= 0 &&
         words[CONFIG_PORT] <= 65535 && words[CONFIG_SLOTS] > 0 && words[CONFIG_SLOTS] <= 8192 &&
         words[CONFIG_INPUT_BYTES] > 0 && words[CONFIG_INPUT_BYTES] <= 65535 &&
         words[CONFIG_OUTPUT_BYTES] > 0 && words[CONFIG_OUTPUT_BYTES] <= 65535 &&
         words[CONFIG_SHARE_COUNT] >= 0 && words[CONFIG_SHARE_INDEX] >= 0;
}

static int32_t open_udp(Udp *udp, napi_value on_ready) {
  int32_t *words = udp->socket.words;
  int fd = open_bound(words, SOCK_DGRAM);
  if (fd < 0) return fd;
  udp->socket.fd = fd;
  if (!make_side(udp, &udp->input, udp->socket.buffers[BUFFER_INPUT].data,
                 (uint32_t)words[CONFIG_INPUT_BYTES]) ||
      !make_side(udp, &udp->output, udp->socket.buffers[BUFFER_OUTPUT].data,
                 (uint32_t)words[CONFIG_OUTPUT_BYTES])) {
    return -ENOMEM;
  }
  int port = read_port(fd);
  if (port < 0) return port;
  words[REPORT_PORT] = port;
  words[REPORT_RECEIVE_BUFFER] =
      set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, words[CONFIG_RECEIVE_BUFFER]);
  words[REPORT_SEND_BUFFER] = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, words[CONFIG_SEND_BUFFER]);
  bool is_last = words[CONFIG_SHARE_INDEX] + 1 == words[CONFIG_SHARE_COUNT];
  words[REPORT_STEERED] = words[CONFIG_STEER] != 0 && is_last &&
                          steer(fd, (uint32_t)words[CONFIG_SHARE_COUNT]);
  return adopt(udp->socket.instance, &udp->socket, on_ready);
}

// udpOpen(words, input, output, onReady): an id, or a negative errno.
napi_value udp_open(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  Instance *instance;
  if (!get_arguments(env, info, 4, arguments, &instance)) return refuse(env, "udpOpen: 4 arguments");
  Udp *udp = calloc(1, sizeof *udp);
  if (udp == NULL) return new_int(env, -ENOMEM);
  Socket *socket = &udp->socket;
  socket->kind = KIND_UDP;
  socket->instance = instance;
  socket->fd = -1;
  socket->id = -1;
  socket->dispose = dispose;
  Buffer *buffers = socket->buffers;
  int32_t result = -EINVAL;
  if (take_buffer(env, arguments[0], WORDS * sizeof(int32_t), &buffers[BUFFER_WORDS])) {
    int32_t *words = (int32_t *)buffers[BUFFER_WORDS].data;
    socket->words = words;
    if (is_sane(words)) {
      udp->is_four = words[CONFIG_FAMILY] == 4;
      udp->slots = (uint32_t)words[CONFIG_SLOTS];
      size_t input_bytes = side_bytes(udp->slots, (size_t)words[CONFIG_INPUT_BYTES]);
      size_t output_bytes = side_bytes(udp->slots, (size_t)words[CONFIG_OUTPUT_BYTES]);
      if (take_buffer(env, arguments[1], input_bytes, &buffers[BUFFER_INPUT]) &&
          take_buffer(env, arguments[2], output_bytes, &buffers[BUFFER_OUTPUT])) {
        result = open_udp(udp, arguments[3]);
      }
    }
  }
  // adopt() has released it when it failed with an id already given.
  if (result < 0 && socket->id < 0) release_socket(socket);
  return new_int(env, result);
}

// What one destination causes says nothing about the socket.
static bool is_their_fault(int failure) {
  switch (failure) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EINVAL:
    case EACCES:
    case EPERM:
    case EADDRNOTAVAIL:
      return true;
    default:
      return false;
  }
}

static void send_slots(Udp *udp, uint32_t count) {
  Side *side = &udp->output;
  int32_t *words = udp->socket.words;
  for (uint32_t slot = 0; slot < count; slot++) {
    uint32_t length = side->lengths[slot];
    side->vectors[slot].iov_len = length < side->slot_bytes ? length : side->slot_bytes;
    if (udp->is_four) {
      struct sockaddr_in *to = &side->names[slot].four;
      memcpy(&to->sin_addr, side->addresses + slot * 16, 4);
      to->sin_port = htons(side->ports[slot]);
    } else {
      struct sockaddr_in6 *to = &side->names[slot].six;
      memcpy(&to->sin6_addr, side->addresses + slot * 16, 16);
      to->sin6_port = htons(side->ports[slot]);
    }
  }
  uint32_t at = 0;
  while (at < count) {
    int sent = sendmmsg(udp->socket.fd, side->headers + at, count - at, MSG_DONTWAIT);
    if (sent > 0) {
      for (uint32_t end = at + (uint32_t)sent; at < end; at++) {
        words[REPORT_BYTES_OUT] += (int32_t)side->headers[at].msg_len;
      }
      words[REPORT_SENT] += sent;
      continue;
    }
    int failure = errno;
    if (failure == EINTR) continue;
    if (failure == EAGAIN || failure == EWOULDBLOCK) break;
    if (is_their_fault(failure)) words[REPORT_UNREACHABLE]++;
    else {
      words[REPORT_SENDS_FAILED]++;
      words[REPORT_SEND_ERRNO] = failure;
    }
    at++;
  }
  words[REPORT_UNSENT_FROM] = (int32_t)at;
}

// False for a sender that slots and records have no room for (a zone), or that nobody can answer.
static bool read_sender(Udp *udp, uint32_t from, uint32_t to) {
  Side *side = &udp->input;
  if (udp->is_four) {
    const struct sockaddr_in *name = &side->names[from].four;
    if (name->sin_port == 0) return false;
    memcpy(side->addresses + to * 16, &name->sin_addr, 4);
    side->ports[to] = ntohs(name->sin_port);
    return true;
  }
  const struct sockaddr_in6 *name = &side->names[from].six;
  if (name->sin6_port == 0 || name->sin6_scope_id != 0) return false;
  memcpy(side->addresses + to * 16, &name->sin6_addr, 16);
  side->ports[to] = ntohs(name->sin6_port);
  return true;
}

static uint32_t receive_slots(Udp *udp) {
  Side *side = &udp->input;
  int32_t *words = udp->socket.words;
  int count;
  do {
    count = recvmmsg(udp->socket.fd, side->headers, udp->slots, MSG_DONTWAIT, NULL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) words[REPORT_RECEIVE_ERRNO] = errno;
    return 0;
  }
  socklen_t name_bytes = udp->is_four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  uint32_t kept = 0;
  for (uint32_t slot = 0; slot < (uint32_t)count; slot++) {
    struct mmsghdr *header = &side->headers[slot];
    header->msg_hdr.msg_namelen = name_bytes;
    if ((header->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      words[REPORT_TOO_LONG]++;
      continue;
    }
    if (!read_sender(udp, slot, kept)) {
      words[REPORT_BAD_SENDERS]++;
      continue;
    }
    // Those after a dropped one move up.
    if (kept != slot) {
      memcpy(side->bytes + (size_t)kept * side->slot_bytes,
             side->bytes + (size_t)slot * side->slot_bytes, header->msg_len);
    }
    side->lengths[kept++] = (uint16_t)header->msg_len;
    words[REPORT_BYTES_IN] += (int32_t)header->msg_len;
  }
  return kept;
}

// udpTurn(id, outputCount, mayReceive): sends, then receives; how many input slots are filled. With
// all of a full batch dropped it is -1: there may be more.
napi_value udp_turn(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  Instance *instance;
  int32_t count = 0;
  int32_t may_receive = 0;
  if (!get_arguments(env, info, 3, arguments, &instance)) return refuse(env, "udpTurn: 3 arguments");
  Udp *udp = (Udp *)get_socket(instance, arguments[0], KIND_UDP);
  if (udp == NULL || !get_int(env, arguments[1], &count) || count < 0 ||
      (uint32_t)count > udp->slots || !get_int(env, arguments[2], &may_receive)) {
    return refuse(env, "udpTurn(id, outputCount, mayReceive)");
  }
  const Buffer *buffers = udp->socket.buffers;
  if (!is_attached(env, &buffers[BUFFER_WORDS]) || !is_attached(env, &buffers[BUFFER_INPUT]) ||
      !is_attached(env, &buffers[BUFFER_OUTPUT])) {
    return refuse(env, "udpTurn: a buffer was taken away");
  }
  int32_t *words = udp->socket.words;
  memset(&words[REPORT_SENT], 0, (REPORT_BYTES_OUT - REPORT_SENT + 1) * sizeof *words);
  if (count > 0) send_slots(udp, (uint32_t)count);
  if (may_receive == 0) return new_int(env, 0);
  uint32_t received = receive_slots(udp);
  bool has_dropped = words[REPORT_TOO_LONG] + words[REPORT_BAD_SENDERS] > 0;
  return new_int(env, received == 0 && has_dropped ? -1 : (int32_t)received);
}

// udpWatch(id, forWriting): also call onReady when the kernel takes datagrams again.
napi_value udp_watch(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  Instance *instance;
  int32_t writing = 0;
  if (!get_arguments(env, info, 2, arguments, &instance)) return refuse(env, "udpWatch: 2 arguments");
  Socket *socket = get_socket(instance, arguments[0], KIND_UDP);
  if (socket == NULL || !get_int(env, arguments[1], &writing)) {
    return refuse(env, "udpWatch(id, forWriting)");
  }
  watch(socket, UV_READABLE | (writing != 0 ? UV_WRITABLE : 0));
  return NULL;
}
