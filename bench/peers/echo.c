/*
 * The least that a UDP tracker can cost: receives in batches, answers each datagram with a constant
 * of the given size, sends in batches, and sleeps in epoll when there is nothing. A connect request is
 * answered as BEP 15 asks, so that the same load generator can drive it.
 *
 *   echo PORT ANSWER_BYTES BATCH
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_MAX 1024
#define BYTES_MAX 2048

static char input[BATCH_MAX][BYTES_MAX];
static char output[BATCH_MAX][BYTES_MAX];
static struct sockaddr_in from[BATCH_MAX];
static struct iovec in_parts[BATCH_MAX], out_parts[BATCH_MAX];
static struct mmsghdr in[BATCH_MAX], out[BATCH_MAX];

static void answer(int slot, int answer_bytes) {
  char *to = output[slot];
  memcpy(to, input[slot] + 8, 8);
  if (in[slot].msg_len == 16) {
    memset(to + 8, 7, 8);
    out_parts[slot].iov_len = 16;
  } else if (input[slot][11] == 2) {
    out_parts[slot].iov_len = 8 + (in[slot].msg_len - 16) / 20 * 12;
  } else {
    out_parts[slot].iov_len = answer_bytes;
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int answer_bytes = atoi(argv[2]), batch = atoi(argv[3]);
  if (batch < 1 || batch > BATCH_MAX || answer_bytes < 20 || answer_bytes > BYTES_MAX) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int buffer = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
    perror("bind");
    return 1;
  }
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  for (int slot = 0; slot < batch; slot++) {
    in_parts[slot] = (struct iovec){input[slot], BYTES_MAX};
    out_parts[slot] = (struct iovec){output[slot], 0};
    in[slot].msg_hdr = (struct msghdr){
        .msg_name = &from[slot], .msg_iov = &in_parts[slot], .msg_iovlen = 1};
    out[slot].msg_hdr = (struct msghdr){.msg_name = &from[slot],
                                        .msg_namelen = sizeof from[slot],
                                        .msg_iov = &out_parts[slot],
                                        .msg_iovlen = 1};
  }
  for (;;) {
    epoll_wait(poll, &event, 1, -1);
    int count;
    do {
      for (int slot = 0; slot < batch; slot++) in[slot].msg_hdr.msg_namelen = sizeof from[slot];
      count = recvmmsg(fd, in, batch, MSG_DONTWAIT, NULL);
      for (int slot = 0; slot < count; slot++) answer(slot, answer_bytes);
      for (int sent = 0; sent < count;) {
        int done = sendmmsg(fd, out + sent, count - sent, 0);
        sent += done > 0 ? done : 1;
      }
    } while (count == batch);
  }
}
