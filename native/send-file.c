// Sends parts of files to sockets by sendfile, in threads of its own: the bytes never come into this
// process, and a disk that is slow holds up no event loop. A job is a few parts for one socket: it begins
// when it is given, goes on whenever its socket takes more, and is told when it has ended. Sockets and files
// are duplicated for it, so that whoever closes theirs meanwhile closes no one else's.
//
// There are two lanes, each a thread with an epoll: one for what lies in memory, which never waits, so that
// many are served with few switches; and one for whom the disk has to be asked first.
//
// Parts come as 3 doubles each: descriptor, position, bytes.
// JavaScript reads what ended from the results buffer, 3 words for each: job, bytes sent, errno or 0.
// A job's memory is the JavaScript thread's to give and to take back; a sending thread has a job from its
// socket's event until it watches that socket again, or puts it on the list of those that ended.

#include "sockets.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define JOBS_MAX 4096
#define RESULT_WORDS 3
#define WAKE UINT32_MAX
#define PARTS_MAX 16
#define PART_WORDS 3
#define PART_BYTES_MAX (16 * 1024 * 1024)
// Then it is another socket's turn.
#define TURN_BYTES (2048u * 1024)

enum { BUFFER_RESULTS = 0 };
enum Lane { LANE_MEMORY, LANE_DISK, LANES };

typedef struct Part {
  int file;
  off_t position;
  uint32_t left;
} Part;

typedef struct Job {
  int socket;
  // A part of the same file as the one before has the same descriptor.
  Part parts[PARTS_MAX];
  int part_count;
  // The one that is being sent.
  int part;
  bool is_begun;
  enum Lane lane;
  uint32_t sent;
  int32_t error;
  // Of the list it is on: free, or ended.
  int32_t next;
} Job;

typedef struct Sender {
  Socket socket;
  Job *jobs;
  int32_t free;
  int epolls[LANES];
  int wake;
  int ended;
  pthread_t threads[LANES];
  int thread_count;
  pthread_mutex_t lock;
  // Under the lock, the oldest first.
  int32_t first_ended;
  int32_t last_ended;
} Sender;

static int watch_job(Sender *sender, int32_t at, int call) {
  Job *job = &sender->jobs[at];
  struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.u32 = (uint32_t)at};
  return epoll_ctl(sender->epolls[job->lane], call, job->socket, &event);
}

static void end_job(Sender *sender, int32_t at, int32_t error) {
  Job *job = &sender->jobs[at];
  job->error = error;
  job->next = -1;
  pthread_mutex_lock(&sender->lock);
  if (sender->first_ended < 0) sender->first_ended = at;
  else sender->jobs[sender->last_ended].next = at;
  sender->last_ended = at;
  pthread_mutex_unlock(&sender->lock);
  uint64_t one = 1;
  // It can only fail when the counter is full, and then it wakes whom it is to wake.
  if (write(sender->ended, &one, sizeof one) < 0) return;
}

// Asks the disk for what is not in memory, as its first and last page tell. False: it was asked.
static bool is_in_memory(const Part *part) {
  uint8_t byte;
  struct iovec one = {.iov_base = &byte, .iov_len = 1};
  off_t ends[2] = {part->position, part->position + part->left - 1};
  for (int at = 0; at < 2; at++) {
    if (preadv2(part->file, &one, 1, ends[at], RWF_NOWAIT) == 1) continue;
    posix_fadvise(part->file, part->position, part->left, POSIX_FADV_WILLNEED);
    return false;
  }
  return true;
}

static int change_lane(Sender *sender, int32_t at, enum Lane lane) {
  Job *job = &sender->jobs[at];
  if (watch_job(sender, at, EPOLL_CTL_DEL) != 0) return -1;
  job->lane = lane;
  return watch_job(sender, at, EPOLL_CTL_ADD);
}

// What the socket takes now, but for the rest of a long turn.
static void send_some(Sender *sender, int32_t at) {
  Job *job = &sender->jobs[at];
  uint32_t turn = 0;
  while (job->part < job->part_count && turn < TURN_BYTES) {
    Part *part = &job->parts[job->part];
    enum Lane lane = job->is_begun || is_in_memory(part) ? job->lane : LANE_DISK;
    job->is_begun = true;
    if (lane != job->lane) {
      // Its own thread has it from there on.
      if (change_lane(sender, at, lane) != 0) end_job(sender, at, errno);
      return;
    }
    size_t wanted = part->left < TURN_BYTES ? part->left : TURN_BYTES;
    ssize_t sent = sendfile(job->socket, part->file, &part->position, wanted);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    // The file has become shorter.
    if (sent == 0) return end_job(sender, at, EIO);
    if (sent < 0) return end_job(sender, at, errno);
    job->sent += (uint32_t)sent;
    part->left -= (uint32_t)sent;
    turn += (uint32_t)sent;
    if (part->left > 0) continue;
    job->part++;
    job->is_begun = false;
  }
  if (job->part == job->part_count) return end_job(sender, at, 0);
  if (watch_job(sender, at, EPOLL_CTL_MOD) != 0) end_job(sender, at, errno);
}

