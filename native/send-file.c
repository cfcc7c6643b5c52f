// Sends parts of files to sockets by sendfile, in threads of its own: the bytes never come into this
// process, and a disk that is slow holds up no event loop. A part is a job: it begins when it is given,
// goes on whenever its socket takes more, and is told when it has ended. Sockets and files are duplicated
// for it, so that whoever closes theirs meanwhile closes no one else's.
//
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

#define THREADS 2
#define JOBS_MAX 4096
#define RESULT_WORDS 3
#define WAKE UINT32_MAX
#define CALL_BYTES (512u * 1024)
// Then it is another socket's turn.
#define TURN_BYTES (2048u * 1024)

enum { BUFFER_RESULTS = 0 };

typedef struct Job {
  int socket;
  int file;
  off_t position;
  uint32_t left;
  uint32_t sent;
  int32_t error;
  // Of the list it is on: free, or ended.
  int32_t next;
} Job;

typedef struct Sender {
  Socket socket;
  Job *jobs;
  int32_t free;
  int epoll;
  int wake;
  int ended;
  pthread_t threads[THREADS];
  int thread_count;
  pthread_mutex_t lock;
  // Under the lock, the oldest first.
  int32_t first_ended;
  int32_t last_ended;
} Sender;

static int watch_job(Sender *sender, int32_t at, int call) {
  struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.u32 = (uint32_t)at};
  return epoll_ctl(sender->epoll, call, sender->jobs[at].socket, &event);
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

// What the socket takes now, but for the rest of a long turn.
static void send_some(Sender *sender, int32_t at) {
  Job *job = &sender->jobs[at];
  if (job->sent == 0) posix_fadvise(job->file, job->position, job->left, POSIX_FADV_WILLNEED);
  for (uint32_t turn = 0; job->left > 0 && turn < TURN_BYTES;) {
    size_t wanted = job->left < CALL_BYTES ? job->left : CALL_BYTES;
    ssize_t sent = sendfile(job->socket, job->file, &job->position, wanted);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    // The file has become shorter.
    if (sent == 0) return end_job(sender, at, EIO);
    if (sent < 0) return end_job(sender, at, errno);
    job->sent += (uint32_t)sent;
    job->left -= (uint32_t)sent;
    turn += (uint32_t)sent;
  }
  if (job->left == 0) return end_job(sender, at, 0);
  if (watch_job(sender, at, EPOLL_CTL_MOD) != 0) end_job(sender, at, errno);
}

static void *run(void *data) {
  Sender *sender = data;
  for (;;) {
    struct epoll_event event;
    int count = epoll_wait(sender->epoll, &event, 1, -1);
    if (count < 0 && errno != EINTR) return NULL;
    if (count <= 0) continue;
    if (event.data.u32 == WAKE) return NULL;
    send_some(sender, (int32_t)event.data.u32);
  }
}

static void free_job(Sender *sender, int32_t at) {
  Job *job = &sender->jobs[at];
  if (job->socket >= 0) {
    // Closing would not do it: the socket itself stays open with whoever gave it.
    epoll_ctl(sender->epoll, EPOLL_CTL_DEL, job->socket, NULL);
    close(job->socket);
  }
  if (job->file >= 0) close(job->file);
  job->socket = job->file = -1;
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
    for (int32_t at = 0; at < JOBS_MAX; at++) {
      if (sender->jobs[at].socket >= 0) close(sender->jobs[at].socket);
      if (sender->jobs[at].file >= 0) close(sender->jobs[at].file);
    }
  }
  free(sender->jobs);
  pthread_mutex_destroy(&sender->lock);
  if (sender->wake >= 0) close(sender->wake);
  if (sender->epoll >= 0) close(sender->epoll);
  if (socket->fd >= 0) close(socket->fd);
  sender->wake = sender->epoll = socket->fd = -1;
}

static int start_threads(Sender *sender) {
  // Signals are for the threads that Node has for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = 0;
  while (failure == 0 && sender->thread_count < THREADS) {
    failure = pthread_create(&sender->threads[sender->thread_count], NULL, run, sender);
    if (failure == 0) sender->thread_count++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  // One of them will do.
  return sender->thread_count > 0 ? 0 : -failure;
}

static int32_t open_sender(Sender *sender, napi_value on_ready) {
  sender->jobs = malloc(JOBS_MAX * sizeof *sender->jobs);
  if (sender->jobs == NULL) return -ENOMEM;
  for (int32_t at = 0; at < JOBS_MAX; at++) {
    sender->jobs[at] = (Job){.socket = -1, .file = -1, .next = at + 1 < JOBS_MAX ? at + 1 : -1};
  }
  sender->epoll = epoll_create1(EPOLL_CLOEXEC);
  sender->wake = eventfd(0, EFD_CLOEXEC);
  sender->ended = sender->socket.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (sender->epoll < 0 || sender->wake < 0 || sender->ended < 0) return -errno;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = WAKE};
  if (epoll_ctl(sender->epoll, EPOLL_CTL_ADD, sender->wake, &event) != 0) return -errno;
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
  sender->socket.fd = sender->epoll = sender->wake = sender->ended = -1;
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

// A socket that does not block and a file; 0 or a negative errno.
static int take_files(Job *job, int socket, int file) {
  struct stat what;
  if (fstat(socket, &what) != 0 || !S_ISSOCK(what.st_mode)) return -ENOTSOCK;
  int flags = fcntl(socket, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) == 0) return -EINVAL;
  if (fstat(file, &what) != 0 || !S_ISREG(what.st_mode)) return -EBADF;
  job->socket = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (job->socket < 0) return -errno;
  job->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
  return job->file < 0 ? -errno : 0;
}

napi_value send_file(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  Instance *instance;
  if (!get_arguments(env, info, 5, arguments, &instance)) {
    return refuse(env, "sendFile(id, socket, file, position, bytes)");
  }
  Sender *sender = (Sender *)get_socket(instance, arguments[0], KIND_SENDER);
  int32_t socket = -1, file = -1, bytes = 0;
  int64_t position = -1;
  if (sender == NULL || !get_int(env, arguments[1], &socket) || !get_int(env, arguments[2], &file) ||
      napi_get_value_int64(env, arguments[3], &position) != napi_ok || position < 0 ||
      !get_int(env, arguments[4], &bytes) || bytes <= 0) {
    return refuse(env, "sendFile: no such sender, or no such part of a file");
  }
  int32_t at = sender->free;
  if (at < 0) return new_int(env, -EAGAIN);
  Job *job = &sender->jobs[at];
  sender->free = job->next;
  job->position = position;
  job->left = (uint32_t)bytes;
  job->sent = 0;
  int failure = take_files(job, socket, file);
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