static void *run(Sender *sender, enum Lane lane) {
  for (;;) {
    struct epoll_event event;
    int count = epoll_wait(sender->epolls[lane], &event, 1, -1);
    if (count < 0 && errno != EINTR) return NULL;
    if (count <= 0) continue;
    if (event.data.u32 == WAKE) return NULL;
    send_some(sender, (int32_t)event.data.u32);
  }
}

static void *run_memory(void *data) { return run(data, LANE_MEMORY); }
static void *run_disk(void *data) { return run(data, LANE_DISK); }

static void close_job(Job *job) {
  for (int at = 0; at < job->part_count; at++) {
    int file = job->parts[at].file;
    if (file >= 0 && (at == 0 || file != job->parts[at - 1].file)) close(file);
  }
  if (job->socket >= 0) close(job->socket);
  job->socket = -1;
  job->part_count = 0;
}

static void free_job(Sender *sender, int32_t at) {
  Job *job = &sender->jobs[at];
  // Closing would not do it: the socket itself stays open with whoever gave it.
  if (job->socket >= 0) watch_job(sender, at, EPOLL_CTL_DEL);
  close_job(job);
  job->next = sender->free;
  sender->free = at;
}

// Waits for the threads, which are at most in the middle of one call each.
static void dispose(Socket *socket) {
  Sender *sender = (Sender *)socket;
  uint64_t one = 1;
  if (sender->wake >= 0 && write(sender->wake, &one, sizeof one) < 0) abort();
  for (int at = 0; at < sender->thread_count; at++) pthread_join(sender->threads[at], NULL);
  if (sender->jobs != NULL) {
    for (int32_t at = 0; at < JOBS_MAX; at++) close_job(&sender->jobs[at]);
  }
  free(sender->jobs);
  pthread_mutex_destroy(&sender->lock);
  if (sender->wake >= 0) close(sender->wake);
  for (int lane = 0; lane < LANES; lane++) {
    if (sender->epolls[lane] >= 0) close(sender->epolls[lane]);
    sender->epolls[lane] = -1;
  }
  if (socket->fd >= 0) close(socket->fd);
  sender->wake = socket->fd = -1;
}

static int start_threads(Sender *sender) {
  // Signals are for the threads that Node has for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  void *(*const runs[LANES])(void *) = {run_memory, run_disk};
  int failure = 0;
  while (failure == 0 && sender->thread_count < LANES) {
    int lane = sender->thread_count;
    failure = pthread_create(&sender->threads[lane], NULL, runs[lane], sender);
    if (failure == 0) sender->thread_count++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -failure;
}

static int32_t open_sender(Sender *sender, napi_value on_ready) {
  sender->jobs = malloc(JOBS_MAX * sizeof *sender->jobs);
  if (sender->jobs == NULL) return -ENOMEM;
  for (int32_t at = 0; at < JOBS_MAX; at++) {
    Job *job = &sender->jobs[at];
    job->socket = -1;
    job->part_count = 0;
    job->next = at + 1 < JOBS_MAX ? at + 1 : -1;
  }
  sender->wake = eventfd(0, EFD_CLOEXEC);
  sender->ended = sender->socket.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (sender->wake < 0 || sender->ended < 0) return -errno;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = WAKE};
  for (int lane = 0; lane < LANES; lane++) {
    sender->epolls[lane] = epoll_create1(EPOLL_CLOEXEC);
    if (sender->epolls[lane] < 0) return -errno;
    if (epoll_ctl(sender->epolls[lane], EPOLL_CTL_ADD, sender->wake, &event) != 0) return -errno;
  }
  int failure = start_threads(sender);
  return failure < 0 ? failure : adopt(sender->socket.instance, &sender->socket, on_ready);
}

napi_value send_open(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  Instance *instance;
  if (!get_arguments(env, info, 2, arguments, &instance)) {
    return refuse(env, "sendOpen(results, onReady)");
  }
  Sender *sender = calloc(1, sizeof *sender);
  if (sender == NULL) return new_int(env, -ENOMEM);
  sender->socket.kind = KIND_SENDER;
  sender->socket.id = -1;
  sender->socket.instance = instance;
  sender->socket.dispose = dispose;
  sender->socket.fd = sender->wake = sender->ended = -1;
  for (int lane = 0; lane < LANES; lane++) sender->epolls[lane] = -1;
  sender->free = 0;
  sender->first_ended = sender->last_ended = -1;
  pthread_mutex_init(&sender->lock, NULL);
  Buffer *results = &sender->socket.buffers[BUFFER_RESULTS];
  if (!take_buffer(env, arguments[0], RESULT_WORDS * sizeof(int32_t), results)) {
    release_socket(&sender->socket);
    return refuse(env, "sendOpen: no buffer for results");
  }
  int32_t id = open_sender(sender, arguments[1]);
  if (id < 0) release_socket(&sender->socket);
  return new_int(env, id);
}

// A socket that does not block; 0 or a negative errno.
static int take_socket(Job *job, int socket) {
  struct stat what;
  if (fstat(socket, &what) != 0 || !S_ISSOCK(what.st_mode)) return -ENOTSOCK;
  int flags = fcntl(socket, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) == 0) return -EINVAL;
  job->socket = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  return job->socket < 0 ? -errno : 0;
}

// Parts of regular files; 0 or a negative errno, with what was taken still to be closed.
static int take_parts(Job *job, const double *words, int count) {
  int before = -1;
  for (int at = 0; at < count; at++, words += PART_WORDS) {
    int given = (int)words[0];
    Part *part = &job->parts[at];
    *part = (Part){.file = -1, .position = (off_t)words[1], .left = (uint32_t)words[2]};
    if (at > 0 && given == before) {
      part->file = job->parts[at - 1].file;
      job->part_count = at + 1;
      continue;
    }
    struct stat what;
    if (fstat(given, &what) != 0 || !S_ISREG(what.st_mode)) return -EBADF;
    part->file = fcntl(given, F_DUPFD_CLOEXEC, 0);
    if (part->file < 0) return -errno;
    before = given;
    job->part_count = at + 1;
  }
  return 0;
}

static bool are_parts(const double *words, int count) {
  for (int at = 0; at < count; at++, words += PART_WORDS) {
    // Written so that what is no number is refused.
    if (!(words[0] >= 0 && words[0] <= INT32_MAX && words[1] >= 0 && words[1] < 1e15 &&
          words[2] >= 1 && words[2] <= PART_BYTES_MAX)) {
      return false;
    }
  }
  return true;
}

napi_value send_file(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  Instance *instance;
  if (!get_arguments(env, info, 4, arguments, &instance)) {
    return refuse(env, "sendFile(id, socket, parts, count)");
  }
  Sender *sender = (Sender *)get_socket(instance, arguments[0], KIND_SENDER);
  int32_t socket = -1, count = 0;
  napi_typedarray_type type;
  size_t words = 0;
  void *parts = NULL;
  if (sender == NULL || !get_int(env, arguments[1], &socket) || !get_int(env, arguments[3], &count) ||
      napi_get_typedarray_info(env, arguments[2], &type, &words, &parts, NULL, NULL) != napi_ok ||
      type != napi_float64_array || parts == NULL || count < 1 || count > PARTS_MAX ||
      words < (size_t)count * PART_WORDS || !are_parts(parts, count)) {
    return refuse(env, "sendFile: no such sender, or no such parts of files");
  }
  int32_t at = sender->free;
  if (at < 0) return new_int(env, -EAGAIN);
  Job *job = &sender->jobs[at];
  sender->free = job->next;
  job->part = 0;
  job->is_begun = false;
  job->lane = LANE_MEMORY;
  job->sent = 0;
  int failure = take_socket(job, socket);
  if (failure == 0) failure = take_parts(job, parts, count);
  // From here on it is a sending thread's.
  if (failure == 0 && watch_job(sender, at, EPOLL_CTL_ADD) != 0) failure = -errno;
  if (failure == 0) return new_int(env, at);
  free_job(sender, at);
  return new_int(env, failure);
}

// Ends the connection: its job ends with what the socket says to that.
napi_value send_cancel(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  Instance *instance;
  if (!get_arguments(env, info, 2, arguments, &instance)) return refuse(env, "sendCancel(id, job)");
  Sender *sender = (Sender *)get_socket(instance, arguments[0], KIND_SENDER);
  int32_t at = -1;
  if (sender == NULL || !get_int(env, arguments[1], &at) || at < 0 || at >= JOBS_MAX ||
      sender->jobs[at].socket < 0) {
    return refuse(env, "sendCancel: no such sender or job");
  }
  shutdown(sender->jobs[at].socket, SHUT_RDWR);
  return NULL;
}

napi_value send_take(napi_env env, napi_callback_info info) {
  napi_value argument;
  Instance *instance;
  if (!get_arguments(env, info, 1, &argument, &instance)) return refuse(env, "sendTake(id)");
  Sender *sender = (Sender *)get_socket(instance, argument, KIND_SENDER);
  if (sender == NULL) return refuse(env, "sendTake: no such sender");
  Buffer *results = &sender->socket.buffers[BUFFER_RESULTS];
  if (!is_attached(env, results)) return refuse(env, "sendTake: the buffer is gone");
  uint64_t drained;
  // Before the list is taken: what ends after that wakes again. Nothing to read is no failure.
  if (read(sender->ended, &drained, sizeof drained) < 0) drained = 0;
  int32_t room = (int32_t)(results->length / (RESULT_WORDS * sizeof(int32_t)));
  int32_t *into = (int32_t *)results->data;
  int32_t count = 0;
  while (count < room) {
    pthread_mutex_lock(&sender->lock);
    int32_t at = sender->first_ended;
    if (at >= 0) sender->first_ended = sender->jobs[at].next;
    pthread_mutex_unlock(&sender->lock);
    if (at < 0) break;
    Job *job = &sender->jobs[at];
    into[count * RESULT_WORDS] = at;
    into[count * RESULT_WORDS + 1] = (int32_t)job->sent;
    into[count * RESULT_WORDS + 2] = job->error;
    free_job(sender, at);
    count++;
  }
  return new_int(env, count);
}
